"""Ports that are no tokenizer of any library: their stages cannot be seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from porting.tokenizers import compare_tokenizers

Change = Callable[[str], str]


class Characters:
    """A number for each character."""

    def __init__(self, change: Change = str, first: int = 10, begin: tuple[int, ...] = (1,)) -> None:
        self.change = change
        self.first = first
        self.begin = begin

    def encode(self, text: str) -> list[int]:
        return [*self.begin, *(self.first + ord(char) for char in self.change(text))]

    def get_vocab(self) -> dict[str, int]:
        return {"<begin>": 1, **{chr(at): self.first + at for at in range(1, 0x3000)}}


def test_a_right_one() -> None:
    parity = compare_tokenizers(Characters().encode, Characters())
    assert parity.ok
    assert parity.added == ("<begin> …", "<begin> …")


@pytest.mark.parametrize(
    ("original", "ported", "stage", "repair"),
    [
        (Characters(str.lower), Characters(), "normalise", "lower case, before the tokenizer"),
        (Characters(str.strip), Characters(), "normalise", "no whitespace at the ends, before the tokenizer"),
        (Characters(), Characters(begin=()), "special tokens", "add <begin> before each text"),
    ],
    ids=["lower case", "strip", "beginning"],
)
def test_what_mends_it_is_tried_from_outside(
    original: Characters, ported: Characters, stage: str, repair: str
) -> None:
    parity = compare_tokenizers(original.encode, ported)
    assert (parity.stage, parity.repair) == (stage, f"proven: {repair}")


def test_another_numbering_is_seen() -> None:
    parity = compare_tokenizers(Characters(first=11).encode, Characters())
    assert parity.stage == "vocabulary"
    assert "has id" in parity.repair


def test_what_nothing_mends_is_shown_without_a_repair() -> None:
    parity = compare_tokenizers(Characters(lambda text: text[::-1]).encode, Characters())
    assert parity.exit_code == 1
    assert parity.proof is None
    assert parity.smallest


def test_a_port_without_a_vocabulary_is_compared() -> None:
    class Bare:
        def encode(self, text: str) -> list[int]:
            return list(text.encode())

    assert compare_tokenizers(Bare().encode, Bare()).ok
