from __future__ import annotations

from typing import Any

from porting.scaffold.facts import facts_of
from porting.scaffold.fitting import BY_NAME, Criterion, Shapes, by_name, by_shape, fit, in_place_by_shape, unseen

BY_SHAPE = Criterion(by_shape, in_place_by_shape)


def measure(settings: dict[str, Any]) -> Shapes | None:
    """Of a model that needs its width divisible by its heads."""
    width, heads = settings["width"], settings["heads"]
    if width % heads:
        return None
    layers = {f"layers.{i}.weight": (settings["inner"], width) for i in range(settings["depth"])}
    return {"table.weight": (settings["tokens"], width), **layers}


WANTED = {"table.weight": (50, 24), **{f"layers.{i}.weight": (72, 24) for i in range(3)}}
START = {"width": 64, "heads": 8, "inner": 32, "depth": 2, "tokens": 10}
OPTIONS = {"width": [24, 50], "inner": [24, 50, 72], "depth": [1, 2, 3], "tokens": [24, 50]}


def test_the_settings_of_wanted_shapes_are_found() -> None:
    for by in (BY_NAME, BY_SHAPE):
        found, near = fit(measure, START, OPTIONS, WANTED, by)
        assert near == 0
        assert found == {"width": 24, "heads": 8, "inner": 72, "depth": 3, "tokens": 50}


def test_settings_that_no_shape_shows_are_named() -> None:
    found, _ = fit(measure, START, OPTIONS, WANTED)
    assert unseen(measure, found, ["heads", "inner", "width"]) == ["heads"]


def test_heads_that_only_move_along_with_their_groups_are_named() -> None:
    def fused(settings: dict[str, Any]) -> Shapes:
        return {"qkv": ((settings["heads"] + 2 * settings["groups"]) * 64 // settings["heads"], 64)}

    found = {"heads": 1, "groups": 1}
    assert unseen(fused, found, ["heads"]) == []
    assert unseen(fused, found, ["heads"], ["heads", "groups"]) == ["heads"]


def test_a_start_that_cannot_be_built_is_left_behind() -> None:
    found, near = fit(measure, {**START, "width": 63}, OPTIONS, WANTED)
    assert near == 0
    assert found["width"] == 24


def test_what_fits_nowhere_is_said() -> None:
    _, near = fit(measure, START, {}, WANTED)
    assert near < 0


def test_a_transposed_matrix_is_near_by_shape_and_far_by_name() -> None:
    one, other = {"a": (2, 3)}, {"a": (3, 2)}
    assert by_shape(one, other) == 0
    assert by_name(one, other) < 0


def test_facts_come_from_shapes_and_the_numbers_of_names() -> None:
    facts = facts_of({**WANTED, "pos_embed": (1, 17, 24), "patch.weight": (24, 3, 4, 4)})
    assert facts["hidden"][0] == 24
    assert facts["layers"][0] == 3
    assert facts["vocabulary"] == [72, 50]
    assert facts_of({**WANTED, "tok.weight": (50, 24)})["vocabulary"] == [50, 72]
    assert (facts["patch"][0], facts["channels"][0], facts["image"][0]) == (4, 3, 16)
