"""The exceptions that porting raises on purpose; each says what to do next and carries its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class PortingError(Exception):
    """Something the user can act on; shown as one message, never as a traceback.

    Attributes:
        code: a stable word for programs that read the JSON form of the error.
        hint: the next thing to do, or an empty string.
        exit_code: what the command line exits with.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_dict(self) -> dict[str, object]:
        """Return the ``{"schema": 1, "error": ...}`` document of the command line's ``--json``."""
        return {"schema": 1, "error": {"code": self.code, "message": self.message, "hint": self.hint}}


class PortfileError(PortingError):
    """The portfile is missing, cannot be run, or one of its functions does not keep its contract."""

    code = "portfile"


class ToleranceError(PortingError):
    """A tolerance is not a finite number of at least 0."""

    code = "tolerance"
    exit_code = 2


class CaptureError(PortingError):
    """A model cannot be captured, or its forward raised.

    Attributes:
        side: ``original`` or ``ported`` if a forward raised on that side, else empty.
    """

    code = "capture"

    def __init__(self, message: str, *, hint: str = "", side: str = "") -> None:
        super().__init__(message, hint=hint)
        self.side = side


class RestoreError(PortingError):
    """A run changed something in the model that could not be put back."""

    code = "restore"


class TraceError(PortingError):
    """A trace folder is missing, unfinished, failed, damaged or not a trace, or does not hold what was asked for.

    Attributes:
        problems: all that is wrong, each with its place, where all was asked for.
    """

    code = "trace"

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def to_dict(self) -> dict[str, object]:
        """The document of every error, with the list of problems if there is one."""
        document = super().to_dict()
        return {**document, "problems": list(self.problems)} if self.problems else document


class CheckpointError(PortingError):
    """A checkpoint is missing, damaged, of an unknown format or unsafe to read."""

    code = "checkpoint"


class OutputError(PortingError):
    """A result cannot be written where it was asked for."""

    code = "output"


class GenerationError(PortingError):
    """A file cannot be generated from these models, names or values."""

    code = "generation"


class InconclusiveError(PortingError):
    """Something was asked for that needs a proven port, and nothing is proven either way."""

    code = "inconclusive"
    exit_code = 3


class MismatchError(PortingError, AssertionError):
    """A result that was asserted to be right is not (``result.assert_ok()``)."""

    code = "mismatch"
    exit_code = 1


class RuleError(PortingError):
    """A rule of conversion is not well formed, or cannot be applied to the tensors that it takes."""

    code = "rules"
