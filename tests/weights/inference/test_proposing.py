from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import nn
from toys import Original, Ported, converted, make_pair

from porting import Inference, infer_rules
from porting.weights.rules import plan
from porting.weights.rules.rule import Drop
from porting.weights.source import spec

State = dict[str, torch.Tensor]


def state(shapes: Mapping[str, tuple[int, ...]]) -> State:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def holder(shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """A model with parameters of these names."""
    model = nn.Module()
    for name, shape in shapes.items():
        *path, leaf = name.split(".")
        module = model
        for part in path:
            if not hasattr(module, part):
                setattr(module, part, nn.Module())
            module = getattr(module, part)
        module.register_parameter(leaf, nn.Parameter(torch.zeros(shape)))
    return model


def made(inference: Inference, given: State) -> State:
    planned = plan(inference.rules, {name: spec(name, tensor) for name, tensor in given.items()})
    assert planned.problems == ()
    return {name: tensor for step in planned.steps for name, tensor in step.run(given.__getitem__).items()}


def test_a_fused_original_becomes_its_port() -> None:
    original, ported = make_pair()
    given = original.state_dict()
    inference = infer_rules(given, ported)
    found, wanted = made(inference, given), converted(given)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert len(inference.rules) == 10  # not one for each of 53 tensors


def test_no_tensor_is_read_without_an_original() -> None:
    with torch.device("meta"):
        original, ported = Original(), Ported()
    assert infer_rules(original.state_dict(), ported).missing == ()


def test_experts_are_stacked_and_gate_and_up_joined() -> None:
    sizes = {"w1": (5, 4), "w2": (4, 5), "w3": (5, 4)}
    given = state({f"h.{i}.moe.experts.{e}.{w}.weight": sizes[w] for i in range(2) for e in range(3) for w in sizes})
    stacked = {"gate_up_proj": (3, 10, 4), "down_proj": (3, 4, 5)}
    port = holder({f"layers.{i}.mlp.experts.{name}": stacked[name] for i in range(2) for name in stacked})
    inference = infer_rules(given, port)
    found = made(inference, given)
    expert = [given[f"h.1.moe.experts.2.{w}.weight"] for w in ("w1", "w3", "w2")]
    assert torch.equal(found["layers.1.mlp.experts.gate_up_proj"][2], torch.cat(expert[:2]))
    assert torch.equal(found["layers.1.mlp.experts.down_proj"][2], expert[2])
    assert len(inference.rules) == 2


def test_a_stacked_checkpoint_is_taken_apart() -> None:
    given = state({f"h.{i}.experts.gate_up": (3, 10, 4) for i in range(2)})
    names = [f"h.{i}.experts.{e}.{part}.weight" for i in range(2) for e in range(3) for part in ("gate", "up")]
    inference = infer_rules(given, holder(dict.fromkeys(names, (5, 4))))
    assert torch.equal(made(inference, given)["h.1.experts.2.up.weight"], given["h.1.experts.gate_up"][2, 5:])


def test_matrices_are_transposed_as_those_of_their_class_are() -> None:
    given = state({"0.kernel": (3, 5), "1.kernel": (5, 5), "2.kernel": (5, 7)})
    port = nn.Sequential(nn.Linear(3, 5, bias=False), nn.Linear(5, 5, bias=False), nn.Linear(5, 7, bias=False))
    found = made(infer_rules(given, port), given)
    assert all(torch.equal(found[f"{i}.weight"], given[f"{i}.kernel"].T) for i in range(3))


def test_square_parts_of_a_fused_matrix_are_transposed_as_the_others_are() -> None:
    given = state({"h.0.c_attn.w": (8, 24), "h.0.c_fc.w": (8, 32), "h.0.c_out.w": (32, 8)})
    wanted = {f"layers.0.attn.{q}_proj.weight": (8, 8) for q in "qkv"}
    ported = holder({**wanted, "layers.0.fc.weight": (32, 8), "layers.0.out.weight": (8, 32)})
    found = made(infer_rules(given, ported), given)
    assert torch.equal(found["layers.0.attn.q_proj.weight"], given["h.0.c_attn.w"][:, :8].T)


def test_heads_that_are_merged_are_transposed_as_the_others_are() -> None:
    given = state({"b.0.attn.query.kernel": (8, 2, 4), "b.0.fc1.kernel": (8, 32), "b.0.fc2.kernel": (32, 8)})
    shapes = {"b.0.attn.query.weight": (8, 8), "b.0.fc1.weight": (32, 8), "b.0.fc2.weight": (8, 32)}
    found = made(infer_rules(given, holder(shapes)), given)
    assert torch.equal(found["b.0.attn.query.weight"], given["b.0.attn.query.kernel"].reshape(8, 8).T)


def test_parts_of_one_shape_are_joined_although_another_lies_between_them() -> None:
    given = state({"b.0.moe.w1": (3, 8, 6), "b.0.moe.w2": (3, 6, 8), "b.0.moe.w3": (3, 8, 6)})
    ported = holder({"layers.0.mlp.experts.gate_up_proj": (3, 12, 8), "layers.0.mlp.experts.down_proj": (3, 8, 6)})
    found = made(infer_rules(given, ported), given)
    joined = torch.cat([given["b.0.moe.w1"].mT, given["b.0.moe.w3"].mT], 1)
    assert torch.equal(found["layers.0.mlp.experts.gate_up_proj"], joined)
    assert torch.equal(found["layers.0.mlp.experts.down_proj"], given["b.0.moe.w2"].mT)


def test_a_square_matrix_alone_may_be_transposed() -> None:
    inference = infer_rules(state({"a.weight": (5, 5)}), nn.ModuleDict({"a": nn.Linear(5, 5, bias=False)}))
    assert inference.proposed[0].confidence == "likely"
    assert "whether it is transposed is open" in inference.proposed[0].evidence


def test_a_weight_norm_is_folded_where_the_port_has_none() -> None:
    given = state({"conv.weight_g": (4, 1, 1), "conv.weight_v": (4, 2, 3), "conv.bias": (4,)})
    inference = infer_rules(given, nn.ModuleDict({"conv": nn.Conv1d(2, 4, 3)}))
    wanted = torch._weight_norm(given["conv.weight_v"], given["conv.weight_g"], 0)
    assert torch.allclose(made(inference, given)["conv.weight"], wanted)


def test_a_padded_vocabulary_is_cut_and_said_to_be_a_guess() -> None:
    given = state({"tok_embed.weight": (104, 6)})
    inference = infer_rules(given, nn.ModuleDict({"embed_tokens": nn.Embedding(101, 6)}))
    assert torch.equal(made(inference, given)["embed_tokens.weight"], given["tok_embed.weight"][:101])
    assert inference.proposed[0].confidence == "guess"


def test_what_nothing_takes_is_left_out_with_a_reason() -> None:
    given = state({"a.weight": (5, 3), "a.rotary.inv_freq": (2,), "extra.weight": (9, 9)})
    inference = infer_rules(given, nn.ModuleDict({"a": nn.Linear(3, 5, bias=False)}))
    reasons = {str(rule.source): rule.reason for rule in inference.rules if isinstance(rule, Drop)}
    assert reasons == {
        "a.rotary.inv_freq": "a buffer that the port computes itself",
        "extra.weight": "nothing in the port takes it",
    }


def test_what_nothing_makes_is_missing() -> None:
    inference = infer_rules(state({"a.weight": (5, 3)}), nn.ModuleDict({"a": nn.Linear(3, 5)}))
    assert (inference.missing, inference.ok, inference.exit_code) == (("a.bias",), False, 1)


def test_equal_names_are_certain_and_need_no_rule() -> None:
    _, ported = make_pair()
    inference = infer_rules(ported.state_dict(), ported)
    assert (inference.rules, inference.ok, inference.ambiguous) == ([], True, ())


@pytest.mark.parametrize("layers", [2, 3])
def test_names_that_say_nothing_leave_nothing_certain_that_is_wrong(layers: int) -> None:
    original, ported = make_pair()
    given = {f"t{number}": tensor for number, tensor in enumerate(original.state_dict().values())}
    inference = infer_rules(given, ported)
    found, wanted = made(inference, given), converted(original.state_dict())
    wrong = {name for name in wanted if name not in found or not torch.equal(found[name], wanted[name])}
    assert wrong  # else this shows nothing
    assert not {name for name in wrong if inference.words.get(name) == "certain"}


def test_fused_projections_on_both_sides_may_be_in_another_order() -> None:
    inference = infer_rules(
        state({"h.0.attn.qkv.weight": (12, 4)}), holder({"h.0.attention.query_key_value.weight": (12, 4)})
    )
    assert inference.proposed[0].confidence == "likely"


def test_the_norm_of_attention_is_the_one_before_it() -> None:
    given = state({f"layers.{i}.{n}_norm.weight": (6,) for i in range(2) for n in ("ffn", "attention")})
    names = ("input_layernorm", "post_attention_layernorm")
    found = made(infer_rules(given, holder({f"layers.{i}.{n}.weight": (6,) for i in range(2) for n in names})), given)
    assert torch.equal(found["layers.1.input_layernorm.weight"], given["layers.1.attention_norm.weight"])


def test_braces_and_dots_in_names_are_names() -> None:
    given = state({"a{i:d}.0.weight": (5, 3), "a{i:d}.1.weight": (5, 4)})
    inference = infer_rules(given, holder({"b.0.weight": (5, 3), "b.1.weight": (5, 4)}))
    assert torch.equal(made(inference, given)["b.1.weight"], given["a{i:d}.1.weight"])


@pytest.mark.parametrize(
    "name", ["0." * 50_000 + "w", "a.²." * 9 + "w", "a." + "9" * 5000 + ".w", "q" * 100_000, ".", "a..b", "a.0.b.٣.w"]
)
def test_names_of_any_kind_are_read_in_no_time(name: str) -> None:
    given = {**state({"a.weight": (5, 3)}), name: torch.zeros(7, 7)}
    inference = infer_rules(given, nn.ModuleDict({"b": nn.Linear(3, 5, bias=False), "c": nn.Linear(7, 7, bias=False)}))
    assert torch.equal(made(inference, given)["b.weight"], given["a.weight"])
    assert inference.missing == ()


def test_tens_of_thousands_of_experts_are_a_few_rules() -> None:
    sizes = {"w1": (5, 4), "w2": (4, 5), "w3": (5, 4)}
    with torch.device("meta"):
        names = {f"h.{i}.experts.{e}.{w}.weight": sizes[w] for i in range(40) for e in range(128) for w in sizes}
        given = {name: torch.empty(shape) for name, shape in names.items()}
        stacked = {"gate_up_proj": (128, 10, 4), "down_proj": (128, 4, 5)}
        port = holder({f"layers.{i}.experts.{name}": stacked[name] for i in range(40) for name in stacked})
    inference = infer_rules(given, port)
    assert (len(inference.rules), inference.missing) == (2, ())


@pytest.mark.parametrize(("layers", "word"), [(4, "certain"), (6, "likely")])
def test_lists_of_other_lengths_leave_doubt(layers: int, word: str) -> None:
    given = state({f"layers.{i}.{part}.weight": (5, 4) for i in range(layers) for part in ("query", "key")})
    port = holder({f"layers.{i}.{part}_proj.weight": (5, 4) for i in range(4) for part in ("q", "k")})
    inference = infer_rules(given, port)
    assert set(inference.words.values()) == {word}
    doubts = [why for each in inference.proposed for why in each.evidence if "lists of other lengths" in why]
    assert bool(doubts) == (word == "likely")
