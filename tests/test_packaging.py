from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "porting-demo", "traces", "tests"
)
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree, symlinks and all."""
    copy, out = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_OUT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(out)], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = out.glob("*.whl")
    return built


def files(folder: str, *suffixes: str) -> set[str]:
    """The tree's own files, as paths inside the installed package."""
    installed = "porting" if folder == "porting" else f"porting/{folder}"
    found = set()
    for root, _, names in os.walk(ROOT / folder, followlinks=False):
        inside = Path(installed, Path(root).relative_to(ROOT / folder))
        found |= {str(inside / name) for name in names if name.endswith(suffixes)}
    return found


def read(wheel: Path, name: str) -> str:
    with ZipFile(wheel) as archive:
        (path,) = [entry for entry in archive.namelist() if entry.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()


def test_wheel_holds_every_module_and_template_once_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    expected = (
        files("porting", ".py", "py.typed", ".json.gz")
        | files("checks", ".py")
        | files("templates", ".py", ".jinja", ".toml")
    )
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(expected)
    assert {"porting/py.typed", "porting/checks/__init__.py", "porting/templates/demo_portfile.py.jinja"} < set(names)


def test_every_package_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    modules = {*files("porting", ".py"), *files("checks", ".py"), *files("templates", ".py")}
    assert sorted(declared) == sorted({str(Path(module).parent).replace("/", ".") for module in modules})


def test_entry_points_name_things_that_exist(wheel: Path) -> None:
    points = ConfigParser()
    points.read_string(read(wheel, "entry_points.txt"))
    assert dict(points["console_scripts"]) == {"porting": "porting.cli:main"}
    assert dict(points["pytest11"]) == {"porting": "porting.pytest_plugin"}
    with ZipFile(wheel) as archive:
        assert {"porting/cli/__init__.py", "porting/pytest_plugin.py"} <= set(archive.namelist())


def test_metadata_has_license_readme_and_python_floor(wheel: Path) -> None:
    metadata = message_from_string(read(wheel, "METADATA"))
    assert metadata["Name"] == "porting"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in read(wheel, "licenses/LICENSE")
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_symlinks_resolve_checks_and_templates_in_a_checkout() -> None:
    for name in ("checks", "templates"):
        link = ROOT / "porting" / name
        assert link.resolve() == ROOT / name
        assert not link.is_symlink() or str(link.readlink()) == f"../{name}"
