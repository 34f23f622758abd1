"""What follows a run of pytest in which porting is used, from the first hook to the last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from porting.errors import PortingError
from porting.plugin.keeping import KeptEvidence
from porting.plugin.settings import named_path, settings_of
from porting.plugin.sharing import relative, said
from porting.plugin.telling import Told, header
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Generator

    from porting.plugin.settings import Settings


def start(config: pytest.Config) -> None:
    """Register what follows the run, and have pytest come to the portfiles.

    Raises:
        pytest.UsageError: an option cannot be used as it was given.
    """
    settings = settings_of(config)
    if settings.portfiles:
        _require_checks(settings)
    run = PortingRun(config, settings)
    config.pluginmanager.register(run, "porting-run")
    config.args += run.arguments()


def _require_checks(settings: Settings) -> None:
    from porting.checks import SelectionError, select_checks

    try:
        select_checks(settings.checks, steps=settings.steps, skip=settings.skip)
    except SelectionError as error:
        raise pytest.UsageError(f"--porting-checks, --porting-skip or --porting-step: {said(error)}") from None


class PortingRun:
    """One run's hooks."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.told = Told(config, settings)
        self.evidence = KeptEvidence(config)
        self.collected: set[Path] = set()

    @property
    def expected(self) -> tuple[Path, ...]:
        """The portfiles that pytest must come to; an ini key says nothing of a run that names its own files."""
        named = self.config.args_source is pytest.Config.ArgsSource.ARGS
        return self.settings.portfiles if self.settings.asked or not named else ()

    def arguments(self) -> list[str]:
        """The portfiles that pytest would not come to by its arguments."""
        folder = self.config.invocation_params.dir
        named = {named_path(folder / argument.partition("::")[0]) for argument in self.config.args}
        return [str(path) for path in self.expected if path not in named]

    def pytest_report_header(self) -> str:
        """One line: versions, portfiles, and what the run overrules."""
        return header(self.config, self.settings)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect the checks where pytest comes to a portfile."""
        if file_path not in self.settings.portfiles:
            return None
        from porting.plugin.collecting import collector_of

        self.collected.add(file_path)
        return collector_of(parent, file_path)

    def pytest_collection_modifyitems(self) -> None:
        """Refuse a run that did not come to a portfile.

        Raises:
            pytest.UsageError: pytest ignores the file or its folder.
        """
        for path in self.expected:
            if path not in self.collected:
                raise pytest.UsageError(
                    f"pytest did not collect the portfile {show(path)}: it lies in a folder that pytest "
                    "passes over (--ignore, norecursedirs); move the file, or give other paths to pytest"
                )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what a check said along with its report, also from a worker."""
        report = yield
        if hasattr(item, "facts") and (report.when == "call" or not report.passed):
            self.evidence.add(item, report)
            report.porting = item.facts(report)  # type: ignore[attr-defined]
            if isinstance(report.longrepr, tuple):  # of a skip: path, line and reason
                report.longrepr = (str(item.path), 1, report.longrepr[2])
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what the checks said."""
        if hasattr(report, "porting"):
            self.told.add(report.nodeid, report.porting, report.duration)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep the evidence, write the report, and fail a run that skipped every check of a portfile."""
        if self.settings.evidence:
            self.told.notes += self.evidence.keep()
        if hasattr(session.config, "workerinput"):
            return
        failed = bool(self.told.unverified)
        try:
            self.told.write()
        except PortingError as error:
            self.told.notes.append(said(error))
            failed = True
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in a few lines what the checks found, if any ran."""
        lines = self.told.lines()
        if lines:
            names = ", ".join(relative(path, self.config) for path in self.told.portfiles)
            terminalreporter.write_sep("=", f"porting: {names}")
            for line in lines:
                terminalreporter.write_line(line)
