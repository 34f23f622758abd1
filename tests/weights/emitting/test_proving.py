from __future__ import annotations

from typing import Any

import pytest
import torch
from difficult_rules import port

from porting.weights import Concatenate, Convert, Drop, Rename, Transpose
from porting.weights.emitting.prepared import Prepared, prepare
from porting.weights.emitting.proving import faults, transforms_with
from porting.weights.emitting.reversing import two_ways


@pytest.fixture
def prepared() -> Prepared:
    model = port(
        "Proven",
        {"y.weight": (2, 3), "aux.weight": (2, 3), "auy.weight": (2, 3), "max.weight": (2, 3), "z.weight": (3, 2)},
    )
    names = ("x.weight", "other", "third", "fourth", "turned", "left")
    rules = [
        Rename("x.weight", "y.weight"),
        Rename("other", "aux.weight"),
        Rename("third", "auy.weight"),
        Rename("fourth", "max.weight"),
        Convert("turned", "z.weight", Transpose()),
        Drop("left", "not used"),
    ]
    return prepare({name: torch.zeros(2, 3) for name in names}, model, rules)


def said(prepared: Prepared, *lines: tuple[str, str]) -> list[str]:
    from transformers.core_model_loading import Transpose as Theirs
    from transformers.core_model_loading import WeightConverter, WeightRenaming

    turned = WeightConverter("^turned", "^z.weight", operations=[Theirs(0, 1)])
    lines = (*lines, ("^other", r"^aux\.weight"), ("^third", r"^auy\.weight"), ("^fourth", r"^max\.weight"))
    mapping: list[Any] = [*(WeightRenaming(*line) for line in lines), turned]
    transforms = transforms_with(prepared.config.model_type, mapping, prepared.model)
    return [fault.message for fault in faults(prepared, transforms, set(range(5)))]


def test_transforms_that_do_what_the_rules_do_have_no_fault(prepared: Prepared) -> None:
    assert said(prepared, (r"^x\.weight", r"^y\.weight")) == []


def test_a_target_that_is_not_made_is_a_fault(prepared: Prepared) -> None:
    assert "y.weight is made 0 times, and x.weight becomes x.weight" in said(prepared)


def test_what_is_left_out_must_not_be_loaded(prepared: Prepared) -> None:
    lines = ((r"^x\.weight", r"^y\.weight"), ("^left", r"^aux\.weight"))
    assert "left is left out by the rules, and would be loaded as aux.weight" in said(prepared, *lines)


def test_a_pattern_that_takes_a_name_of_the_ports_is_a_fault(prepared: Prepared) -> None:
    found = said(prepared, (r"x\.weight", "y.weight"))
    assert "aux.weight of a saved port would become auy.weight" in found
    assert not any("max.weight" in each for each in found), "the port has no may.weight, so Transformers keeps it"


def test_a_list_that_is_concatenated_has_no_way_back() -> None:
    rules = [Convert("e.{i:d}", "m.joined", Concatenate()), Convert(["a", "b"], "m.both", Concatenate())]
    state = {name: torch.zeros(2, 3) for name in ("e.0", "e.1", "a", "b")}
    found = prepare(state, port("Joined", {"m.joined": (4, 3), "m.both": (4, 3)}), rules)
    ways = [two_ways(each, found.specs, found.config) for each in found.applied]
    assert [each.back is None for each in ways] == [True, False]
