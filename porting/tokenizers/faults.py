"""What one tokenizer does not do right by itself: faults, each with its text, and how many texts were looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from porting.text import show

MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """One text and what is wrong on it."""

    text: str
    problem: str

    def line(self) -> str:
        """Both, to be printed."""
        return f"{show(ascii(self.text), 120)}: {show(self.problem, 400)}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was looked at, and what was wrong.

    Attributes:
        looked_at: texts.
        faults: one for each text that is wrong.
    """

    looked_at: int
    faults: tuple[Fault, ...]

    def message(self, what: str) -> str:
        """All faults in words, the first one first.

        Args:
            what: what is wrong with them, as in "decode to another text".
        """
        lines = [f"{len(self.faults)} of {self.looked_at} texts {what}; the first: {self.faults[0].line()}"]
        lines += [f"  {fault.line()}" for fault in self.faults[1:MOST_LISTED]]
        return "\n".join(
            lines + ([f"  and {len(self.faults) - MOST_LISTED} more"] if len(self.faults) > MOST_LISTED else [])
        )


def look_at(texts: Iterable[str], problem: Callable[[str], str | None]) -> Findings:
    """Ask for the problem of each text.

    Args:
        texts: what to look at.
        problem: empty if there is none, None if the text does not apply.
    """
    looked_at, faults = 0, []
    for text in texts:
        try:
            found = problem(text)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of the tokenizers library is no Exception
            found = f"raised {type(error).__name__}: {show(error)}"
        if found is not None:
            looked_at += 1
        if found:
            faults.append(Fault(text, found))
    return Findings(looked_at, tuple(faults))
