"""The nearest architectures in the terminal."""

from __future__ import annotations

from rich.console import Console

from porting.nearest import Candidate
from porting.nearest.result import Proof
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


def test_a_model_that_was_built_is_told_with_its_settings() -> None:
    proof = Proof("LlamaModel", {"hidden_size": 640, "num_attention_heads": 4}, ("num_attention_heads",), tensors=48)
    text = " ".join(shown(candidate("unmodified", proof=proof, tied=("gemma",))).split())
    assert text.startswith(
        "nearest is llama; LlamaModel with hidden_size=640, num_attention_heads=4 (of these, shapes leave open "
        "num_attention_heads) was built and has exactly these tensors: this may be an unmodified one (by shapes alone "
        "it may as well be gemma)"
    )


def test_what_a_model_that_was_built_does_not_hold_is_counted_and_named() -> None:
    proof = Proof("LlamaModel", {}, tensors=48, left=3, empty=1, of_left=("a.b (3,)",), of_empty=("c (4,)",))
    text = shown(candidate("near", proof=proof))
    assert (
        "built: as near as it was built, LlamaModel with its default settings: 3 tensors of the checkpoint have"
        in text
    )
    assert "1 tensor of its own has no counterpart" in text
    assert "no place in that for: a.b (3,)" in text
    assert "and nothing for: c (4,)" in text


def test_far_from_every_settings_no_tensors_are_counted() -> None:
    text = shown(candidate("near", proof=Proof("LlamaModel", {}, tensors=48, left=30, of_left=("a.b (3,)",))))
    assert "no settings were found with which LlamaModel has exactly these tensors" in text
    assert "a.b" not in text


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
