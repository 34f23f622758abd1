"""What ``porting tokenizer`` says: the results of its checks, and the texts behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from porting.checks.running.suite import run_checks
from porting.checks.shared.tokenizing import both_tokenizers
from porting.errors import PortingError
from porting.progress import Progress, silent
from porting.results import Result

if TYPE_CHECKING:
    from porting.checks.running.report import CheckReport
    from porting.checks.shared.context import CheckContext
    from porting.tokenizers import TokenizerParity

STEP = 9


@dataclass(frozen=True, repr=False)
class TokenizerReport(Result):
    """The checks of the tokenizer and of the chat template.

    Attributes:
        checks: what each of them said.
        parity: both tokenizers on the corpus; None where they could not be compared.
    """

    renderer: ClassVar[str] = "porting.report.tokenizers:render_tokenizers"

    checks: CheckReport
    parity: TokenizerParity | None

    @property
    def ok(self) -> bool:
        """Whether all checks are fine, and one passed."""
        return self.checks.ok

    @property
    def exit_code(self) -> int:
        """That of the checks."""
        return self.checks.exit_code

    def summary(self) -> str:
        """The verdict of the checks, then of the ids."""
        text = self.checks.summary()
        return text if self.parity is None else f"{text}; {self.parity.summary()}"

    def failure_message(self) -> str:
        """Every failure with what to do next."""
        return self.checks.failure_message()

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting tokenizer --json``."""
        return {**self.checks.to_dict(), "ids": None if self.parity is None else self.parity.to_dict()}


def report_tokenizers(context: CheckContext, *, progress: Progress = silent) -> TokenizerReport:
    """Run every check of the recipe's step 9.

    Args:
        context: of the portfile.
        progress: called with the name of each check before it runs.
    """
    checks = run_checks(context, steps=[STEP], progress=progress)
    return TokenizerReport(checks, _parity(context))


def _parity(context: CheckContext) -> TokenizerParity | None:
    try:
        return both_tokenizers(context).parity
    except PortingError:
        return None
