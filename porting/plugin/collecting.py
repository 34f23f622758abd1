"""A portfile as pytest sees it: a file that holds one item per check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from porting.checks import run_check, select_checks
from porting.errors import MismatchError, PortingError
from porting.plugin.settings import settings_of
from porting.plugin.sharing import MARKER, said, shared

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from porting.checks import Check, CheckResult
    from porting.plugin.sharing import Shared

CHECK = "porting.check"
"""The user property that marks the reports of checks, and names the check."""


def collector_of(parent: pytest.Collector, path: Path) -> pytest.Collector:
    """What collects the checks of a portfile."""
    collector: pytest.Collector = PortfileCollector.from_parent(parent, path=path)
    return collector


class PortfileCollector(pytest.File):
    """A portfile, and the checks that are selected."""

    def collect(self) -> Iterator[CheckItem]:
        """The checks, in the order in which they are run.

        Raises:
            CollectError: the portfile cannot be loaded.
        """
        try:
            common = shared(self.config, self.path)
        except PortingError as error:
            raise self.CollectError(said(error)) from None
        settings = settings_of(self.config)
        for check in select_checks(settings.checks, steps=settings.steps, skip=settings.skip):
            yield CheckItem.from_parent(self, name=check.name, check=check, common=common)


class CheckItem(pytest.Item):
    """One check as a test.

    Attributes:
        result: what it said, once it ran.
    """

    result: CheckResult | None = None

    def __init__(self, *, check: Check, common: Shared, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.common = common
        self.user_properties.append((CHECK, check.name))
        self.add_marker(MARKER)

    def runtest(self) -> None:
        """Run the check; what it measured goes into the report's properties."""
        result = self.result = run_check(self.check, self.common.context)
        self.user_properties.append(("porting.status", result.status))
        figures = result.to_dict()["figures"]
        self.user_properties += [(f"porting.{name}", value) for name, value in figures.items() if value is not None]
        if result.status == "skipped":
            pytest.skip(result.message)
        if result.status == "expected failure":
            pytest.xfail(result.message.partition("\n")[0])  # does nothing under --runxfail
        if result.status != "passed":
            raise MismatchError(result.failure_message())

    def facts(self, report: pytest.TestReport) -> dict[str, Any]:
        """What is told of the check: plain values, as workers send them to the process that tells."""
        result, portfile = self.result, self.common.context.portfile
        status: str = "error" if report.failed else report.outcome
        if result is not None and report.when == "call":
            status = "failed" if report.failed and result.status == "expected failure" else result.status
        return {
            "name": self.check.name,
            "step": self.check.step,
            "claim": self.check.claim,
            **(result.to_dict() if result is not None else {"message": _reason(report), "hint": "", "figures": {}}),
            "status": status,
            "portfile": str(portfile.path),
            "tolerance": str(portfile.tolerance()),
            "loosened": self.common.loosened,
            "devices": self._devices(),
            "warnings": [message for _, message in self.common.context.warnings],
        }

    def _devices(self) -> list[str]:
        port = self.common.context.built.get("ported")
        return [] if port is None else sorted({str(parameter.device) for parameter in port.parameters()})

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


def _reason(report: pytest.TestReport) -> str:
    """Why a check did not come to an end, in a line."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return str(report.longrepr or "").strip().rpartition("\n")[2]
