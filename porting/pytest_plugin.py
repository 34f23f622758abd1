"""The pytest plugin: ``--porting-portfile`` collects the checks of a portfile next to the user's own tests.

Every pytest run in an environment with porting installed loads this file: it imports no torch, and where the
option is not given it adds the option and does nothing else.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from porting.errors import MismatchError, PortingError
from porting.text import show

pytest.register_assert_rewrite("porting.checks")

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from porting.checks import Check, CheckContext

CHECK = "porting.check"
"""The user property that marks the reports of checks, and names the check."""
STATUS = "porting.status"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--porting-portfile`` and the ini key ``porting_portfile``."""
    text = "Run porting's checks on what this portfile describes."
    parser.getgroup("porting").addoption("--porting-portfile", metavar="PATH", help=text)
    parser.addini("porting_portfile", f"{text} Relative to the configuration file.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the run's hooks and collect the portfile, if one is named.

    Raises:
        pytest.UsageError: there is no such file.
    """
    path = _portfile_path(config)
    if path is None:
        return
    if not path.is_file():
        raise pytest.UsageError(f"the portfile {show(path)} does not exist; name it with --porting-portfile PATH")
    config.pluginmanager.register(PortingRun(path), "porting-run")
    folder = config.invocation_params.dir
    if not any(Path(folder, arg.partition("::")[0]).resolve() == path for arg in config.args):
        config.args.append(str(path))


def _portfile_path(config: pytest.Config) -> Path | None:
    if given := config.getoption("porting_portfile"):
        return Path(config.invocation_params.dir, given).resolve()
    if given := config.getini("porting_portfile"):
        return Path(config.inipath.parent if config.inipath else config.rootpath, given).resolve()
    return None


class PortingRun:
    """One run's hooks, and what its checks share: the models run once per process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reports: dict[str, dict[str, Any]] = {}
        self.collected = False

    @cached_property
    def context(self) -> CheckContext:
        """The loaded portfile and what follows from it.

        Raises:
            PortfileError: the portfile cannot be loaded, or expects failures of checks that do not exist.
        """
        from porting.checks import CheckContext, expected_failures
        from porting.portfile import Portfile

        context = CheckContext(Portfile.load(self.path))
        expected_failures(context.portfile)
        return context

    def pytest_report_header(self, config: pytest.Config) -> str:
        """Name the portfile in the header."""
        import porting

        return f"porting {porting.__version__}: {_relative(self.path, config)}"

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect the checks where pytest comes to the portfile."""
        if file_path.resolve() != self.path:
            return None
        self.collected = True
        return PortfileCollector.from_parent(parent, path=file_path, run=self)

    def pytest_collection_modifyitems(self) -> None:
        """Refuse a run that did not come to the portfile.

        Raises:
            pytest.UsageError: pytest ignores the file or its folder.
        """
        if not self.collected:
            raise pytest.UsageError(
                f"pytest did not collect the portfile {show(self.path)}: it lies in a folder that pytest "
                "passes over (--ignore, norecursedirs); move the file, or give other paths to pytest"
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what the checks measured; under xdist, it comes from the workers."""
        properties = {name: value for name, value in report.user_properties if name.startswith("porting.")}
        if CHECK in properties and (report.when == "call" or report.outcome != "passed"):
            self.reports[report.nodeid] = {STATUS: report.outcome, **properties}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that skipped every check: nothing was verified."""
        if self._all_skipped and not hasattr(session.config, "workerinput"):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Say in a few lines what the checks found, if any ran."""
        if self.reports:
            terminalreporter.write_sep("=", f"porting: {_relative(self.path, config)}")
            for line in self._summary():
                terminalreporter.write_line(line)

    @property
    def _all_skipped(self) -> bool:
        statuses = {properties[STATUS] for properties in self.reports.values()}
        return statuses == {"skipped"}

    def _summary(self) -> Iterator[str]:
        statuses = [properties[STATUS] for properties in self.reports.values()]
        counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
        found: dict[str, Any] = {}
        for properties in self.reports.values():
            found |= properties
        yield f"{found.get('porting.verdict') or 'not compared'}: {counts}"
        if self._all_skipped:
            yield "every check was skipped, so that nothing was verified: the run fails"
        if first := found.get("porting.first_divergence"):
            yield f"first divergence: {first}"
        if culprit := found.get("porting.culprit"):
            yield f"culprit: {culprit}"


class PortfileCollector(pytest.File):
    """The portfile as pytest sees it: a file that holds one item per check."""

    def __init__(self, *, run: PortingRun, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run

    def collect(self) -> Iterator[CheckItem]:
        """The checks.

        Raises:
            CollectError: the portfile cannot be loaded.
        """
        from porting.checks import iterate_checks

        try:
            context = self.run.context
        except PortingError as error:
            text = f"{error.message}\n\nNext: {error.hint}" if error.hint else error.message
            raise self.CollectError(text) from None
        for check in iterate_checks():
            yield CheckItem.from_parent(self, name=check.name, check=check, context=context)


class CheckItem(pytest.Item):
    """One check as a test."""

    def __init__(self, *, check: Check, context: CheckContext, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.context = context
        self.user_properties.append((CHECK, check.name))
        self.extra_keyword_matches.add("porting")

    def runtest(self) -> None:
        """Run the check; what it measured goes into the report's properties."""
        from porting.checks import run_check

        result = run_check(self.check, self.context)
        self.user_properties.append((STATUS, result.status))
        self.user_properties += [
            (f"porting.{name}", value) for name, value in result.figures.items() if value is not None
        ]
        if result.status == "skipped":
            pytest.skip(result.message)
        if result.status == "expected failure":
            pytest.xfail(result.message.partition("\n")[0])  # does nothing under --runxfail
        if result.status != "passed":
            raise MismatchError(result.failure_message())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The result's own message for a check that did not pass; a traceback for anything unforeseen."""
        if not isinstance(excinfo.value, MismatchError):
            return super().repr_failure(excinfo, *args, **kwargs)
        representation = excinfo.getrepr(style="value", chain=False)
        if representation.reprcrash is not None:
            representation.reprcrash.path = str(self.path)
            representation.reprcrash.lineno = 1
            representation.reprcrash.message = excinfo.value.message.partition("\n")[0]
        return representation

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Where the item is (a line, as skip markers need one), and its name."""
        return self.path, 0, self.name


def _relative(path: Path, config: pytest.Config) -> str:
    folder = config.invocation_params.dir
    return show(path.relative_to(folder) if path.is_relative_to(folder) else path)
