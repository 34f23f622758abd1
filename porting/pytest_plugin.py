"""The pytest plugin: the checks of a portfile next to the user's own tests, and fixtures for these.

Every pytest run in an environment with porting installed loads this file: it imports nothing but pytest, and where
nothing of porting is used it declares options, a marker and fixtures, and does no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("porting.checks")

if TYPE_CHECKING:
    from pathlib import Path

    from porting.checks import CheckContext
    from porting.plugin.closeness import PortClose
    from porting.plugin.goldens import PortRegression
    from porting.portfile import Portfile
    from porting.trace import Trace
    from porting.verification import Verification

OPTIONS = {
    "portfile": ("PATH", "run porting's checks on what this portfile describes; may be given several times"),
    "checks": ("NAMES", "run these checks only: names, beginnings or patterns, with commas between them"),
    "skip": ("NAMES", "leave these checks out, in the same form"),
    "step": ("N", "run the checks of this step of the recipe only; may be given several times"),
    "atol": ("X", "absolute tolerance, instead of the portfile's"),
    "rtol": ("X", "relative tolerance, instead of the portfile's"),
    "report": ("PATH", "write what every check said to this JSON file"),
    "goldens": ("DIR", "where port_regression keeps golden traces (goldens/ beside each test file)"),
}
"""Placeholder and help of each option that takes a value; the ini keys have the same names, with underscores."""
SEVERAL = ("portfile", "checks", "skip", "step")
"""Options that may be given several times; in an ini key, one a line."""
NUMBERS = ("atol", "rtol")
"""Options whose ini key is a number."""
PATH = "_porting_path"
"""The fixture that the portfile of a test is given to."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and an ini key for each but ``--porting-update``: goldens change when somebody says so."""
    group = parser.getgroup("porting", "porting: is a port the same model as its original?")
    for name, (metavar, text) in OPTIONS.items():
        action = "append" if name in SEVERAL else "store"
        group.addoption(f"--porting-{name}", action=action, metavar=metavar, help=text)
        if name in NUMBERS:
            parser.addini(f"porting_{name}", text, type="float", default=None)
        else:
            parser.addini(f"porting_{name}", text, default=None)
    strict = "fail on a suspicious port: a bug that the tolerance hides"
    group.addoption("--porting-strict", action="store_true", default=None, help=strict)
    parser.addini("porting_strict", strict, type="bool", default=False)
    silent = "keep no evidence of what checks said in porting-evidence.json beside the portfile"
    group.addoption("--porting-no-evidence", action="store_true", help=silent)
    parser.addini(
        "porting_evidence", "keep evidence of what checks said beside the portfile", type="bool", default=True
    )
    group.addoption("--porting-update", action="store_true", help="have port_regression write the golden traces")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what follows the run if a portfile is named.

    Raises:
        pytest.UsageError: an option cannot be used as it was given.
    """
    marker = "porting(portfile=PATH): a check of porting, or a test on this portfile, a path from the test's folder"
    config.addinivalue_line("markers", marker)
    used = [name for name in (*OPTIONS, "strict", "update") if config.getoption(f"porting_{name}")]
    if used or config.getini("porting_portfile"):
        from porting.plugin.running import start

        start(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have a test that uses a fixture of porting fail if it returns what it meant to assert."""
    if PATH in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.filterwarnings("error::pytest.PytestReturnNotNoneWarning"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that uses a fixture of porting the portfile of its marker, or that of the run."""
    if PATH in metafunc.fixturenames:
        from porting.plugin.sharing import give_portfiles

        give_portfiles(metafunc, PATH)


@pytest.fixture(scope="session")
def _porting_path(request: pytest.FixtureRequest) -> Path | None:
    from porting.plugin.sharing import path_for

    return path_for(request)


@pytest.fixture(scope="session")
def _porting_context(request: pytest.FixtureRequest, _porting_path: Path | None) -> CheckContext:
    from porting.plugin.sharing import require_context

    return require_context(request.config, _porting_path)


@pytest.fixture(scope="session")
def portfile(_porting_context: CheckContext) -> Portfile:
    """The portfile of ``--porting-portfile``, ``porting_portfile`` or ``@pytest.mark.porting(portfile=...)``."""
    return _porting_context.portfile


@pytest.fixture(scope="session")
def verification(_porting_context: CheckContext) -> Verification:
    """Both models of the portfile run, aligned, compared and judged; made once for all tests and checks."""
    from porting.plugin.sharing import or_fail

    return or_fail(lambda: _porting_context.verification)


@pytest.fixture(scope="session")
def original_trace(_porting_context: CheckContext) -> Trace:
    """What the original of the portfile did."""
    from porting.plugin.sharing import or_fail

    return or_fail(lambda: _porting_context.trace("original"))


@pytest.fixture(scope="session")
def ported_trace(_porting_context: CheckContext) -> Trace:
    """What the port of the portfile did."""
    from porting.plugin.sharing import or_fail

    return or_fail(lambda: _porting_context.trace("ported"))


@pytest.fixture
def assert_port_close(request: pytest.FixtureRequest, _porting_path: Path | None) -> PortClose:
    """Assert that tensors, outputs or models of a port are the original's, within the portfile's tolerance."""
    from porting.plugin.closeness import PortClose

    return PortClose(request.config, _porting_path)


@pytest.fixture
def port_regression(request: pytest.FixtureRequest, _porting_path: Path | None) -> PortRegression:
    """Hold the original, and a port, against a golden trace of the original."""
    from porting.plugin.goldens import PortRegression

    return PortRegression(request.node, _porting_path)
