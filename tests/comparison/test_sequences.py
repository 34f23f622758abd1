"""An encoder's and a decoder's positions, in tensors of either."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from porting import Trace, capture
from porting.comparison import Positions
from porting.runs import Inputs

FIRST = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
SECOND = torch.tensor([[True] * 5, [False] * 2 + [True] * 3])


class Reading(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.linear = nn.Embedding(9, 4), nn.Linear(4, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.linear(self.embed(ids))
        return result


class Writing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.key, self.out = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, ids: torch.Tensor, encoder_hidden_states: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        weights = (x @ self.key(encoder_hidden_states).transpose(1, 2)).softmax(-1)
        result: torch.Tensor = self.out(weights @ encoder_hidden_states)
        return result


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Reading(), Writing()

    def forward(
        self,
        input_ids: torch.Tensor,
        decoder_input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        states = self.encoder(input_ids)
        return {"logits": self.decoder(decoder_input_ids, states), "encoder_last_hidden_state": states}


def run(decoded: int = 5, valid: torch.Tensor | None = None, **masks: torch.Tensor) -> Trace:
    inputs = {
        "input_ids": torch.arange(10).view(2, 5) % 9,
        "decoder_input_ids": torch.ones(2, decoded).long(),
        **masks,
    }
    given = Inputs(kwargs=inputs)
    return capture(Both(), given, valid_positions=given.attended() if valid is None else valid)


def counted(trace: Trace, path: str, shape: tuple[int, ...] = (2, 5, 4), leaf: str = "") -> Any:
    mask = Positions.of(trace).mask(torch.zeros(shape), (0, path, 0), leaf)
    return None if mask is None else mask[..., 0].tolist()


ENCODERS = ("encoder", "encoder.embed", "encoder.linear", "decoder.key")
DECODERS = ("decoder", "decoder.embed", "decoder.out", "")


@pytest.mark.parametrize("path", ENCODERS)
def test_sequences_of_one_length_are_told_apart_by_what_a_module_gets(path: str) -> None:
    trace = run(attention_mask=FIRST.long(), decoder_attention_mask=SECOND.long())
    assert counted(trace, path) == FIRST.tolist()


@pytest.mark.parametrize("path", DECODERS)
def test_a_decoder_has_its_own_positions(path: str) -> None:
    trace = run(attention_mask=FIRST.long(), decoder_attention_mask=SECOND.long())
    assert counted(trace, path) == SECOND.tolist()


@pytest.mark.parametrize("path", DECODERS)
def test_without_a_mask_all_of_a_decoder_counts(path: str) -> None:
    assert counted(run(attention_mask=FIRST.long()), path) is None


def test_a_decoders_mask_alone_says_nothing_of_the_encoder() -> None:
    trace = run(decoder_attention_mask=SECOND.long())
    assert [counted(trace, path) for path in ENCODERS] == [None] * 4
    assert counted(trace, "decoder.out") == SECOND.tolist()


def test_a_result_that_is_named_after_the_encoder_is_the_encoders() -> None:
    trace = run(attention_mask=FIRST.long(), decoder_attention_mask=SECOND.long())
    assert counted(trace, "", leaf="encoder_last_hidden_state") == FIRST.tolist()


def test_without_a_call_the_length_decides() -> None:
    positions = Positions.of(run(3, attention_mask=FIRST.long(), decoder_attention_mask=SECOND[:, 2:].long()))
    mask = positions.mask(torch.zeros(2, 5, 4))
    assert mask is not None
    assert mask[..., 0].tolist() == FIRST.tolist()
    assert positions.mask(torch.zeros(2, 3, 4)) is None  # all of these three count


def test_positions_that_the_user_declares_count_everywhere() -> None:
    trace = run(attention_mask=FIRST.long(), valid=SECOND)
    assert counted(trace, "encoder") == counted(trace, "decoder") == SECOND.tolist()


def test_attention_weights_do_not_make_the_axes_ambiguous() -> None:
    class Weights(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(2, 3, 5, 5)

    assert not Positions.of(capture(Weights(), (torch.zeros(2, 5, 4),), valid_positions=FIRST)).ambiguous
