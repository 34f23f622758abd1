"""A mistake with a cache is found, at its first token and with its likely cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cached_ports import (
    Decoder,
    Forgets,
    MaskHalved,
    PositionsOneTooFar,
    PositionsRestart,
    Refuses,
    WindowLost,
    decoder,
    text,
)
from checked import context_with, result_of
from torch import nn
from transformers import MistralForCausalLM

from porting.checks import CheckContext

NAME = "check_cache_equals_full_forward"


def context_of(model: nn.Module, folder: Path, given: Any = None) -> CheckContext:
    inputs = text() if given is None else given
    return context_with(folder, ported=lambda: model, inputs=lambda: inputs)


def test_a_right_decoder_is_read_in_every_way(tmp_path: Path) -> None:
    result = result_of(NAME, context_of(decoder(), tmp_path))
    assert result.status == "passed"
    assert (result.figures["texts"], result.figures["readings"]) == (2, 6)  # padded on the left too, three ways each
    assert "refused" not in result.figures


CAUSES = {
    PositionsRestart: "likely position ids: given explicitly",
    PositionsOneTooFar: "likely position ids: given explicitly",
    Forgets: "likely the cache is not used",
    MaskHalved: "likely the attention mask: without one it is right",
    Refuses: "raised TypeError on tokens of shape (2, 1) with a cache",
}


@pytest.mark.parametrize("kind", CAUSES)
def test_a_mistake_is_found_with_its_cause(kind: type[Decoder], tmp_path: Path) -> None:
    result = result_of(NAME, context_of(decoder(kind), tmp_path))
    assert result.status == "failed"
    assert CAUSES[kind] in result.message
    if kind is not Refuses:
        assert "differs from token 4 on, after 4 were read first" in result.message
        assert result.figures["first_token"] == 4


@pytest.mark.parametrize("kind", [WindowLost, MistralForCausalLM])
def test_the_window_is_passed_though_the_given_text_is_shorter(kind: type[Any], tmp_path: Path) -> None:
    result = result_of(NAME, context_of(decoder(kind, sliding_window=12), tmp_path))
    if kind is WindowLost:
        assert result.status == "failed"
        assert result.message.startswith("a text of ")
        assert int(str(result.figures["first_token"])) >= 12
    else:
        assert (result.status, result.figures["texts"]) == ("passed", 3)


def test_a_model_that_looks_ahead_is_not_read_in_pieces(tmp_path: Path) -> None:
    class Ahead(Decoder):
        def forward(self, input_ids: Any = None, past_key_values: Any = None, use_cache: Any = None, **_: Any) -> Any:
            out = super().forward(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache)
            out.logits = out.logits + out.logits.mean(1, keepdim=True)
            return out

    result = result_of(NAME, context_of(decoder(Ahead), tmp_path))
    assert (result.status, "a later token changes" in result.message) == ("skipped", True)


def test_a_model_without_a_cache_is_skipped(tmp_path: Path) -> None:
    result = result_of(NAME, context_of(nn.Linear(3, 3), tmp_path, {"input": torch.ones(1, 3)}))
    assert (result.status, "takes no cache" in result.message) == ("skipped", True)


def test_a_text_of_one_token_says_nothing(tmp_path: Path) -> None:
    class Unmasked(Decoder):
        def forward(self, input_ids: Any = None, past_key_values: Any = None, use_cache: Any = None) -> Any:
            return super().forward(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache)

    result = result_of(NAME, context_of(decoder(Unmasked), tmp_path, {"input_ids": torch.tensor([[3]])}))
    assert (result.status, "nothing comes out of the cache" in result.message) == ("skipped", True)
    longer = context_of(decoder(Unmasked), tmp_path, {"input_ids": text()["input_ids"]})
    assert result_of(NAME, longer).status == "passed"


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = decoder(PositionsRestart)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result_of(NAME, context_of(model, tmp_path))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(parameter.grad is not None for parameter in model.parameters())
