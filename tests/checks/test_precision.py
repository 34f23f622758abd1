"""Half precision that loses more than it has to, overflows or raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from behaving import SMALL, bert, context_for, llama, said, twins
from mutants.editing import behave
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5EncoderModel

from porting.behaviour.lowered import lowered, rounding_to

CHECKS = ("check_bfloat16", "check_float16")


@pytest.mark.parametrize("context", [bert, llama])
@pytest.mark.parametrize("name", CHECKS)
def test_right_ports_pass_and_are_left_as_they_were(context: Callable[[], Any], name: str) -> None:
    made = context()
    before = {key: tensor.clone() for key, tensor in made.ported_model.state_dict().items()}
    result = said(name, made)
    assert result.status == "passed"
    after = made.ported_model.state_dict()
    assert all(torch.equal(tensor, after[key]) and tensor.dtype is after[key].dtype for key, tensor in before.items())
    figures = dict(result.figures)
    assert 0 < float(figures["relative_error"] or 0) < 3 * float(figures["explained"] or 0)


def test_a_mask_that_float16_cannot_hold_is_found_where_it_is() -> None:
    """Minus a billion is Inf in float16, and 0 times Inf is not a number."""

    def overflow(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor, **kwargs: Any) -> Any:
            result = usual(hidden, **kwargs)
            penalty = torch.zeros(1, dtype=hidden.dtype) * torch.tensor(-1e9).to(hidden.dtype)
            return (result[0] + penalty, *result[1:])

        behave(
            model.model.layers[1].self_attn, lambda self, usual, *args, **kwargs: _kept(forward, self, usual, kwargs)
        )

    context = llama(overflow)
    assert said("check_bfloat16", context).status == "passed"
    result = said("check_float16", context)
    assert result.status == "failed"
    assert result.message.startswith("model.layers.1.self_attn gives NaN or Inf in float16")


def _kept(forward: Callable[..., Any], module: Any, usual: Any, kwargs: dict[str, Any]) -> Any:
    hidden = kwargs.pop("hidden_states")
    return forward(module, lambda states, **more: usual(hidden_states=states, **more), hidden, **kwargs)


def test_a_module_that_loses_more_than_the_dtype_explains_is_found() -> None:
    """A sum that is built up far from zero in the dtype of the hidden states, and taken away again."""

    def lose(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            far = usual(hidden) + (torch.tensor(1000.0).to(hidden.dtype) if hidden.element_size() == 2 else 0.0)
            return far - (1000.0 if hidden.element_size() == 2 else 0.0)

        behave(model.model.layers[0].mlp, forward)

    result = said("check_bfloat16", llama(lose))
    assert result.status == "failed"
    assert result.message.startswith("model.layers.0.mlp loses more in bfloat16 than the dtype explains")
    assert "With every result rounded to bfloat16" in result.message


def test_a_tensor_of_a_fixed_dtype_raises_where_the_original_does_not() -> None:
    def fix(model: Any) -> None:
        behave(model.model.layers[0].mlp, lambda self, usual, hidden: usual(hidden + torch.ones(1, 1, 1)))

    result = said("check_bfloat16", llama(fix))
    assert result.status == "failed"
    assert "; the original runs in it" in result.message


class Large(nn.Module):
    """Goes past what float16 holds, and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(self.up(hidden) * 1e6) * 1e-6
        return result


@pytest.mark.parametrize("live", [True, False])
def test_activations_past_the_range_of_float16_are_not_the_ports_fault(live: bool) -> None:
    constants = {} if live else {"ORIGINAL_TRACE": "traces"}
    context = context_for(Large().eval(), Large().eval(), {"hidden": torch.randn(2, 4)}, **constants)
    result = said("check_float16", context)
    assert result.status == "skipped"
    assert ("neither is the original's" if live else "ends at 6.55e+04") in result.message


def test_an_overflow_that_the_original_avoids_is_the_ports_fault() -> None:
    class Small(Large):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = nn.functional.linear(self.up(hidden), self.down.weight, self.down.bias * 1e-6)
            return result

    ported = Large().eval()
    original = Small().eval()
    original.load_state_dict(ported.state_dict())
    result = said("check_float16", context_for(original, ported, {"hidden": torch.randn(2, 4)}))
    assert result.status == "failed"
    assert "gives NaN or Inf in float16" in result.message


def test_what_the_original_loses_too_is_not_held_against_the_port() -> None:
    """In half precision alone, a few bits are kept."""

    class Coarse(nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            result = super().forward(hidden)
            return result if result.dtype is not torch.bfloat16 else (result * 4).round() / 4

    coarse, plain = Coarse(8, 8).eval(), nn.Linear(8, 8).eval()
    plain.load_state_dict(coarse.state_dict())
    inputs = {"hidden": torch.randn(3, 8, generator=torch.Generator().manual_seed(0))}
    assert said("check_bfloat16", context_for(coarse, coarse, inputs)).status == "passed"
    alone = context_for(plain, coarse, inputs, {"input": inputs["hidden"]})
    assert said("check_bfloat16", alone).status == "failed"


def test_a_port_in_half_precision_is_skipped() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SMALL)).to(torch.bfloat16)
    context = twins(model, {"input_ids": torch.arange(5, 14)[None]})
    assert {said(name, context).message for name in CHECKS} == {"the port has parameters in bfloat16 as it is"}


def test_what_a_model_keeps_in_float32_stays() -> None:
    model = T5EncoderModel(T5Config(vocab_size=11, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    kept = [name for name, _ in model.named_parameters() if ".wo." in name]
    for dtype, expected in ((torch.float16, kept), (torch.bfloat16, [])):
        with lowered(model, dtype):
            assert [name for name, each in model.named_parameters() if each.dtype is torch.float32] == expected
    assert {each.dtype for each in model.parameters()} == {torch.float32}


def test_results_are_rounded_and_saturate_without_touching_the_model() -> None:
    linear = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0001, 0.0], [0.0, 1e6]]))
    with torch.no_grad(), rounding_to(linear, torch.float16):
        result = linear(torch.ones(1, 2))
    assert result.tolist() == [[1.0, 65504.0]]
    assert float(linear.weight.detach()[1, 1]) == 1e6
