from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from porting.reinit.relations import Relations
from porting.reinit.slots import slots_of
from porting.reinit.values import new_values

Tensors = dict[str, torch.Tensor]


def module(tensors: Tensors) -> nn.Module:
    """A model that holds these parameters, in modules by their dotted names."""
    model = nn.Module()
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        parts = path.split(".") if path else []
        owner = model
        for part in parts:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        owner.register_parameter(leaf, nn.Parameter(tensor.clone()))
    return model


def related(original: Tensors, ported: Tensors, pairs: list[tuple[str, str]] | None = None) -> Relations:
    return Relations(slots_of(module(original))[0], slots_of(module(ported))[0], pairs or [])


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


Q, K, V = (noise(8, 8) + i for i in range(3))
QB, KB, VB = (noise(8) + i for i in range(3))
Convert = Callable[[Tensors], Tensors]


@pytest.mark.parametrize(
    ("original", "convert"),
    [
        ({"a.w": noise(8, 6)}, lambda t: {"b.v": t["a.w"]}),
        ({"a.w": noise(8, 6)}, lambda t: {"b.v": t["a.w"].T}),
        ({"a.w": noise(8, 6, 3)}, lambda t: {"b.v": t["a.w"].permute(2, 0, 1)}),
        ({"a.w": noise(8, 6)}, lambda t: {"b.v": t["a.w"][None]}),
        ({"a.w": noise(8, 6)}, lambda t: {"b.v": t["a.w"].flip(0)}),
        ({"q.w": Q, "k.w": K, "v.w": V}, lambda t: {"qkv.w": torch.cat([t["q.w"], t["k.w"], t["v.w"]])}),
        ({"q.w": Q, "k.w": K}, lambda t: {"qk.w": torch.cat([t["q.w"], t["k.w"]]).T}),
        (
            {"qkv.w": torch.cat([Q, K, V])},
            lambda t: dict(zip(("q.w", "k.w", "v.w"), t["qkv.w"].chunk(3), strict=True)),
        ),
        ({"e0.w": Q, "e1.w": K}, lambda t: {"experts.w": torch.stack([t["e0.w"], t["e1.w"]])}),
        ({"e0.w": Q, "e1.w": K}, lambda t: {"experts.w": torch.stack([t["e0.w"].T, t["e1.w"].T])}),
        ({"q.w": Q, "k.w": K}, lambda t: {"qk.w": torch.stack([t["q.w"], t["k.w"]], 1).flatten(0, 1)}),
        (
            {"q.w": Q, "q.b": QB, "k.w": K, "k.b": KB},
            lambda t: {"qk.w": torch.cat([t["q.w"], t["k.w"]]), "qk.b": torch.cat([t["q.b"], t["k.b"]])},
        ),
        (
            {"qk.w": torch.cat([Q, K]), "qk.b": torch.zeros(16)},
            lambda t: {"q.w": t["qk.w"][:8], "q.b": t["qk.b"][:8], "k.w": t["qk.w"][8:], "k.b": t["qk.b"][8:]},
        ),
        (
            {"qk.w": torch.cat([Q, K]), "qk.b": torch.zeros(16), "other.b": torch.zeros(16)},
            lambda t: {"x.w": t["qk.w"].flip(0), "x.b": t["qk.b"].flip(0), "y.b": t["other.b"]},
        ),
        (
            {"qk.w": torch.cat([Q, K]), "qk.b": torch.zeros(16), "norm.b": torch.zeros(8)},
            lambda t: {"q.w": t["qk.w"][:8], "q.b": t["qk.b"][:8], "n.b": t["norm.b"]},
        ),
    ],
)
def test_new_values_arrive_as_a_conversion_would_bring_them(original: Tensors, convert: Convert) -> None:
    relations = related(original, convert(original))
    assert relations.unknown == []
    new = {slot.full: new_values(slot, 0) for slot in slots_of(module(original))[0]}
    expected = convert(new)
    assert all(torch.equal(relations.found[name].make(new), expected[name]) for name in expected)


def test_constants_follow_the_alignment_and_without_it_stay() -> None:
    original = {"one.g": torch.ones(6), "two.g": torch.ones(6)}
    ported = {"first.w": torch.ones(6), "second.w": torch.ones(6)}
    assert len(related(original, ported).unknown) == 2
    relations = related(original, ported, [("one", "first"), ("two", "second")])
    assert {name: relation.sources for name, relation in relations.found.items()} == {
        "first.w": ("one.g",),
        "second.w": ("two.g",),
    }


def test_a_constant_with_a_single_counterpart_needs_no_alignment() -> None:
    relations = related({"token": torch.zeros(1, 1, 6)}, {"cls": torch.zeros(1, 6)})
    assert relations.found["cls"].sources == ("token",)


def test_other_values_have_no_relation() -> None:
    relations = related({"a.w": Q}, {"a.w": K})
    assert [slot.full for slot in relations.unknown] == ["a.w"]


def test_a_table_that_every_layer_of_the_original_holds_stays_the_same_in_all() -> None:
    relations = related({"a.table": noise(6), "b.table": noise(6)}, {"table": noise(6)}, [("a", "")])
    assert relations.found["table"].sources == ("a.table",)
    assert relations.twins == {"b.table": "a.table"}
