"""Whether expected values are the original's own: what only the port produced is never written into a test."""

from __future__ import annotations

from porting.errors import GenerationError, InconclusiveError, MismatchError
from porting.text import show
from porting.trace import Trace
from porting.verification import Verification


def require_match(verification: Verification) -> None:
    """Check that the port was found to be the original.

    Raises:
        MismatchError: the verdict is ``mismatch`` or ``suspicious``.
        InconclusiveError: it is ``inconclusive``.
    """
    verdict = verification.verdict
    if verdict == "match":
        return
    message = f"no test is written, as the port is not verified: {verification.summary()}"
    hint = "correct the port until `porting verify` says match"
    raise (InconclusiveError if verdict == "inconclusive" else MismatchError)(message, hint=hint)


def require_original(verification: Verification) -> None:
    """Check that the values that would be expected come from another implementation than the port.

    Raises:
        GenerationError: the trace is of the port's side, or the original's class is the port's own or a copy of it.
    """
    original, ported = verification.original, verification.ported
    if original.run.get("side") == "ported":
        raise _refusal("the trace that stands for the original was recorded from a port", "record the original itself")
    own = str(original.run.get("model", ""))
    if own and own == ported.run.get("model"):
        raise _refusal(f"the original is the port's own class, {show(own)}", "build the original with its own code")
    copies = set(_files(original).values()) & set(_files(ported).values())
    if copies and not set(_files(original)) & set(_files(ported)):
        path = next(path for path, sha256 in _files(original).items() if sha256 in copies)
        raise _refusal(f"the original's code, {show(path)}, is a copy of the port's", "build the original's own code")


def _files(trace: Trace) -> dict[str, str]:
    return dict(trace.run.get("sources", {}))


def _refusal(what: str, hint: str) -> GenerationError:
    return GenerationError(f"no test is written with values that only the port produced: {what}", hint=hint)
