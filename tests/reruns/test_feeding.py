from __future__ import annotations

from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from transformers import BatchEncoding, DynamicCache
from transformers.modeling_outputs import BaseModelOutput

from porting.reruns.feeding import substituted

OLD, NEW, OTHER = torch.zeros(2), torch.ones(2), torch.full((2,), 2.0)
EXCHANGE = {id(OLD): NEW}
Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Frozen:
    content: torch.Tensor
    label: str


@dataclass(slots=True)
class Slotted:
    content: list[torch.Tensor]


Reach = Callable[[Any], torch.Tensor]

CONTAINERS: dict[str, tuple[Any, Reach]] = {
    "tensor": (OLD, lambda value: value),
    "tuple": ((OTHER, OLD, None), lambda value: value[1]),
    "list": ([OTHER, (OLD,), 3], lambda value: value[1][0]),
    "dict": ({"a": [OLD], 7: "x"}, lambda value: value["a"][0]),
    "ordered dict": (OrderedDict(b=OLD, a=OTHER), lambda value: value["b"]),
    "named tuple": (Pair(OTHER, OLD), lambda value: value.right),
    "frozen dataclass": (Frozen(OLD, "x"), lambda value: value.content),
    "slotted dataclass": (Slotted([OTHER, OLD]), lambda value: value.content[1]),
    "model output": (BaseModelOutput(last_hidden_state=OLD, hidden_states=(OTHER,)), lambda value: value[0]),
    "model output, nested": (
        BaseModelOutput(last_hidden_state=OTHER, hidden_states=(OLD,)),
        lambda value: value.hidden_states[0],
    ),
    "batch encoding": (BatchEncoding({"input_ids": OLD}), lambda value: value["input_ids"]),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_tensor_is_exchanged_and_its_container_kept(kind: str) -> None:
    value, reach = CONTAINERS[kind]
    assert reach(value) is OLD
    again = substituted(value, EXCHANGE)
    assert reach(again) is NEW
    assert type(again) is type(value)
    assert reach(value) is OLD


def test_what_is_not_named_stays_the_same_object() -> None:
    values = [OTHER, None, 3, "x", torch.Size([2])]
    again = substituted(values, EXCHANGE)
    assert again[0] is OTHER
    assert again[1:] == values[1:]
    assert isinstance(again[4], torch.Size)


def test_order_is_kept() -> None:
    assert list(substituted(OrderedDict(z=OLD, a=OTHER), EXCHANGE)) == ["z", "a"]


def test_a_model_output_agrees_with_itself_afterwards() -> None:
    again = substituted(BaseModelOutput(last_hidden_state=OLD), EXCHANGE)
    assert again.last_hidden_state is again["last_hidden_state"] is again[0] is NEW
    assert again.hidden_states is None


def test_a_cache_is_left_alone() -> None:
    cache = DynamicCache()
    keys, _ = cache.update(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4), 0)
    assert substituted({"cache": cache}, {id(keys): torch.ones(1, 1, 2, 4)})["cache"] is cache
    assert cache.layers[0].keys.sum() == 0


def test_deques_and_dataclasses_with_unset_fields_are_copied() -> None:
    @dataclass
    class Late:
        early: torch.Tensor
        late: torch.Tensor = field(init=False)

    again = substituted((deque([OLD], 3), Late(OLD)), EXCHANGE)
    assert again[0][0] is again[1].early is NEW
    assert (again[0].maxlen, hasattr(again[1], "late")) == (3, False)
