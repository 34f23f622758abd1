"""The same tokenizer made again: saved and loaded, or of Transformers' other backend."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from porting.text import show
from porting.tokenizers.faults import Findings, look_at
from porting.tokenizers.sides import PortedTokenizer, ask


def saved_and_loaded(ported: PortedTokenizer) -> PortedTokenizer | None:
    """The tokenizer, saved to a folder and loaded from there; None if it cannot be saved.

    Raises:
        Exception: whatever saving or loading raises.
    """
    if ported.of_transformers:
        with tempfile.TemporaryDirectory() as folder:
            ported.tokenizer.save_pretrained(folder)
            return PortedTokenizer(type(ported.tokenizer).from_pretrained(folder))
    if ported.backend is not None:
        return PortedTokenizer(type(ported.backend).from_str(ported.backend.to_str()))
    return None


def slow_class_of(tokenizer: Any) -> type | None:
    """The class of the same tokenizer that is written in Python, where Transformers has one beside the fast one."""
    found = getattr(tokenizer, "slow_tokenizer_class", None)
    if found is None:
        name = type(tokenizer).__name__.removesuffix("Fast")
        try:
            found = getattr(import_module(f"{type(tokenizer).__module__}_legacy"), f"{name}Legacy", None)
        except ImportError:
            return None
    return found if isinstance(found, type) and not isinstance(tokenizer, found) else None


def made_slow(ported: PortedTokenizer, slow: type) -> PortedTokenizer:
    """The tokenizer as one of its slow class, from the files that both read.

    Raises:
        Exception: whatever making it raises.
    """
    with tempfile.TemporaryDirectory() as folder:
        ported.tokenizer.save_pretrained(folder)
        if ported.backend is not None:
            ported.backend.model.save(folder)
        (Path(folder) / "tokenizer.json").unlink(missing_ok=True)
        return PortedTokenizer(slow.from_pretrained(folder))  # type: ignore[attr-defined]


def held_against(ported: PortedTokenizer, other: PortedTokenizer, texts: Sequence[str]) -> Findings:
    """The ids of one and the same tokenizer, made twice."""

    def problem(text: str) -> str | None:
        one, again = ask(ported.encode, text), ask(other.encode, text)
        if one.ids is None:
            return None
        if again.ids is None:
            return f"raises {again.error}"
        return (
            ""
            if one.ids == again.ids
            else f"has the pieces {_pieces(other, again.ids)}, expected {_pieces(ported, one.ids)}"
        )

    return look_at(texts, problem)


def _pieces(ported: PortedTokenizer, ids: Sequence[int]) -> str:
    return show(" ".join(ported.piece(number) for number in ids[:16]), 160)
