from __future__ import annotations

from rich.console import Console

from porting.nearest import Candidate
from porting.report.nearest import render_nearest


def candidate(model_type: str, verdict: str, tied: tuple[str, ...] = ()) -> Candidate:
    return Candidate(model_type, f"{model_type.title()}Model", verdict, 8, 8, 5, 5, 1.0, {"hidden_size": 4}, tied=tied)


def test_what_fits_just_as_well_as_the_nearest_is_named_and_not_shown_again() -> None:
    console = Console(width=200, record=True)
    nearest = candidate("one", "unmodified", tied=("two",))
    console.print(render_nearest([nearest, candidate("two", "unmodified", tied=("one",)), candidate("three", "near")]))
    first, *others = console.export_text().splitlines()
    assert first.endswith("(by shapes alone it may as well be two)")
    assert [line.split(" ")[0] for line in others if not line.startswith(" ")] == ["one", "three"]
