from __future__ import annotations

import copy
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from porting.trace import Record, flatten, rebuild

ONE, TWO, THREE = torch.ones(1), torch.ones(2), torch.ones(3)
OUTPUT_NAMES = ["last_hidden_state", "hidden_states.0", "hidden_states.1"]
Pair = namedtuple("Pair", "left right")


@dataclass
class Boxed:
    content: torch.Tensor
    label: str


class Holder:
    """A plain object that leads to tensors, as caches do."""

    def __init__(self) -> None:
        self.layers = [ONE, {"deep": TWO}]
        self.length = 3
        self.me = self


class Slotted:
    __slots__ = ("x",)


def names(value: Any, name: str = "") -> list[str]:
    return [leaf for leaf, _ in flatten(value, name)[1]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ONE, [""]),
        ((ONE, None, 3), ["0", "1", "2"]),
        ([ONE, [TWO, (THREE,)]], ["0", "1.0", "1.1.0"]),
        ({"a": ONE, 7: [TWO]}, ["a", "7.0"]),
        (OrderedDict(z=ONE, a=TWO), ["z", "a"]),
        (Pair(ONE, [TWO]), ["left", "right.0"]),
        (Boxed(ONE, "x"), ["content", "label"]),
        (BaseModelOutput(last_hidden_state=ONE, hidden_states=(TWO, THREE)), OUTPUT_NAMES),
        (Holder(), ["layers.0", "layers.1.deep"]),
        ((), []),
        (Slotted, [""]),
        (Slotted(), [""]),
        (torch.Size([2, 3]), [""]),
        (torch.nn.Linear(1, 1), [""]),
        (b"bytes", [""]),
    ],
)
def test_leaves_are_named_by_where_they_sit(value: Any, expected: list[str]) -> None:
    assert names(value) == expected


def test_a_prefix_is_joined_with_a_dot() -> None:
    assert names((ONE, TWO), "out") == ["out.0", "out.1"]
    assert names(ONE, "out") == ["out"]


def test_the_tensors_of_a_cache_are_found() -> None:
    cache = DynamicCache()
    cache.update(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), 0)
    found = {name for name, leaf in flatten(cache)[1] if isinstance(leaf, torch.Tensor)}
    assert found == {"layers.0.keys", "layers.0.values"}


def test_a_value_that_holds_itself_ends() -> None:
    value: list[Any] = [ONE]
    value.append(value)
    structure, leaves = flatten(value)
    assert [name for name, _ in leaves] == ["0", "1"]
    assert [item["kind"] for item in structure["items"]] == ["leaf", "leaf"]


def test_a_generator_is_left_unread() -> None:
    generator = iter([ONE, TWO])
    assert names(generator) == [""]
    assert next(generator) is ONE


def test_lists_and_tuples_come_back_as_they_were() -> None:
    value = [ONE, (TWO, [3, None]), ()]
    structure, leaves = flatten(value)
    again = rebuild(structure, [leaf for _, leaf in leaves])
    assert again[0] is ONE
    assert again[1] == (TWO, [3, None])
    assert again[2] == ()
    assert isinstance(again[1], tuple)


def test_a_named_tuple_comes_back_as_one() -> None:
    structure, leaves = flatten(Pair(ONE, [TWO]))
    left, right = again = rebuild(structure, [leaf for _, leaf in leaves])
    assert again.left is again[0] is left is ONE
    assert right == [TWO]
    structure["keys"] = ["__import__('os')", "left"]
    assert rebuild(structure, [ONE, TWO]) == (ONE, [TWO])


def test_fields_come_back_by_name_attribute_and_position() -> None:
    structure, leaves = flatten(BaseModelOutput(last_hidden_state=ONE, hidden_states=(TWO, THREE)))
    again = rebuild(structure, [leaf for _, leaf in leaves])
    assert isinstance(again, Record)
    assert again.last_hidden_state is again["last_hidden_state"] is again[0] is ONE
    assert again[1:] == ((TWO, THREE),)
    assert structure["class"] == "BaseModelOutput"


def test_a_field_comes_before_a_method_of_its_name() -> None:
    structure, leaves = flatten(SimpleNamespace(keys=ONE, values=[TWO], get=THREE))
    again = rebuild(structure, [leaf for _, leaf in leaves])
    assert again.keys is ONE
    assert again.get is THREE
    assert flatten(again)[1] == leaves
    assert copy.deepcopy(again).values[0].tolist() == TWO.tolist()


def test_an_absent_field_names_those_that_are_there() -> None:
    with pytest.raises(AttributeError, match="no field 'logits'; it has left, right"):
        _ = Record(left=1, right=2).logits
