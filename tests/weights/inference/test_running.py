from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from toys import HEADS, Original, Ported, converted, make_inputs, make_pair

from porting import Inference, PortingError, capture, infer_rules
from porting.weights.rules import PermuteRope, plan
from porting.weights.source import spec

State = dict[str, torch.Tensor]


class Heads:
    """A config that says how many heads there are."""

    num_attention_heads = HEADS


def fresh() -> Ported:
    """A port that was never loaded."""
    torch.manual_seed(7)
    port = Ported().eval()
    port.config = Heads()  # type: ignore[assignment]
    return port


def outputs(original: torch.Tensor, ported: Any) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    return [("logits", original, ported["logits"])]


def infer(original: Original, given: State, port: Ported, **options: Any) -> Inference:
    original_inputs, inputs = make_inputs()
    return infer_rules(
        given, port, original=original, inputs=inputs, original_inputs=original_inputs, outputs=outputs, **options
    )


def made(inference: Inference, given: State) -> State:
    planned = plan(inference.rules, {name: spec(name, tensor) for name, tensor in given.items()})
    return {name: tensor for step in planned.steps for name, tensor in step.run(given.__getitem__).items()}


def test_a_right_proposal_is_verified_by_one_run() -> None:
    original, _ = make_pair()
    inference = infer(original, original.state_dict(), fresh())
    assert (inference.verdict, inference.trials, inference.ok) == ("match", 1, True)
    assert inference.counts == {"certain": 53, "likely": 0, "guess": 0}
    assert all(each.verified == set(each.targets) for each in inference.proposed)


def renamed(state: State, names: dict[str, str]) -> State:
    found = {}
    for name, tensor in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        found[name] = tensor
    return found


@pytest.mark.parametrize("change", ["values of keys", "norms exchanged"])
def test_what_the_names_say_wrongly_is_found_by_running(change: str) -> None:
    original, _ = make_pair()
    wanted = converted(original.state_dict())
    if change == "norms exchanged":  # the original's own names mislead
        for block in original.blocks:
            block.ln1, block.ln2 = block.ln2, block.ln1
            forward = block.forward
            block.forward = _with_norms_exchanged(block, forward)
    else:
        for block in original.blocks:
            _exchange_q_and_k(block)
    given = original.state_dict()
    inference = infer(original, given, fresh())
    assert inference.verdict == "match"
    assert inference.trials > 1
    found = made(inference, given)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def _with_norms_exchanged(block: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    def exchanged(x: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        block.ln1, block.ln2 = block.ln2, block.ln1
        try:
            result: torch.Tensor = forward(x, allowed)
        finally:
            block.ln1, block.ln2 = block.ln2, block.ln1
        return result

    return exchanged


def _exchange_q_and_k(block: Any) -> None:
    """An original whose fused projection holds keys first."""
    qkv = block.attn.qkv
    with torch.no_grad():
        for tensor in (qkv.weight, qkv.bias):
            query, key, value = tensor.detach().clone().chunk(3)
            tensor.copy_(torch.cat([key, query, value]))

    def forward(x: torch.Tensor) -> torch.Tensor:
        key, query, value = torch.nn.functional.linear(x, qkv.weight, qkv.bias).chunk(3, -1)
        return torch.cat([query, key, value], -1)

    qkv.forward = forward


@pytest.mark.parametrize("keys", [2, 1])
def test_another_rope_layout_is_found_by_running(keys: int) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "vocab_size": 61, "pad_token_id": 0}
    config = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=keys, tie_word_embeddings=False)
    torch.manual_seed(0)
    original, port = LlamaForCausalLM(config).eval(), LlamaForCausalLM(config).eval()
    wanted = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    for layer in original.model.layers:
        for projection, heads in ((layer.self_attn.q_proj, 4), (layer.self_attn.k_proj, keys)):
            _hold_pairs(projection, heads)
    given = original.state_dict()
    inputs = {"input_ids": torch.arange(1, 23).reshape(2, 11), "use_cache": False}
    inference = infer_rules(given, port, original=original, inputs=inputs)
    assert inference.verdict == "match"
    found = made(inference, given)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert any("PermuteRope" in repr(rule) for rule in inference.rules)
    alone = infer_rules(given, port)
    assert {alone.words[f"model.layers.0.self_attn.{name}_proj.weight"] for name in "qk"} == {"likely"}


def _hold_pairs(projection: Any, heads: int) -> None:
    """An original whose rows are those of rotary pairs, one after the other."""
    with torch.no_grad():
        projection.weight.copy_(PermuteRope(heads, "pairs").change(projection.weight.detach().clone()))

    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, PermuteRope(heads).change(projection.weight))

    projection.forward = forward


def test_the_port_has_its_own_weights_again() -> None:
    original, _ = make_pair()
    port = fresh()
    before = {name: tensor.clone() for name, tensor in port.state_dict().items()}
    infer(original, original.state_dict(), port)
    assert all(torch.equal(tensor, before[name]) for name, tensor in port.state_dict().items())
    assert all(parameter.requires_grad for parameter in port.parameters())


def test_a_trace_does_for_the_original() -> None:
    original, _ = make_pair()
    given, inputs = make_inputs()
    trace = capture(original, given, valid_positions=inputs["attention_mask"].bool())
    inference = infer_rules(original.state_dict(), fresh(), original=trace, inputs=inputs, outputs=outputs)
    assert inference.verdict == "match"


def test_a_port_that_is_another_model_is_no_match_and_nothing_becomes_certain() -> None:
    original, _ = make_pair()
    port = fresh()
    for layer in port.model.layers:
        layer.get_submodule("mlp").act = torch.nn.Tanh()
    alone = infer_rules(original.state_dict(), port)
    inference = infer(original, original.state_dict(), port, trials=5)
    assert inference.verdict == "mismatch"
    assert (inference.ok, inference.exit_code) == (False, 1)
    assert inference.trials <= 5
    assert inference.counts["certain"] <= alone.counts["certain"]


def test_a_port_without_data_cannot_be_run() -> None:
    original, _ = make_pair()
    with torch.device("meta"):
        port = Ported()
    with pytest.raises(PortingError, match="meta device"):
        infer(original, original.state_dict(), port)


def test_a_live_original_needs_inputs() -> None:
    original, _ = make_pair()
    with pytest.raises(PortingError, match="without inputs"):
        infer_rules(original.state_dict(), fresh(), original=original)
