"""Alignment of two traces of models that are named, nested and fused differently."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from toys import LAYERS, make_inputs, make_pair

from porting import verify
from porting.alignment import Alignment, align
from porting.errors import PortfileError
from porting.hooks.capturing import capture
from porting.runs import Inputs


def aligned(original: nn.Module, ported: nn.Module, module_map: dict[str, str] | None = None) -> Alignment:
    first, second = make_inputs()
    return align(capture(original, first), capture(ported, second), module_map)


def expected_pairs() -> set[tuple[str, str]]:
    pairs = {("", ""), ("tok", "model.embed_tokens"), ("pos", "model.embed_positions"), ("norm", "model.norm")}
    pairs.add(("head", "lm_head"))
    names = {
        "": "", ".ln1": ".input_layernorm", ".ln2": ".post_attention_layernorm", ".attn": ".self_attn",
        ".attn.out": ".self_attn.o_proj", ".fc1": ".mlp.up", ".fc2": ".mlp.down",
    }  # fmt: skip
    for layer in range(LAYERS):
        pairs |= {(f"blocks.{layer}{one}", f"model.layers.{layer}{other}") for one, other in names.items()}
    return pairs


def test_finds_every_counterpart_under_other_names() -> None:
    alignment = aligned(*make_pair())
    assert set(alignment.pairs) == expected_pairs()


def test_a_fused_projection_is_one_group_with_its_parts() -> None:
    alignment = aligned(*make_pair())
    groups = [group for group in alignment.groups if group.original == ("blocks.1.attn.qkv",)]
    assert len(groups) == 1
    assert groups[0].ported == tuple(f"model.layers.1.self_attn.{name}_proj" for name in "qkv")
    assert "blocks.1.attn.qkv" not in dict(alignment.pairs)


def test_modules_on_one_side_only_stay_unmatched() -> None:
    alignment = aligned(*make_pair())
    assert alignment.unmatched_original == ()
    assert "model.layers.0.mlp.act" in alignment.unmatched_ported


def test_works_in_the_other_direction() -> None:
    original, ported = make_pair()
    first, second = make_inputs()
    alignment = align(capture(ported, second), capture(original, first))
    assert set(alignment.pairs) == {(other, one) for one, other in expected_pairs()}


def test_an_unloaded_weight_is_aligned_by_its_place() -> None:
    original, ported = make_pair()
    nn.init.normal_(ported.get_parameter("model.layers.1.mlp.down.weight"))
    assert ("blocks.1.fc2", "model.layers.1.mlp.down") in aligned(original, ported).pairs


def test_a_transposed_matrix_is_the_same_weight() -> None:
    class Conv1D(nn.Module):
        def __init__(self, linear: nn.Linear) -> None:
            super().__init__()
            self.weight = nn.Parameter(linear.weight.detach().t().clone())
            self.bias = nn.Parameter(linear.bias.detach().clone())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight + self.bias

    torch.manual_seed(0)
    ported = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4))
    original = nn.Sequential(Conv1D(ported[0]), Conv1D(ported[2]))  # type: ignore[arg-type]
    x = (torch.randn(2, 6),)
    alignment = align(capture(original, x), capture(ported, x))
    assert {("0", "0"), ("1", "2")} <= set(alignment.pairs)
    (group,) = (group for group in alignment.groups if group.original == ("0",))
    assert group.evidence.startswith("weights, transposed; the same inputs and results")
    assert group.confidence == 1.0


class OwnBias(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.decoder = nn.Linear(5, 5), nn.Linear(5, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.decoder(self.dense(x))
        return result


class AddedBias(nn.Module):
    def __init__(self, own: OwnBias) -> None:
        super().__init__()
        self.dense, self.decoder = own.dense, nn.Linear(5, 7, bias=False)
        self.decoder.weight.data = own.decoder.weight.detach().clone()
        self.bias = nn.Parameter(own.decoder.bias.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.decoder(self.dense(x)) + self.bias
        return result


@pytest.mark.parametrize("nest", [lambda model: model, nn.Sequential])
def test_a_bias_that_the_parent_adds_is_no_difference(nest: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    own = OwnBias()
    one, other = nest(own), nest(AddedBias(own))
    assert verify(one, other, (torch.randn(2, 5),)).verdict == "match"
    assert verify(other, one, (torch.randn(2, 5),)).verdict == "match"


@pytest.mark.parametrize("unloaded", ["decoder.weight", "bias"])
def test_a_weight_that_is_not_loaded_is_one(unloaded: str) -> None:
    torch.manual_seed(0)
    own = OwnBias()
    ported = AddedBias(own)
    nn.init.normal_(ported.get_parameter(unloaded))
    verification = verify(nn.Sequential(own), nn.Sequential(ported), (torch.randn(2, 5),))
    assert verification.verdict == "mismatch"
    assert verification.culprits[0].ported == "0.decoder"


def test_equal_constant_norms_are_told_apart_by_order() -> None:
    torch.manual_seed(0)
    blocks = [layer for _ in range(3) for layer in (nn.Linear(8, 8), nn.LayerNorm(8))]
    original = nn.Sequential(*blocks)
    pairs = (nn.Sequential(*pair) for pair in zip(blocks[::2], blocks[1::2], strict=True))
    ported = nn.ModuleDict({"stack": nn.Sequential(*pairs)})
    x = (torch.randn(2, 8),)
    second = capture(ported, x, run=lambda model, inputs: model.get_submodule("stack")(*inputs.args))
    alignment = align(capture(original, x), second)
    assert {("1", "stack.0.1"), ("3", "stack.1.1"), ("5", "stack.2.1")} <= set(alignment.pairs)


def test_weights_exchanged_between_equally_named_trees_do_not_exchange_the_modules() -> None:
    original, _ = make_pair()
    ported, _ = make_pair()
    state = ported.state_dict()
    state["blocks.0.fc1.weight"], state["blocks.1.fc1.weight"] = (
        state["blocks.1.fc1.weight"].clone(),
        state["blocks.0.fc1.weight"].clone(),
    )
    ported.load_state_dict(state)
    first, _ = make_inputs()
    pairs = align(capture(original, first), capture(ported, first)).pairs
    assert all(one == other for one, other in pairs)


def test_the_one_dropout_of_a_port_is_the_one_that_is_given_the_same() -> None:
    class Original(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.drop1, self.feed, self.drop2 = nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4), nn.Dropout()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x + self.drop1(self.mix(x)[None])[0]
            result: torch.Tensor = x + self.drop2(self.feed(x))
            return result

    class Ported(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.drop, self.feed = nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x + self.drop(self.mix(x))
            result: torch.Tensor = x + self.feed(x)
            return result

    torch.manual_seed(0)
    original, ported = Original().eval(), Ported().eval()
    ported.load_state_dict(original.state_dict())
    verification = verify(original, ported, (torch.randn(3, 4),))
    assert verification.verdict == "match"
    assert ("drop1", "drop") in verification.comparison.alignment.pairs


def test_what_runs_in_a_later_step_only_is_matched_too() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Linear(4, 4)
            self.decoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def run(model: nn.Module, inputs: Inputs) -> torch.Tensor:
        encoded = model.get_submodule("encoder")(*inputs.args)
        result: torch.Tensor = model.get_submodule("decoder")(encoded)
        return result

    torch.manual_seed(0)
    one, other = (capture(model, (torch.randn(2, 4),), run=run) for model in [Steps()] * 2)
    assert ("decoder.1", "decoder.1") in align(one, other).pairs


def test_the_users_map_overrules_the_weights() -> None:
    alignment = aligned(*make_pair(), {"blocks.0.fc1": "model.layers.2.mlp.up"})
    assert dict(alignment.pairs)["blocks.0.fc1"] == "model.layers.2.mlp.up"
    assert "blocks.2.fc1" not in dict(alignment.pairs)


@pytest.mark.parametrize(
    ("module_map", "named"),
    [
        ({"nowhere": "lm_head"}, "nowhere"),
        ({"head": "nobody"}, "nobody"),
        ({"head": "lm_head", "norm": "lm_head"}, "two"),
    ],
)
def test_a_map_to_nowhere_is_refused(module_map: dict[str, str], named: str) -> None:
    with pytest.raises(PortfileError, match=named):
        aligned(*make_pair(), module_map)


def test_unrelated_models_share_nothing_but_the_root() -> None:
    torch.manual_seed(0)
    x = (torch.randn(2, 5),)
    alignment = align(capture(nn.Sequential(nn.Linear(5, 7)), x), capture(nn.Sequential(nn.Linear(5, 3)), x))
    assert alignment.pairs == (("", ""),)


class Whole(nn.Module):
    """Attention as ``nn.MultiheadAttention`` holds it: it never calls the projection behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.act = nn.Tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.act(self.attn(x, x, x, need_weights=False)[0]))


