"""Rules applied to a state dict: complete, without sharing memory, or an error that says what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from porting.errors import RuleError
from porting.weights import (
    Apply,
    Concatenate,
    Convert,
    Drop,
    Rename,
    Rules,
    Scale,
    Slice,
    Split,
    Transpose,
    Unstack,
    apply_rules,
)
from porting.weights.rules.operation import Operation


def test_results_are_contiguous_and_share_memory_with_nothing() -> None:
    model = nn.Linear(4, 6)
    state = {"w": model.weight, "b": model.bias, "tied": model.weight}
    rules = [
        Rename("w", "embed.w", "head.w"),
        Convert("tied", "turned", Transpose()),
        Convert("b", ["b.0", "b.1"], Split()),
    ]
    found = apply_rules(rules, state)
    pointers = {tensor.untyped_storage().data_ptr() for tensor in found.values()}
    assert len(pointers | {model.weight.data_ptr(), model.bias.data_ptr()}) == len(found) + 2
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in found.values())
    assert [tensor.untyped_storage().nbytes() for tensor in (found["b.0"], found["turned"])] == [12, 96]


def test_numbers_come_from_the_given_config() -> None:
    config = SimpleNamespace(rows=1)
    found = apply_rules([Convert("a", ["b", "c"], Split(("rows", 2)))], {"a": torch.arange(3)}, config=config)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"b": [0], "c": [1, 2]}


def test_a_mapping_and_a_function_may_leave_out_and_keep() -> None:
    state = {"a": torch.ones(1), "b": torch.ones(1), "c": torch.ones(1)}
    assert set(apply_rules({"a": "x", "b": None}, state)) == {"x", "c"}
    assert set(apply_rules(lambda name: None if name == "b" else f"m.{name}", state)) == {"m.a", "m.c"}


WRONG: list[tuple[Rules, str, str]] = [
    ([Rename("a", "x")], "no rule takes b", "Drop("),
    ([Rename("a", "x"), Rename("b", "x")], "x is made twice: from a, b", "leave one out"),
    ([Rename("a", "b"), Rename("b", "b")], "b is made twice: from a, b", "leave one out"),
    ([Convert(["a", "k"], "x", Concatenate())], "a cannot be converted: there is no k", "InsertZeros("),
    ([Convert("a", "x", Scale(2)), Drop("b", "unused")], "a cannot be converted: Scale", "Cast("),
    ([Convert("a", "x", Slice(0, "rows")), Drop("b", "unused")], "the config's rows", "config()"),
]


@pytest.mark.parametrize(("rules", "said", "hint"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_what_to_do(rules: Rules, said: str, hint: str) -> None:
    with pytest.raises(RuleError) as caught:
        apply_rules(rules, {"a": torch.ones(2, dtype=torch.int64), "b": torch.ones(2)})
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_what_is_no_tensor_is_named() -> None:
    with pytest.raises(RuleError, match="epoch of the state dict is a int"):
        apply_rules([Rename("epoch", "x")], {"epoch": 3})  # type: ignore[dict-item]


def test_a_function_that_changes_the_checkpoint_is_refused_before_it_does() -> None:
    state = {"a": torch.ones(2)}
    with pytest.raises(RuleError, match="changes the tensors of the checkpoint"):
        apply_rules([Convert("a", "b", Apply(lambda tensor: tensor.mul_(2)))], state)
    assert state["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("operation", "says"), [(Unstack(), "would make 10,000,000"), (Scale(10**400), "int too big")]
)
def test_what_no_tensor_can_become_is_one_error(operation: Operation, says: str) -> None:
    tensor = torch.empty(1, device="meta").expand(10_000_000)
    target = "b.{i}" if isinstance(operation, Unstack) else "b"
    with pytest.raises(RuleError, match=says):
        apply_rules([Convert("a", target, operation)], {"a": tensor})
