"""How a check ends other than well; each carries what it measured until then."""

from __future__ import annotations

from collections.abc import Mapping

from porting.errors import MismatchError, PortingError

Figure = str | int | float | None
Figures = Mapping[str, Figure]
"""What a check measured, by name: plain values that fit into JSON and a JUnit property."""


class Outcome(PortingError):  # noqa: N818 - named for how a check ends
    """Base of the endings.

    Attributes:
        figures: what was measured.
    """

    def __init__(self, message: str, *, hint: str = "", figures: Figures | None = None) -> None:
        super().__init__(message, hint=hint)
        self.figures = dict(figures or {})


class ClaimRefuted(Outcome, MismatchError):  # noqa: N818 - as above
    """The claim is wrong; the message names the module at fault first."""

    code = "mismatch"
    exit_code = 1


class Inconclusive(Outcome):
    """Nothing was shown, neither the claim nor its opposite."""

    code = "inconclusive"
    exit_code = 3


class Skip(Outcome):
    """The claim does not apply to this port; the message says why."""

    code = "skipped"
    exit_code = 0


class Lacking(Skip):
    """The claim could apply, and what it needs is not there: a function of the portfile, a package, a file.

    The message says what is lacking; the hint, how to give it. On the checklist the claim is still to do.
    """
