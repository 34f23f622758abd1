"""Decoding: ids back to text, held against the original's decoder, or against what the ids came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from porting.tokenizers.comparing import Compared
from porting.tokenizers.corpus import NOTED
from porting.tokenizers.faults import Findings, look_at
from porting.tokenizers.sides import PortedTokenizer
from porting.tokenizers.strings import HARD

Decode = Callable[[list[int]], Any]


def decode_as_original(ported: PortedTokenizer, compared: Compared, original_decode: Decode) -> Findings:
    """The port decodes the original's ids to the text that the original makes of them.

    With special tokens or without, whichever is the original's way: that in which more texts agree.
    """
    ids = {pair.sample.text: list(pair.original.ids) for pair in compared.of("equal") if pair.original.ids is not None}
    ids = {text: numbers for text, numbers in ids.items() if len(text) < 20_000}
    found = [_held_against(ported, ids, original_decode, skip=skip) for skip in (False, True)]
    return min(found, key=lambda each: len(each.faults))


def decode_and_encode(ported: PortedTokenizer) -> Findings:
    """Plain texts decode to a text of the same ids; special tokens, left out, leave nothing behind."""

    def problem(text: str) -> str | None:
        ids = ported.encode_plain(text)
        if not ids or ported.unknown in ids:
            return None
        decoded = ported.decode(ids)
        if ported.encode_plain(decoded) != ids:
            return f"decodes to {decoded!a}, which has other ids"
        whole = ported.decode(ported.encode(text), skip_special_tokens=True)
        if whole.strip() != decoded.strip():
            return f"decodes to {whole!a} with special tokens left out, and to {decoded!a} without any"
        return ""

    return look_at(HARD["plain"], problem)


def _held_against(
    ported: PortedTokenizer, ids: dict[str, list[int]], original_decode: Decode, *, skip: bool
) -> Findings:
    def problem(text: str) -> str | None:
        if ported.unknown in ids[text]:
            return None  # what stands for it in a text is each library's own
        try:
            expected = original_decode(list(ids[text]))
        except Exception:  # the original's own limits are not the port's
            return None
        decoded = ported.decode(ids[text], skip_special_tokens=skip)
        return "" if decoded == expected else f"decodes to {decoded!a}, expected {expected!a}"

    return look_at(_worth(list(ids)), problem)


def _worth(texts: Sequence[str]) -> list[str]:
    """Texts in which right decoders agree."""
    noted = {text for category in NOTED for text in HARD.get(category, ())}
    return [text for text in texts if text not in noted]
