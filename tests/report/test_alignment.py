"""The alignment in the terminal."""

from __future__ import annotations

from rich.console import Console, Group

from porting.alignment import Alignment
from porting.alignment import Group as Pair
from porting.report.alignment import render_alignment


def printed(alignment: Alignment) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(Group(*render_alignment(alignment)))
    return captured.get()


def test_every_pair_is_shown_with_its_evidence_confidence_and_layout() -> None:
    pair = Pair(("h.0",), ("layers.0",), "weights; the same inputs", 0.97, "permute(1, 0, 2)")
    fused = Pair(("qkv",), ("q", "k", "v"), "weights, split", 1.0)
    text = printed(Alignment((pair, fused), (), ()))
    (row,) = (line for line in text.splitlines() if line.startswith("h.0"))
    assert row.split("  ")[0] == "h.0"
    assert all(part in row for part in ("layers.0", "0.97", "weights; the same inputs", "permute(1, 0, 2)"))
    assert "q + k + v" in text


def test_what_has_no_counterpart_is_named_on_both_sides() -> None:
    text = printed(Alignment((), ("left.act",), ("right.drop",)))
    assert "original modules without a counterpart: left.act" in text
    assert "ported modules without a counterpart: right.drop" in text


def test_names_from_a_model_cannot_write_to_the_terminal() -> None:
    assert "\x1b" not in printed(Alignment((Pair(("a\x1b[31m",), ("b",), "place", 0.3),), (), ()))
