"""Which checks there are, and what each one says of a port: results are data."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from porting.accidents import Accident
from porting.checks import (
    batching,
    caching,
    chat,
    conventions,
    device,
    documents,
    environment,
    forward,
    generation,
    gradients,
    importing,
    kernels,
    mistakes,
    modes,
    nearest,
    notebook,
    original,
    pipeline,
    positions,
    precision,
    probing,
    processor,
    proposal,
    publishing,
    pull_request,
    saving,
    skeleton,
    tests,
    tokenizer,
    weights,
)
from porting.checks.shared.outcomes import Figure, Figures, Inconclusive, Lacking, Outcome, Skip
from porting.errors import MismatchError, PortfileError, PortingError
from porting.evidence.asking import listening
from porting.results import Result
from porting.text import show, show_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from porting.checks.shared.context import CheckContext
    from porting.portfile import Portfile

Status = Literal["passed", "failed", "skipped", "expected failure", "inconclusive", "error"]
EXIT_CODES: Mapping[Status, int] = {"failed": 1, "inconclusive": 3, "error": 4}


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of the recipe that a program can verify.

    Attributes:
        name: of the function, ``check_<what>``.
        step: of the recipe.
        function: returns its figures, or raises `MismatchError`, `Inconclusive` or `Skip`.
    """

    name: str
    step: int
    function: Callable[[CheckContext], Figures]

    @property
    def claim(self) -> str:
        """The claim in a sentence."""
        return (self.function.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True, repr=False)
class CheckResult(Result):
    """What one check said.

    Attributes:
        name: of the check.
        step: of the recipe.
        status: ``inconclusive`` if nothing was shown, ``error`` if the check could not run.
        message: why it did not pass, the place first; empty if it did.
        hint: what to do next.
        figures: what was measured.
        claim: of the check, in a sentence.
        lacking: whether it was skipped for something that the claim needs and that is not there.
        asked: for what, as evidence notes it (`porting.evidence.asking`).
        exception: what ended it and was not raised on purpose.
    """

    name: str
    step: int
    status: Status
    message: str = ""
    hint: str = ""
    figures: Figures = field(default_factory=dict)
    claim: str = ""
    lacking: bool = False
    asked: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    exception: BaseException | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether it passed, does not apply, or failed as expected."""
        return self.status not in EXIT_CODES

    @property
    def exit_code(self) -> int:
        """0 fine, 1 failed, 3 inconclusive, 4 could not run, 5 a bug in porting itself."""
        return EXIT_CODES.get(self.status, 0) if self.exception is None else Accident.of(self.exception).exit_code

    def summary(self) -> str:
        """Status, name and the first line of the message."""
        text = f"{self.status}: {self.name}"
        return f"{text}: {self.message.partition(chr(10))[0]}" if self.message else text

    def failure_message(self) -> str:
        """The message, and what to do next as its last line."""
        return f"{self.message}\n\nNext: {self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "schema": 1,
            "name": self.name,
            "step": self.step,
            "claim": self.claim,
            "status": self.status,
            "message": self.message,
            "hint": self.hint,
            "figures": {show(name): _plain(value) for name, value in self.figures.items()},
        }


def iterate_checks() -> Iterator[Check]:
    """Every check, in the order in which they are run."""
    for step in (
        nearest,
        environment,
        importing,
        original,
        skeleton,
        conventions,
        weights,
        saving,
        forward,
        mistakes,
        modes,
        probing,
        caching,
        batching,
        positions,
        kernels,
        precision,
        gradients,
        tests,
        tokenizer,
        chat,
        processor,
        generation,
        pipeline,
        device,
        documents,
        publishing,
        notebook,
        proposal,
        pull_request,
    ):
        for function in step.CHECKS:
            yield Check(function.__name__, step.STEP, function)


def expected_failures(portfile: Portfile) -> Mapping[str, str]:
    """``EXPECTED_FAILURES`` of a portfile: check name to reason.

    Raises:
        PortfileError: it names a check that does not exist.
    """
    given: dict[str, str] = portfile.constants.get("EXPECTED_FAILURES", {})
    names = [check.name for check in iterate_checks()]
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise PortfileError(
                f"EXPECTED_FAILURES names {show(name)}, which is no check{meant}",
                hint=f"the checks are: {', '.join(names)}",
            )
    return dict(given)


def run_check(check: Check, context: CheckContext) -> CheckResult:
    """Run one check; what it raises on purpose becomes its result, and random states are as they were.

    An expected failure that passes is a failure.

    Raises:
        PortfileError: ``EXPECTED_FAILURES`` names a check that does not exist.
    """
    reason = expected_failures(context.portfile).get(check.name)
    with listening() as asked:
        result = _run(check, context)
    result = replace(result, asked=frozenset(asked))
    if reason is None or result.status not in ("passed", "failed", "inconclusive"):
        return result
    if result.status == "passed":
        message = f"{check.name} passes, and EXPECTED_FAILURES says that it fails: {show(reason)}"
        hint = f"remove {check.name} from EXPECTED_FAILURES in the portfile"
        return replace(result, status="failed", message=message, hint=hint)
    return replace(result, status="expected failure", message=f"{show(reason)}\n{result.message}")


def _run(check: Check, context: CheckContext) -> CheckResult:
    from porting.hooks.preserving import preserved_process

    try:
        with preserved_process():
            figures = check.function(context)
        return CheckResult(check.name, check.step, "passed", figures=figures, claim=check.claim)
    except PortingError as error:
        figures = error.figures if isinstance(error, Outcome) else {}
        message, hint, lacking = show_lines(error.message), show_lines(error.hint), isinstance(error, Lacking)
        return CheckResult(check.name, check.step, _status(error), message, hint, figures, check.claim, lacking)


def _status(error: PortingError) -> Status:
    if isinstance(error, MismatchError):
        return "failed"
    if isinstance(error, Inconclusive):
        return "inconclusive"
    return "skipped" if isinstance(error, Skip) else "error"


def _plain(value: Figure) -> Figure:
    """A figure as JSON and other processes take it: no number of NumPy's, no NaN or Infinity, a text to be shown."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return show_lines(value)
