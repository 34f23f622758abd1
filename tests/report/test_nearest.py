"""The nearest architectures in the terminal."""

from __future__ import annotations

from rich.console import Console

from porting.nearest import Candidate
from porting.report.nearest import render_nearest


def shown(*candidates: Candidate) -> str:
    console = Console(width=200, record=True)
    with console.capture() as capture:
        console.print(render_nearest(candidates))
    return capture.get()


def candidate(verdict: str, **more: object) -> Candidate:
    fields = {"placed": 48, "tensors": 48, "filled": 12, "kinds": 12, "names": 0.7, "config": {"hidden_size": 640}}
    return Candidate("llama", "LlamaForCausalLM", verdict, **{**fields, **more})  # type: ignore[arg-type]


def test_an_unmodified_model_is_said_in_the_first_line() -> None:
    text = shown(candidate("unmodified", tied=("mistral", "gemma")))
    assert text.splitlines()[0] == (
        "nearest is llama; every tensor has a place: this may be an unmodified LlamaForCausalLM "
        "(by shapes alone it may as well be mistral, gemma)"
    )
    assert "hidden_size=640" in text


def test_what_is_left_over_is_shown_on_either_side() -> None:
    text = shown(candidate("near", placed=40, left=("a.norm.weight (3,)",), empty=("b.bias (4,)",)))
    assert "no place for: a.norm.weight (3,)" in text
    assert "nothing for: b.bias (4,)" in text


def test_nothing_near_is_said() -> None:
    assert shown(candidate("far")).startswith("nothing near")
    assert shown().startswith("nothing near")


def test_names_are_shown_escaped() -> None:
    text = shown(candidate("near", config={"[red]\x1b[31m": 3}, tied=("\u202eevil",)))
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert "[red]" in text


def one(model_type: str, verdict: str, tied: tuple[str, ...] = ()) -> Candidate:
    return Candidate(model_type, f"{model_type.title()}Model", verdict, 8, 8, 5, 5, 1.0, {"hidden_size": 4}, tied=tied)


def test_what_fits_just_as_well_as_the_nearest_is_named_and_not_shown_again() -> None:
    console = Console(width=200, record=True)
    nearest = one("one", "unmodified", tied=("two",))
    console.print(render_nearest([nearest, one("two", "unmodified", tied=("one",)), one("three", "near")]))
    first, *others = console.export_text().splitlines()
    assert first.endswith("(by shapes alone it may as well be two)")
    assert [line.split(" ")[0] for line in others if not line.startswith(" ")] == ["one", "three"]
