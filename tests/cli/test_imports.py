from __future__ import annotations

import pkgutil

from processes import python

import porting.cli

HEAVY = "{'torch', 'transformers', 'numpy', 'scipy', 'safetensors', 'rich', 'jinja2'}"


def test_importing_porting_imports_nothing_heavy() -> None:
    assert python(f"import sys, porting; print({HEAVY} & set(sys.modules))") == "set()\n"


def test_help_of_every_command_imports_nothing_heavy() -> None:
    modules = [each.name for each in pkgutil.iter_modules(porting.cli.__path__) if not each.name.startswith("_")]
    assert set(modules) <= set(porting.cli.COMMANDS)
    code = f"""
import contextlib, io, sys
from porting.cli import group
for arguments in [["--help"], *([name, "--help"] for name in {modules})]:
    with contextlib.redirect_stdout(io.StringIO()) as text:
        group.main(arguments, standalone_mode=False)
    assert "Usage:" in text.getvalue(), arguments
    assert not {HEAVY} & set(sys.modules), arguments
"""
    assert python(code) == ""


def test_public_functions_stay_functions_after_every_module_is_imported() -> None:
    code = """
import importlib, pkgutil, types
import porting

for module in pkgutil.walk_packages(porting.__path__, "porting."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in porting.__all__:
    value = getattr(porting, name)
    assert not isinstance(value, types.ModuleType), name
    assert isinstance(value, type) == name[0].isupper(), name
    print(name)
"""
    assert {"capture", "compare", "verify", "check_weights"} <= set(python(code).split())


def test_unknown_attribute_of_porting_is_an_attribute_error() -> None:
    assert not hasattr(porting, "no_such_name")
    assert set(porting.__all__) <= set(dir(porting))
