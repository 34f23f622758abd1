"""Implementations of attention and arguments of the forward that change what they should not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from behaving import bert, context_for, llama, said, toy, twins
from mutants.editing import behave
from torch import nn
from transformers import LlamaForCausalLM

FLAGS = ("check_more_outputs", "check_return_tuple", "check_use_cache", "check_logits_to_keep")


@pytest.mark.parametrize("context", [toy, bert, llama])
def test_right_ports_pass(context: Callable[[], Any]) -> None:
    made = context()
    results = [said(name, made) for name in ("check_attention_implementations", *FLAGS)]
    assert {result.status for result in results} <= {"passed", "skipped"}
    assert context is toy or results[0].figures["implementations"] == "sdpa, eager"


def _scaled(model: Any, *, under: str) -> None:
    """Another scale under one implementation."""

    def forward(self: Any, usual: Any, *args: Any, **kwargs: Any) -> Any:
        before, other = self.scaling, self.config._attn_implementation == under
        try:
            self.scaling = before * (1.1 if other else 1.0)
            return usual(*args, **kwargs)
        finally:
            self.scaling = before

    behave(model.model.layers[0].self_attn, forward)


@pytest.mark.parametrize("under", ["eager", "sdpa"])
def test_implementations_that_differ_are_found_and_the_usual_one_is_set_again(under: str) -> None:
    context = llama(lambda model: _scaled(model, under=under))
    result = said("check_attention_implementations", context)
    assert result.status == "failed"
    assert result.message.startswith("eager against sdpa attention: output logits: max abs")
    model: Any = context.ported_model
    assert {model.config._attn_implementation, model.model.config._attn_implementation} == {"sdpa"}


def test_an_implementation_under_which_the_forward_raises_is_found_and_the_usual_one_is_set_again() -> None:
    def refuse(model: Any) -> None:
        def forward(self: Any, usual: Any, *args: Any, **kwargs: Any) -> Any:
            if self.config._attn_implementation == "eager":
                raise ValueError("not in this way")
            return usual(*args, **kwargs)

        behave(model.model.layers[0].self_attn, forward)

    context = llama(refuse)
    result = said("check_attention_implementations", context)
    assert result.status == "failed"
    assert "under eager attention the ported model's forward raised ValueError: not in this way" in result.message
    model: Any = context.ported_model
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(("wrong", "status"), [(0.0, "passed"), (0.01, "failed")])
def test_a_port_whose_attention_is_chosen_when_it_is_built_is_built_anew(wrong: float, status: str) -> None:
    class Fixed(LlamaForCausalLM):  # type: ignore[misc]
        @classmethod
        def _can_set_attn_implementation(cls) -> bool:
            return False

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            result = super().forward(*args, **kwargs)
            result.logits = result.logits + wrong * (self.config._attn_implementation == "eager")
            return result

    result = said("check_attention_implementations", llama(lambda model: setattr(model, "__class__", Fixed)))
    assert result.status == status
    assert wrong or result.figures["implementations"] == "sdpa, eager"


def test_a_port_that_its_config_does_not_make_again_is_not_judged_by_another_model() -> None:
    class Changed(LlamaForCausalLM):  # type: ignore[misc]
        @classmethod
        def _can_set_attn_implementation(cls) -> bool:
            return False

    def change(model: Any) -> None:
        model.__class__ = Changed
        model.model.layers[0].self_attn.scaling *= 2

    result = said("check_attention_implementations", llama(change))
    assert result.status == "skipped"
    assert "built anew it is another model" in result.message


def _altered(model: Any, *names: str) -> None:
    """Other logits when an argument asks for more."""

    def forward(self: Any, usual: Any, *args: Any, **kwargs: Any) -> Any:
        result = usual(*args, **kwargs)
        if any(kwargs.get(name) for name in names):
            result.logits = result.logits + 0.01
        return result

    behave(model, forward)


@pytest.mark.parametrize("name", ["output_hidden_states", "output_attentions"])
def test_asking_for_more_that_changes_the_rest_is_found(name: str) -> None:
    result = said("check_more_outputs", llama(lambda model: _altered(model, name)))
    assert result.status == "failed"
    assert result.message.startswith(f"{name}=True against the usual call: output logits")


def test_an_argument_that_changes_the_rest_in_the_original_too_is_no_fault_of_the_port() -> None:
    model = llama().ported_model
    _altered(model, "output_attentions")
    result = said("check_more_outputs", context_for(model, model, {"input_ids": torch.arange(5, 14)[None]}))
    assert result.status == "skipped"
    assert result.message == "output_attentions=True changes what the original returns, too"


def test_kernels_may_differ_at_padding() -> None:
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[1, :4] = 0
    context = twins(llama().ported_model, {"input_ids": torch.arange(5, 23).reshape(2, 9), "attention_mask": mask})
    result = said("check_attention_implementations", context)
    outputs = 1 + 2 * 2  # the logits, and keys and values of two layers; sdpa is not held against itself
    assert (result.status, result.figures["compared_outputs"]) == ("passed", outputs)


def test_kernels_that_draw_random_numbers_are_left_to_another_check() -> None:
    def draw(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
            noise = [torch.rand(hidden.shape, dtype=torch.float32) for _ in range(2)]
            result: torch.Tensor = usual(hidden) + noise[self.config._attn_implementation == "eager"]
            return result

        behave(model.model.layers[0].mlp, forward)

    result = said("check_attention_implementations", llama(draw))
    assert result.status == "skipped"
    assert "runs with two seeds differ, too: see check_dropout_inactive" in result.message


def test_a_tuple_in_another_order_is_found() -> None:
    def turn(model: Any) -> None:
        def forward(self: Any, usual: Any, *args: Any, return_dict: bool = True, **kwargs: Any) -> Any:
            result = usual(*args, **kwargs)
            return result if return_dict else result.to_tuple()[::-1]

        behave(model, forward)

    result = said("check_return_tuple", llama(turn))
    assert result.status == "failed"


def test_return_dict_that_is_not_heeded_is_found() -> None:
    def ignore(model: Any) -> None:
        def forward(self: Any, usual: Any, *args: Any, return_dict: bool = True, **kwargs: Any) -> Any:
            return usual(*args, **kwargs)

        behave(model, forward)

    result = said("check_return_tuple", llama(ignore))
    assert result.message == "with return_dict=False the forward returns a CausalLMOutputWithPast"


def test_a_cache_that_changes_the_result_is_found() -> None:
    assert said("check_use_cache", llama()).status == "passed"
    result = said("check_use_cache", llama(lambda model: _altered(model, "use_cache")))
    assert result.message.startswith("use_cache=True against the usual call: output logits")


def test_an_argument_that_is_declared_and_not_known_further_in_is_found() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, hidden: torch.Tensor, use_cache: bool | None = None) -> torch.Tensor:
            given = {} if use_cache is None else {"use_cache": use_cache}
            result: torch.Tensor = self.inner(hidden, **given)
            return result

    result = said("check_use_cache", twins(Wrapped(), {"hidden": torch.randn(2, 3, 4)}))
    assert result.status == "failed"
    assert "with use_cache=True the ported model's forward raised TypeError" in result.message


def test_last_logits_that_are_all_padding_are_no_objection() -> None:
    model = llama().ported_model
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[:, -2:] = 0
    inputs = {"input_ids": torch.arange(5, 23).reshape(2, 9), "attention_mask": mask}
    result = said("check_logits_to_keep", twins(model, inputs))
    assert result.status == "inconclusive"
    assert "nothing could be compared" in result.message


def test_logits_that_are_kept_from_the_wrong_end_are_found() -> None:
    def first(model: Any) -> None:
        def forward(self: Any, usual: Any, *args: Any, logits_to_keep: int = 0, **kwargs: Any) -> Any:
            result = usual(*args, **kwargs)
            result.logits = result.logits[:, :logits_to_keep] if logits_to_keep else result.logits
            return result

        behave(model, forward)

    result = said("check_logits_to_keep", llama(first))
    assert result.message.startswith("logits_to_keep=1 against the last of all logits: output logits")


def test_a_portfile_that_runs_the_port_itself_is_not_given_other_arguments() -> None:
    context = llama()
    context.portfile.functions["run_ported"] = lambda model, inputs: model(**inputs)  # type: ignore[index]
    assert {said(name, context).status for name in FLAGS} == {"skipped"}


def test_plain_modules_are_skipped_with_a_reason() -> None:
    context = toy()
    assert "no attention implementations" in said("check_attention_implementations", context).message
    assert all(said(name, context).message for name in FLAGS)


def test_ids_alone_are_not_compared() -> None:
    context = llama()
    functions: Any = context.portfile.functions
    for side in ("run_original", "run_ported"):
        functions[side] = lambda model, inputs: model.generate(**inputs, max_new_tokens=2, do_sample=False)
    for name in ("check_attention_implementations", "check_bfloat16"):
        assert said(name, context).message == "the port returns no floating-point tensor"
    assert said("check_position_ids", context).status == "skipped"
