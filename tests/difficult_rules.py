"""Rules that are hard to say in Transformers' words, each with an original's checkpoint and a port."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from porting.weights import (
    Concatenate,
    Convert,
    Copy,
    Drop,
    Flip,
    FoldWeightNorm,
    Rename,
    Scale,
    Split,
    Stack,
    Transpose,
    Unstack,
)
from porting.weights.rules.rule import Rule

State = dict[str, torch.Tensor]
Case = tuple[Any, State, list[Rule]]


def port(name: str, shapes: Mapping[str, tuple[int, ...]], buffers: Collection[str] = ()) -> Any:
    """A model with these parameters and buffers; its class can be imported from here."""

    class Config(PretrainedConfig):  # type: ignore[misc]
        model_type = f"difficult-{name.lower()}"

    class Port(PreTrainedModel):  # type: ignore[misc]
        config_class = Config
        base_model_prefix = "base"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            for full, shape in shapes.items():
                path, _, leaf = full.rpartition(".")
                owner = made(self, path.split("."))
                if full in buffers:
                    owner.register_buffer(leaf, torch.zeros(shape))
                else:
                    owner.register_parameter(leaf, nn.Parameter(torch.zeros(shape)))
            self.post_init()

    for kind, given in ((Config, f"{name}Config"), (Port, f"{name}Port")):
        kind.__name__ = kind.__qualname__ = given
        globals()[given] = kind
    return Port(Config())


def made(owner: nn.Module, path: Iterable[str]) -> nn.Module:
    for piece in path:
        if not hasattr(owner, piece):
            owner.add_module(piece, nn.Module())
        owner = getattr(owner, piece)
    return owner


def values(**shapes: tuple[int, ...]) -> State:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def one_leaf_two_operations() -> Case:
    """The same words in encoder and decoder, where one has equal pieces and the other has not."""
    layers = list(product(("encoder", "decoder"), range(2)))
    shapes = {
        f"model.{s}.layers.{i}.attn.{n}": (4 if s[0] == "e" or n == "q" else 2, 3) for s, i in layers for n in "qkv"
    }
    state = values(**{f"{s}.{i}.attn.qkv": (12 if s[0] == "e" else 8, 3) for s, i in layers})
    sizes = {"encoder": None, "decoder": (4, 2, 2)}
    rules: list[Rule] = [
        Convert(f"{s}.{{i:d}}.attn.qkv", [f"model.{s}.layers.{{i}}.attn.{n}" for n in "qkv"], Split(size))
        for s, size in sizes.items()
    ]
    return port("Leaf", shapes), state, rules


def same_targets_other_operations() -> Case:
    shapes = {f"{s}.{i}.q.weight": (4, 3) for s in ("enc", "dec") for i in range(2)}
    state = values(**{f"{s}_{i}_w": (3, 4) if s == "enc" else (4, 3) for s in ("enc", "dec") for i in range(2)})
    rules: list[Rule] = [
        Convert("enc_{i:d}_w", "enc.{i}.q.weight", Transpose()),
        Convert("dec_{i:d}_w", "dec.{i}.q.weight", Flip(0)),
    ]
    return port("Same", shapes), state, rules


def anything_after_one() -> Case:
    state = values(**{"a.w": (2,), "b.c.w": (2,), "out.w": (3,)})
    rules: list[Rule] = [Rename("out.w", "head.w"), Rename("{rest:*}", "model.{rest}")]
    return port("Rest", {"model.a.w": (2,), "model.b.c.w": (2,), "head.w": (3,)}), state, rules


def pieces_that_are_buffers() -> Case:
    state = values(**{"t.xy": (5, 2), "t.w": (2,)})
    rules: list[Rule] = [Convert("t.xy", ["a.x", "a.y"], Split((3, 2))), Rename("t.w", "b.w")]
    return port("Buffers", {"a.x": (3, 2), "a.y": (2, 2), "b.w": (2,)}, ("a.x", "a.y")), state, rules


def joined_of_unequal_pieces() -> Case:
    state = values(**{f"o.{i}.{n}": (3 if n == "a" else 2, 2) for i in range(2) for n in "ab"})
    rules: list[Rule] = [Convert(["o.{i:d}.a", "o.{i:d}.b"], "l.{i}.ab", Concatenate())]
    return port("Unequal", {f"l.{i}.ab": (5, 2) for i in range(2)}), state, rules


def several_to_several() -> Case:
    state = values(**{f"o.{i}.{n}": (4, 2) for i in range(2) for n in ("m0", "m1")})
    rules: list[Rule] = [Convert(["o.{i:d}.m0", "o.{i:d}.m1"], ["l.{i}.k", "l.{i}.v"], Concatenate(), Split(groups=2))]
    return port("Several", {f"l.{i}.{n}": (4, 2) for i in range(2) for n in "kv"}), state, rules


def layers_of_other_widths() -> Case:
    state = values(**{f"o.{i}.qk": (4 + 2 * i, 2) for i in range(3)})
    rules: list[Rule] = [Convert("o.{i:d}.qk", ["l.{i}.q", "l.{i}.k"], Split())]
    return port("Widths", {f"l.{i}.{n}": (2 + i, 2) for i in range(3) for n in "qk"}), state, rules


def a_name_within_another() -> Case:
    shapes = {f"norm_layers.{i}.{n}": (2, 2) for i in range(2) for n in ("norm", "norm_b")}
    rules: list[Rule] = [Convert("o.{i:d}.nn", ["norm_layers.{i}.norm", "norm_layers.{i}.norm_b"], Split())]
    return port("Within", shapes), values(**{f"o.{i}.nn": (4, 2) for i in range(2)}), rules


def more_experts_than_ten() -> Case:
    state = values(**{f"o.{i}.ex{e}.w": (2, 2) for i in range(2) for e in range(12)})
    rules: list[Rule] = [Convert("o.{i:d}.ex{e:d}.w", "l.{i}.e", Stack())]
    return port("Experts", {f"l.{i}.e": (12, 2, 2) for i in range(2)}), state, rules


def experts_taken_apart() -> Case:
    shapes = {f"l.{i}.ex.{e}.{n}.weight": (2, 3) for i in range(2) for e in range(3) for n in "gu"}
    targets = ["l.{i}.ex.{e}.g.weight", "l.{i}.ex.{e}.u.weight"]
    rules: list[Rule] = [Convert("o.{i:d}.gu", targets, Split(dim=1), Unstack())]
    return port("Apart", shapes), values(**{f"o.{i}.gu": (3, 4, 3) for i in range(2)}), rules


def words_that_transformers_renames() -> Case:
    """``weight_g`` and ``LayerNorm.gamma`` get other names in every model before a converter sees them."""
    shapes = {f"c.{i}.weight": (4, 3, 2) for i in range(2)} | {f"l.{i}.LayerNorm.weight": (2,) for i in range(2)}
    state = values(
        **{f"c.{i}.conv.weight_v": (4, 3, 2) for i in range(2)},
        **{f"c.{i}.conv.weight_g": (1, 3, 1) for i in range(2)},
        **{f"o.{i}.LayerNorm.gamma": (2,) for i in range(2)},
    )
    rules: list[Rule] = [
        Convert(["c.{i:d}.conv.weight_g", "c.{i:d}.conv.weight_v"], "c.{i}.weight", FoldWeightNorm(1)),
        Convert("o.{i:d}.LayerNorm.gamma", "l.{i}.LayerNorm.weight", Scale(2.0)),
    ]
    return port("Words", shapes), state, rules


def numbers_in_another_order() -> Case:
    state = values(
        **{f"o.{a}.{b}.w": (2,) for a in range(2) for b in range(3)}, **{f"b{i}.x{i}.w": (2,) for i in range(2)}
    )
    rules: list[Rule] = [Rename("o.{a:d}.{b:d}.w", "s.{b}.{a}.w"), Rename("b{i:d}.x{i}.w", "l.{i}.w")]
    shapes = {f"s.{b}.{a}.w": (2,) for a in range(2) for b in range(3)} | {f"l.{i}.w": (2,) for i in range(2)}
    return port("Order", shapes), state, rules


def a_copy() -> Case:
    rules: list[Rule] = [Convert("e", ["emb.w", "head.w"], Copy())]
    return port("Copy", {"emb.w": (3, 2), "head.w": (3, 2)}), values(e=(3, 2)), rules


CASES = [
    one_leaf_two_operations,
    same_targets_other_operations,
    anything_after_one,
    pieces_that_are_buffers,
    joined_of_unequal_pieces,
    several_to_several,
    layers_of_other_widths,
    a_name_within_another,
    more_experts_than_ten,
    experts_taken_apart,
    words_that_transformers_renames,
    numbers_in_another_order,
    a_copy,
]


def shifted() -> Case:
    state = values(**{f"layers.{i + 1}.w": (2,) for i in range(3)})
    return (
        port("Shift", {f"layers.{i}.w": (2,) for i in range(3)}),
        state,
        [Rename("layers.{i:d}.w", "layers.{i-1}.w")],
    )


def exchanged() -> Case:
    rules: list[Rule] = [Rename("a.w", "b.w"), Rename("b.w", "a.w")]
    return port("Exchange", {"a.w": (2,), "b.w": (2,)}), values(**{"a.w": (2,), "b.w": (2,)}), rules


def dropped_under_a_name_of_the_port() -> Case:
    rules: list[Rule] = [Rename("x", "a.w"), Drop("a.w", "old")]
    return port("Dropped", {"a.w": (2,)}), values(**{"x": (2,), "a.w": (2,)}), rules


def experts_in_an_order_of_letters() -> Case:
    """Transformers sorts numbers only in pieces between dots, so expert 10 comes before expert 2."""
    state = values(**{f"o/ex{e}/w": (2, 2) for e in range(12)})
    return port("Letters", {"l.e": (12, 2, 2)}), state, [Convert("o/ex{e:d}/w", "l.e", Stack())]


def renamed_by_transformers_first() -> Case:
    """Transformers gives the parts of a weight norm other names before any converter is asked."""
    state = values(**{"c.weight_g": (4, 1), "c.weight_v": (4, 3)})
    rules: list[Rule] = [Convert(["c.weight_g", "c.weight_v"], "conv.weight", FoldWeightNorm())]
    return port("Normed", {"conv.weight": (4, 3)}), state, rules


NO_MAPPINGS = [
    shifted,
    exchanged,
    dropped_under_a_name_of_the_port,
    experts_in_an_order_of_letters,
    renamed_by_transformers_first,
]
"""What no list of transforms can say."""
