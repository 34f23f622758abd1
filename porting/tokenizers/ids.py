"""What a tokenizer's function returned, as a plain list of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from porting.errors import PortfileError
from porting.kinds import kind_of


def as_ids(answer: Any, source: str) -> list[int]:
    """A list, array, tensor, ``Encoding`` or ``BatchEncoding`` as a list of ids; a batch of one is its row.

    Raises:
        PortfileError: it is none of these, holds several rows, or something else than whole numbers.
    """
    value = _unpacked(answer)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        row = list(value)
        if len(row) == 1 and _rows(row[0]):
            row = list(_unpacked(row[0]))
        if all(_whole(each) for each in row):
            return [int(each) for each in row]
    raise PortfileError(f"{source} must return a list of ids, and returned {kind_of(answer)}")


def _unpacked(answer: Any) -> Any:
    if isinstance(answer, Mapping) or hasattr(answer, "keys"):
        answer = answer.get("input_ids", answer)
    elif hasattr(answer, "ids") and hasattr(answer, "offsets"):
        answer = answer.ids
    return answer.tolist() if hasattr(answer, "tolist") else answer


def _rows(value: Any) -> bool:
    return hasattr(value, "tolist") or (isinstance(value, Sequence) and not isinstance(value, (str, bytes)))


def _whole(value: Any) -> bool:
    return not isinstance(value, bool) and hasattr(value, "__index__")
