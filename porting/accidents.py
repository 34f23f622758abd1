"""Exceptions that nobody raised on purpose, put into words: whose they are, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from porting.text import show


@dataclass(frozen=True, slots=True)
class Accident:
    """An unforeseen exception as it is reported.

    Attributes:
        code: a stable word for programs: ``portfile``, ``system`` or ``internal``.
        message: whose it is, its class and what it says.
        hint: the next thing to do.
        exit_code: 4 if the user's code or the machine is at fault, 5 for a bug in porting itself.
    """

    code: str
    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: BaseException) -> Accident:
        """What is to be said of an exception that is no `PortingError` and no interruption."""
        text = f"{type(error).__name__}: {show(error, 1000)}"
        if isinstance(error, SystemExit):
            return cls("portfile", f"the code of a model ended the program: {text}", "remove its sys.exit()", 4)
        if not isinstance(error, Exception):
            return cls("portfile", f"the code of a model ended the program: {text}", "have it raise an Exception", 4)
        if isinstance(error, (OSError, MemoryError)):
            return cls("system", text, "free what is missing and run it again", 4)
        hint = "run it again with --debug and report what it prints"
        return cls("internal", f"a bug in porting itself: {text}", hint, 5)
