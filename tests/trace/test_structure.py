from __future__ import annotations

import copy
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from porting.trace import Record, flatten, rebuild
from porting.trace.apart import Untaken
from porting.trace.structure import DEEPEST, MOST

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
        (deque([ONE, [TWO]]), ["0", "1.0"]),
        ({"a": ONE, "b": TWO}.values(), ["0", "1"]),
        ({ONE, TWO}, [""]),
        ({1: ONE, "1": TWO}, ["1 (int)", "1"]),
        ({1: ONE, "1": TWO, "1 (int)": THREE}, ["1 (int) (int)", "1", "1 (int)"]),
        (np.ones(2), [""]),
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


def reasons(value: Any) -> list[str]:
    return [leaf.why for _, leaf in flatten(value)[1] if isinstance(leaf, Untaken)]


def tensors(value: Any) -> list[str]:
    return [name for name, leaf in flatten(value)[1] if isinstance(leaf, torch.Tensor)]


def chain(length: int) -> SimpleNamespace:
    """Objects that each refer twice to the next, the last of which holds a tensor."""
    value = SimpleNamespace(end=ONE)
    for _ in range(length):
        value = SimpleNamespace(left=value, right=value)
    return value


def test_an_object_that_is_met_again_is_not_taken_apart_again() -> None:
    assert tensors(chain(24)) == [".".join(["left"] * 24) + ".end"]
    assert reasons(chain(2)) == ["the same as left.left", "the same as left"]


def test_objects_that_all_know_each_other_are_each_taken_apart_once() -> None:
    friends = [SimpleNamespace() for _ in range(11)]
    for number, friend in enumerate(friends):
        vars(friend).update({f"f{other}": each for other, each in enumerate(friends) if other != number})
    friends[5].end = ONE
    assert [name.rpartition(".")[2] for name in tensors(friends)] == ["end"]
    assert len(flatten(friends)[1]) < 11 * 11


def test_a_list_that_is_met_again_is_taken_apart_again() -> None:
    shared = [ONE, TWO]
    assert names((shared, shared)) == ["0.0", "0.1", "1.0", "1.1"]


def test_a_value_has_only_so_many_parts() -> None:
    value: list[Any] = [ONE]
    for _ in range(24):
        value = [value, value]
    assert MOST / 4 < len(flatten(value)[1]) <= MOST
    assert set(reasons(value)) == {f"not recorded: more than {MOST} parts"}
    assert reasons([0] * (MOST + 1)) == [f"not recorded: more than {MOST} parts"]


@pytest.mark.parametrize(
    "wrap", [lambda value: [value], lambda value: SimpleNamespace(x=value)], ids=["list", "object"]
)
def test_a_value_has_only_so_many_levels(wrap: Any) -> None:
    value = ONE
    for _ in range(1500):
        value = wrap(value)
    assert reasons(value) == [f"not recorded: nested deeper than {DEEPEST} levels"]


def test_a_field_that_is_not_set_is_left_out() -> None:
    @dataclass
    class Late:
        early: torch.Tensor
        late: torch.Tensor = field(init=False)

    assert names(Late(ONE)) == ["early"]


def test_a_mapping_whose_access_raises_is_a_leaf_that_says_so() -> None:
    class Closed(UserDict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise PermissionError("no access")

    assert reasons([Closed({"a": ONE})]) == ["not recorded: Closed raised PermissionError: no access"]
