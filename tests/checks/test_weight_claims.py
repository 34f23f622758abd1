"""Each claim on the weights is refuted by the mistake that it is about, and by no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from behaving import toy
from checked import context_with, result_of
from safetensors.torch import save_file
from torch import nn
from transformers import LlamaForCausalLM
from weights.audit.silent import InTree, State, Tiny, TinyConfig, WithPlainTensor, rewrite, saved_llama

from porting.checks import CheckContext, CheckResult
from porting.weights import Drop, Rename

CLAIMS = (
    "check_weight_names",
    "check_weight_shapes",
    "check_weights_tied",
    "check_weights_used",
    "check_no_random_weights",
)
MOVE = "model.norm.weight"


class Two(nn.Module):
    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(3, 5), nn.Linear(5, 2, bias=bias)


def saved(folder: Path, state: State) -> Path:
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / "original.safetensors")
    return folder / "original.safetensors"


def refuted(context: CheckContext) -> dict[str, CheckResult]:
    return {name: result for name in CLAIMS if (result := result_of(name, context)).status == "failed"}


def two(folder: Path, state: State, rules: list[Any], **settings: Any) -> tuple[nn.Module, CheckContext]:
    model = Two(**settings)
    path = saved(folder, state)
    return model, context_with(folder, ported=lambda: model, checkpoint=lambda: path, rules=lambda: rules)


def renamed(model: nn.Module) -> tuple[State, list[Any]]:
    state = {f"net/{name}": tensor for name, tensor in model.state_dict().items()}
    return state, [Rename("net/{name:*}", "{name}")]


def test_a_right_port_refutes_none(tmp_path: Path) -> None:
    state, rules = renamed(Two())
    model, context = two(tmp_path, state, rules)
    model.load_state_dict({name.removeprefix("net/"): tensor for name, tensor in state.items()})
    assert refuted(context) == {}
    assert result_of("check_weight_names", context).figures == {"weights": 4, "matched": 4, "shared": 0}
    assert result_of("check_weights_tied", context).status == "skipped"


MISTAKES: dict[str, tuple[Callable[[State], object], set[str]]] = {
    "missing": (lambda state: state.pop("net/up.bias"), {"check_weight_names", "check_no_random_weights"}),
    "another shape": (lambda state: state.update({"net/up.bias": torch.ones(7)}), {"check_weight_shapes"}),
    "left over": (lambda state: state.update({"extra": torch.ones(7)}), {"check_weights_used"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_names_refutes_its_claim(mistake: str, tmp_path: Path) -> None:
    state, rules = renamed(Two())
    model, _ = two(tmp_path, state, rules)
    model.load_state_dict({name.removeprefix("net/"): tensor for name, tensor in state.items()})
    damage, claims = MISTAKES[mistake]
    damage(state)
    path = saved(tmp_path, state)
    found = refuted(context_with(tmp_path, ported=lambda: model, checkpoint=lambda: path, rules=lambda: rules))
    assert set(found) == claims
    for result in found.values():
        assert result.message.startswith("extra" if mistake == "left over" else "up.bias")
        assert "porting weights" in result.hint


def test_what_a_rule_leaves_out_has_its_reason(tmp_path: Path) -> None:
    state, rules = renamed(Two())
    state["extra"] = torch.ones(7)
    _, context = two(tmp_path, state, [*rules, Drop("extra", "counts the steps")])
    assert result_of("check_weights_used", context).figures["reasons_to_leave_out"] == 1


def test_a_bias_that_the_port_lacks_is_not_used(tmp_path: Path) -> None:
    state, rules = renamed(Two())
    model, context = two(tmp_path, state, rules, bias=False)
    given = {name.removeprefix("net/"): tensor for name, tensor in state.items()}
    model.load_state_dict(given, strict=False)
    assert set(refuted(context)) == {"check_weights_used"}
    assert "down.bias" in result_of("check_weights_used", context).message


def test_two_tensors_for_one_weight_collide(tmp_path: Path) -> None:
    state, rules = renamed(Two())
    state["net/final.bias"] = torch.ones(2)
    _, context = two(tmp_path, state, [Rename("net/final.bias", "down.bias"), *rules])
    assert set(refuted(context)) >= {"check_weight_names"}
    assert "COLLISION down.bias" in result_of("check_weight_names", context).message


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_config_over_a_head_of_its_own_is_refuted(tied: bool, tmp_path: Path) -> None:
    original = saved_llama(tmp_path, tie_word_embeddings=True)
    if not tied:
        rewrite(tmp_path, {**original, "lm_head.weight": original["model.embed_tokens.weight"] + 1})
    model = LlamaForCausalLM.from_pretrained(tmp_path)
    result = result_of("check_weights_tied", context_with(tmp_path, ported=lambda: model, checkpoint=lambda: tmp_path))
    assert result.status == ("passed" if tied else "failed")
    if tied:
        assert result.figures == {"declared": 1, "shared": 1}
    else:
        assert result.message.startswith("lm_head.weight should be model.embed_tokens.weight")


def test_a_head_that_the_class_forgot_to_tie_is_refuted(tmp_path: Path) -> None:
    class Forgotten(LlamaForCausalLM):  # type: ignore[misc]
        _tied_weights_keys = None

    saved_llama(tmp_path, tie_word_embeddings=True)
    model = Forgotten.from_pretrained(tmp_path)
    result = result_of("check_weights_tied", context_with(tmp_path, ported=lambda: model))
    assert result.message.startswith("tie_word_embeddings is set, and lm_head.weight is not")


@pytest.mark.parametrize(("kind", "name"), [(InTree, "layer.weight"), (Tiny, "angles"), (WithPlainTensor, "table")])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_what_loading_left_random_is_found(kind: type[Tiny], name: str, checkpoint: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    made = kind(TinyConfig())
    nn.init.uniform_(made.layer.weight)
    made.save_pretrained(tmp_path)
    extra = {"checkpoint": lambda: tmp_path} if checkpoint else {}
    context = context_with(tmp_path, ported=lambda: kind.from_pretrained(tmp_path), **extra)
    result = result_of("check_no_random_weights", context)
    assert result.status == "failed"
    assert name in result.message


def test_a_weight_that_no_file_has_is_random(tmp_path: Path) -> None:
    def ported() -> nn.Module:
        model = Two()
        nn.init.ones_(model.up.weight)
        nn.init.ones_(model.down.weight)
        nn.init.ones_(model.up.bias)
        return model

    result = result_of("check_no_random_weights", context_with(tmp_path, ported=ported))
    assert result.message.startswith("down.bias has other values; 1 tensors are not the same")


def test_rules_that_reach_no_weight_show_nothing_of_shapes(tmp_path: Path) -> None:
    state, _ = renamed(Two())
    _, context = two(tmp_path, state, [Drop("net/*", "another model's")])
    result = result_of("check_weight_shapes", context)
    assert result.status == "inconclusive"
    assert result.message.startswith("no weight of the port is in ")


def test_what_the_class_ignores_by_its_own_word_may_be_left_over(tmp_path: Path) -> None:
    state, rules = renamed(Two())
    model, _ = two(tmp_path, state, rules)
    model.load_state_dict({name.removeprefix("net/"): tensor for name, tensor in state.items()})
    path = saved(tmp_path, {**state, "extra.position_ids": torch.ones(7)})
    context = context_with(tmp_path, ported=lambda: model, checkpoint=lambda: path, rules=lambda: rules)
    assert result_of("check_weights_used", context).status == "failed"
    model._keys_to_ignore_on_load_unexpected = [r"position_ids$"]  # type: ignore[assignment]
    assert result_of("check_weights_used", context).status == "passed"


def test_a_model_that_is_not_built_anew_is_held_against_the_original() -> None:
    result = result_of("check_no_random_weights", toy())
    assert (result.status, result.figures["evidence"]) == ("passed", "original")
    other = toy(lambda model: nn.init.normal_(model.model.layers[0].mlp.up.weight))
    result = result_of("check_no_random_weights", other)
    assert (result.status, "what is random does not show" in result.message) == ("skipped", True)


def test_names_that_nothing_translates_are_no_claim(tmp_path: Path) -> None:
    state, _ = renamed(Two())
    model, path = Two(), saved(tmp_path, state)
    context = context_with(tmp_path, ported=lambda: model, checkpoint=lambda: path)
    result = result_of("check_weight_names", context)
    assert result.status == "skipped"
    assert "weights --infer" in result.message
