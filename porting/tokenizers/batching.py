"""A text in a batch, padded, or as one of a pair: its ids are those that it has alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from porting.text import show
from porting.tokenizers.faults import Fault, Findings, look_at
from porting.tokenizers.sides import PortedTokenizer, ask

ROWS = 8


def check_batches(ported: PortedTokenizer, texts: Sequence[str]) -> Findings:
    """Each text's ids alone, held against those in a batch of others: unpadded, padded left and padded right.

    Args:
        ported: a tokenizer of Transformers.
        texts: what to look at; those for which it raises, alone, are left out.
    """
    alone = {text: answer.ids for text in texts if (answer := ask(ported.encode, text)).ids is not None}
    faults = []
    for way in _ways(ported.tokenizer):
        said = f"padded {way['padding_side']}" if way else "in a batch"
        for at in range(0, len(alone), ROWS):
            rows = list(alone)[at : at + ROWS]
            try:
                batch = _rows(ported.tokenizer, rows, **way)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a panic of the tokenizers library is no Exception
                raised = f"{type(error).__name__}: {show(error)}"
                faults.append(Fault(rows[0], f"{said}, with {len(rows) - 1} others, the tokenizer raised {raised}"))
                continue
            faults += [
                Fault(text, f"has other ids {said} than alone: {ids[:12]}, expected {list(alone[text][:12])}")
                for text, ids in zip(rows, batch, strict=True)
                if tuple(ids) != alone[text]
            ]
    return Findings(len(alone), tuple(dict.fromkeys(faults)))


def check_pairs(ported: PortedTokenizer, texts: Sequence[str]) -> Findings:
    """Both texts of a pair have the ids in it that they have alone, in this order."""
    others = [*texts[1:], texts[0]] if texts else []
    partner = dict(zip(texts, others, strict=True))

    def problem(text: str) -> str | None:
        if not text or not partner[text]:
            return None
        together = list(ported.tokenizer(text, partner[text], verbose=False)["input_ids"])
        one, other = ported.encode_plain(text), ported.encode_plain(partner[text])
        first = _find(together, one, 0)
        if first < 0:
            return f"is not in its pair with {partner[text]!a}: {together[:16]}, expected {one[:12]}"
        if _find(together, other, first + len(one)) < 0:
            return f"its pair lacks the other text {partner[text]!a}: {together[:24]}, expected {other[:12]}"
        return ""

    return look_at(texts, problem)


def _ways(tokenizer: Any) -> list[dict[str, str]]:
    """Unpadded; and padded on either side, where there is something to pad with."""
    padded = [{"padding_side": side} for side in ("left", "right")] if tokenizer.pad_token_id is not None else []
    return [{}, *padded]


def _rows(tokenizer: Any, rows: list[str], **way: str) -> list[list[int]]:
    """The ids of each row, without padding."""
    if not way:
        return [list(ids) for ids in tokenizer(rows, verbose=False)["input_ids"]]
    encoded = tokenizer(rows, padding=True, return_attention_mask=True, verbose=False, **way)
    return [
        [number for number, kept in zip(ids, mask, strict=True) if kept]
        for ids, mask in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
    ]


def _find(ids: Sequence[int], part: Sequence[int], start: int) -> int:
    """Where a part begins in ids, from a place on; -1 if nowhere."""
    part = list(part)
    return next((at for at in range(start, len(ids) - len(part) + 1) if list(ids[at : at + len(part)]) == part), -1)
