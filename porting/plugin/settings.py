"""The plugin's options and ini keys as one value: what is given on the command line counts before the ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from porting.errors import PortingError
from porting.text import show
from porting.tolerance import Tolerance

if TYPE_CHECKING:
    from porting.portfile import Portfile

WITHOUT_PORTFILE = ("checks", "skip", "step", "report")
"""Options that say something of the checks, which only a portfile of the run has."""


@dataclass(frozen=True)
class Settings:
    """What a run was told.

    Attributes:
        portfiles: of which checks are collected, as they are named: links lead to other folders.
        asked: whether the command line names them.
        checks: names, beginnings or patterns of the checks to run; empty: all.
        skip: the same of checks to leave out.
        steps: of the recipe, to run the checks of these only.
        atol: absolute tolerance in place of the portfile's, if any.
        rtol: the same relative.
        strict: whether ``suspicious`` is a failure.
        report: the JSON file to write, if any.
        goldens: the folder of golden traces, if it is not to be beside each test file.
        update: whether golden traces are written.
        evidence: whether what checks said is kept beside the portfile.
    """

    portfiles: tuple[Path, ...] = ()
    asked: bool = False
    checks: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    atol: float | None = None
    rtol: float | None = None
    strict: bool = False
    report: Path | None = None
    goldens: Path | None = None
    update: bool = False
    evidence: bool = True

    @property
    def overruled(self) -> str:
        """The tolerance that was given for the run, in words; empty if none was."""
        given = {"atol": self.atol, "rtol": self.rtol}
        return ", ".join(f"{name} {value:g}" for name, value in given.items() if value is not None)

    def tolerance(self, own: Tolerance) -> Tolerance:
        """``own`` with what the run was given instead."""
        atol = own.atol if self.atol is None else self.atol
        return Tolerance(atol, own.rtol if self.rtol is None else self.rtol)

    def applied(self, portfile: Portfile) -> Portfile:
        """The portfile with the tolerance of the run."""
        tolerance = self.tolerance(portfile.tolerance())
        given = {"TOLERANCE": {"atol": tolerance.atol, "rtol": tolerance.rtol}}
        return replace(portfile, constants={**portfile.constants, **given}) if self.overruled else portfile


_SETTINGS = pytest.StashKey[Settings]()


def settings_of(config: pytest.Config) -> Settings:
    """What this run was told.

    Raises:
        pytest.UsageError: a value is not of its kind, a file is not there, or options do not go together.
    """
    if _SETTINGS not in config.stash:
        config.stash[_SETTINGS] = _read(config)
    return config.stash[_SETTINGS]


def named_path(path: Path) -> Path:
    """A path in full, with its links kept: a portfile's relative paths start where it is named."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolving would follow links


def _read(config: pytest.Config) -> Settings:
    settings = Settings(
        portfiles=tuple(dict.fromkeys(_portfiles(config))),
        asked=bool(config.getoption("porting_portfile")),
        checks=_names(config, "checks"),
        skip=_names(config, "skip"),
        steps=tuple(_number(name, "step", int) for name in _names(config, "step")),
        atol=_tolerance(config, "atol"),
        rtol=_tolerance(config, "rtol"),
        strict=bool(config.getoption("porting_strict") or config.getini("porting_strict")),
        report=_path(config, "report"),
        goldens=_path(config, "goldens"),
        update=config.getoption("porting_update"),
        evidence=bool(config.getini("porting_evidence")) and not config.getoption("porting_no_evidence"),
    )
    _require_sense(config, settings)
    return settings


def _require_sense(config: pytest.Config, settings: Settings) -> None:
    lone = [name for name in WITHOUT_PORTFILE if config.getoption(f"porting_{name}")]
    if lone and not settings.portfiles:
        raise pytest.UsageError(f"--porting-{lone[0]} is of the checks of a portfile: add --porting-portfile PATH")
    if settings.report is not None and settings.report.suffix != ".json":
        raise pytest.UsageError(
            f"--porting-report writes JSON: name a file that ends in .json, not {show(settings.report)}"
        )
    if settings.update and (workers := _workers(config)) > 1:
        raise pytest.UsageError(
            f"--porting-update writes golden traces, and {workers} workers may write the same: run it with -n 0"
        )


def _workers(config: pytest.Config) -> int:
    """How many processes of pytest-xdist run the tests; 0 without it."""
    if hasattr(config, "workerinput"):
        return int(config.workerinput["workercount"])
    if config.getoption("dist", "no") == "no":
        return 0
    counts = [str(spec).partition("*")[0] for spec in config.getoption("tx", None) or ()]
    return sum(int(count) if count.isdigit() else 1 for count in counts)


def _portfiles(config: pytest.Config) -> list[Path]:
    found = [named_path(folder / given) for folder, given in _values(config, "portfile")]
    for path in found:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            raise pytest.UsageError(f"the portfile {show(path)} {problem}; name it with --porting-portfile PATH")
    return found


def _names(config: pytest.Config, name: str) -> tuple[str, ...]:
    pieces = [piece.strip() for _, value in _values(config, name) for piece in value.split(",")]
    return tuple(piece for piece in pieces if piece)


def _path(config: pytest.Config, name: str) -> Path | None:
    found = [folder / value for folder, value in _values(config, name)]
    return found[-1] if found else None


def _tolerance(config: pytest.Config, name: str) -> float | None:
    values = [value for _, value in _values(config, name)]
    if not values:
        return None
    number: float = _number(values[-1], name, float)
    try:
        Tolerance(**{name: number})
    except PortingError as error:
        raise pytest.UsageError(f"--porting-{name}: {error.message}") from None
    return number


def _number(text: str, name: str, kind: type[Any]) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise pytest.UsageError(f"--porting-{name} takes a number, and was given {show(text)}") from None


def _values(config: pytest.Config, name: str) -> list[tuple[Path, str]]:
    """What an option was given, else the lines of its ini key, each with the folder that a path starts from."""
    given = config.getoption(f"porting_{name}")
    if given:
        values = given if isinstance(given, list) else [given]
        return [(config.invocation_params.dir, value) for value in values]
    folder = config.inipath.parent if config.inipath else config.rootpath
    return [(folder, line.strip()) for line in _lines(config, name) if line.strip()]


def _lines(config: pytest.Config, name: str) -> list[str]:
    value = config.getini(f"porting_{name}")
    if value is None:
        return []
    return value if isinstance(value, list) else str(value).splitlines()
