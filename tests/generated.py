"""Generated tests of a pair, written to a folder and run in this process on any model."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from shutil import which
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import torch
from checked import portfile_of
from pairs.pair import Pair

from porting.stubs import GeneratedTests, Wanted, write_tests
from porting.verifying import verify_portfile

SETTINGS = Path(__file__).parents[1] / "templates" / "transformers-ruff.toml"


def generate(pair: Pair, folder: Path, *, standalone: bool = False, **more: Any) -> GeneratedTests:
    """Verify a pair and write its tests.

    Args:
        pair: the models.
        folder: to write to.
        standalone: whether in one file.
        more: further functions and constants of the portfile, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    portfile = portfile_of(pair, folder, HUB_ID="org/name", REVISION="0123abc", MODEL_NAME="some_model", **more)
    verification = verify_portfile(portfile, original=pair.original, ported=pair.ported)
    models = {"original": pair.original, "ported": pair.ported}
    return write_tests(portfile, verification, folder, **models, wanted=Wanted(standalone))


def failures(generated: GeneratedTests, model: torch.nn.Module) -> list[str]:
    """Run the tests of the model on another one than the checkpoint's; what those said that failed."""
    return failures_of(generated.path, load_model=lambda self: model)


def failures_of(path: Path, **methods: Callable[[Any], Any]) -> list[str]:
    """Run the tests of a file with other methods in its class; what those said that failed."""
    module = imported(path)
    (kind,) = (
        each for each in vars(module).values() if isinstance(each, type) and issubclass(each, unittest.TestCase)
    )
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(type("LocalTest", (kind,), methods)).run(result)
    assert result.testsRun
    assert not result.skipped
    return [text for _, text in (*result.failures, *result.errors)]


def ruff_findings(folder: Path) -> str:
    """What ruff says, with Transformers' own settings, of the files in a folder and of how they are formatted."""
    ruff = which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if ruff is None:
        pytest.skip("ruff is not installed")
    found = ""
    for command in (["check"], ["format", "--diff"]):
        arguments = [ruff, *command, "--quiet", "--no-cache", "--config", str(SETTINGS), str(folder)]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
        found += done.stdout + done.stderr
    return found


def imported(path: Path) -> ModuleType:
    """A generated file as a module whose slow tests run, and that cleans nothing up."""
    spec = importlib.util.spec_from_file_location(f"generated_{abs(hash(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch("transformers.testing_utils._run_slow_tests", True):
        spec.loader.exec_module(module)
    if hasattr(module, "cleanup"):
        vars(module)["cleanup"] = lambda *_, **__: None
    return module