class InParts(nn.Module):
    def __init__(self, whole: Whole) -> None:
        super().__init__()
        self.attention = nn.Module()
        state = whole.attn.state_dict()
        for number, name in enumerate("qkv"):
            self.attention.add_module(name, linear(state["in_proj_weight"].chunk(3)[number]))
        self.attention.add_module("out", linear(state["out_proj.weight"]))
        self.attention.__class__ = Parts
        self.act = nn.Tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.act(self.attention(x)))


class Parts(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = (self.get_submodule(name)(x).unflatten(-1, (2, 4)).transpose(1, 2) for name in "qkv")
        mixed = nn.functional.scaled_dot_product_attention(*heads)
        return torch.as_tensor(self.get_submodule("out")(mixed.transpose(1, 2).flatten(2)))


def linear(weight: torch.Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0])
    nn.init.zeros_(made.bias)
    made.weight = nn.Parameter(weight.clone())
    return made


def test_a_module_that_holds_another_is_no_fused_projection_even_if_it_never_calls_it() -> None:
    torch.manual_seed(0)
    whole = Whole().eval()
    inputs = Inputs((torch.randn(2, 5, 8),))
    alignment = align(capture(whole, inputs), capture(InParts(whole).eval(), inputs))
    assert set(alignment.pairs) == {("", ""), ("attn", "attention"), ("act", "act")}
