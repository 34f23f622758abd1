"""Rows that mix, padding and masks that matter or do not, against what the original does likewise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from behaving import bert, context_for, llama, said, toy
from mutants.editing import behave
from torch import nn

TEXTS = ("check_padding_right", "check_padding_left", "check_masked_positions_ignored", "check_mask_used")


@pytest.mark.parametrize("context", [toy, bert, llama])
def test_right_ports_pass(context: Callable[[], Any]) -> None:
    made = context()
    assert said("check_batch_invariance", made).status == "passed"
    assert {said(name, made).status for name in TEXTS} <= {"passed", "skipped"}


def test_a_mean_over_the_batch_is_found() -> None:
    def mix(model: Any) -> None:
        behave(model.model.layers[1].mlp, lambda self, usual, hidden: usual(hidden - 0.1 * hidden.mean(0)))

    result = said("check_batch_invariance", toy(mix))
    assert result.status == "failed"
    assert result.message.startswith("row 0 alone against the same row in its batch: output logits: max abs")


def test_one_given_row_is_run_beside_others() -> None:
    def mix(model: Any) -> None:
        behave(model.model.layers[0].mlp, lambda self, usual, hidden: usual(hidden.mean(0, keepdim=True) + hidden))

    right, wrong = llama(), llama(mix)
    for context in (right, wrong):
        one = {"input_ids": torch.arange(5, 14)[None]}
        context.portfile.answers.update(inputs=one, original_inputs=one)
    assert said("check_batch_invariance", right).figures["rows"] == 3
    assert said("check_batch_invariance", wrong).status == "failed"


def test_rows_whose_order_counts_are_found() -> None:
    def number(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            return usual(hidden) * torch.linspace(1, 2, len(hidden))[:, None, None]

        behave(model.model.layers[0].mlp, forward)

    assert said("check_batch_invariance", toy(number)).status == "failed"


class Centred(nn.Module):
    """Subtracts the batch's mean, as its original does."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden - hidden.mean(0)


def test_what_the_original_does_likewise_is_not_held_against_the_port() -> None:
    context = context_for(Centred().eval(), Centred().eval(), {"hidden": torch.randn(3, 4)})
    result = said("check_batch_invariance", context)
    assert result.status == "skipped"
    assert "the original's own results differ likewise" in result.message


def test_a_row_that_changes_is_inconclusive_if_the_original_cannot_be_asked() -> None:
    context = context_for(Centred().eval(), Centred().eval(), {"hidden": torch.randn(3, 4)}, ORIGINAL_TRACE="traces")
    result = said("check_batch_invariance", context)
    assert result.status == "inconclusive"
    assert "whether the original does the same is not known: the original is a recorded one" in result.message


def test_a_row_that_changes_is_inconclusive_if_the_original_returns_nothing_for_a_row() -> None:
    class Total(nn.Module):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden.sum()

    context = context_for(Total().eval(), Centred().eval(), {"hidden": torch.randn(3, 4)})
    result = said("check_batch_invariance", context)
    assert result.status == "inconclusive"
    assert "nothing that the original returns can be told apart like that" in result.message


def test_a_row_that_changes_by_random_numbers_is_left_to_another_check() -> None:
    def drop(model: Any) -> None:
        behave(model.model.layers[0].mlp, lambda self, usual, hidden: nn.functional.dropout(usual(hidden), 0.5))

    result = said("check_batch_invariance", llama(drop))
    assert result.status == "skipped"
    assert "runs with two seeds differ, too: see check_dropout_inactive" in result.message


def _without_mask(model: Any) -> None:
    behave(model.bert, lambda self, usual, *args, **kwargs: usual(*args, **{**kwargs, "attention_mask": None}))


def _half_a_mask(model: Any) -> None:
    """The second layer forgets the mask."""

    def forward(self: Any, usual: Any, hidden: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return usual(hidden, None, **kwargs)

    behave(model.bert.encoder.layer[1].attention, forward)


@pytest.mark.parametrize("forgets", [_without_mask, _half_a_mask])
@pytest.mark.parametrize("name", ["check_padding_right", "check_masked_positions_ignored"])
def test_a_forgotten_mask_is_found(forgets: Callable[[Any], None], name: str) -> None:
    result = said(name, bert(forgets))
    assert result.status == "failed"
    assert "Outputs that differ" in result.message


def test_a_mask_that_is_taken_and_not_used_is_found() -> None:
    result = said("check_mask_used", bert(_without_mask))
    assert result.status == "failed"
    assert "and in the original it does" in result.message
    assert said("check_mask_used", bert(_half_a_mask)).status == "passed"


def test_padding_on_the_left_that_shifts_rotations_is_found() -> None:
    """Rotations of the keys start where the mask does, those of the queries at 0."""

    def shift(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: Any, position_embeddings: Any = None, **kwargs: Any) -> Any:
            absolute = 0.05 * torch.arange(hidden.shape[1])[None, :, None]
            return usual(hidden + absolute, position_embeddings=position_embeddings, **kwargs)

        behave(model.model.layers[0].self_attn, forward)

    assert said("check_padding_left", llama()).status == "passed"
    assert said("check_padding_left", llama(shift)).status == "failed"


def test_padding_on_the_left_that_is_seen_is_found_though_positions_are_passed() -> None:
    def see(model: Any) -> None:
        behave(model.model, lambda self, usual, *args, **kwargs: usual(*args, **{**kwargs, "attention_mask": None}))

    result = said("check_padding_left", llama(see))
    assert result.status == "failed"
    assert "3 tokens of padding on the left against the text alone" in result.message


def test_a_port_without_a_text_or_a_mask_says_so() -> None:
    context = context_for(Centred().eval(), Centred().eval(), {"hidden": torch.randn(3, 4)})
    assert {said(name, context).message for name in TEXTS} == {"the port is given no text"}


def test_a_forward_that_raises_on_padding_that_the_original_takes_is_a_failure() -> None:
    def refuse(model: Any) -> None:
        def forward(self: Any, usual: Any, input_ids: Any = None, **kwargs: Any) -> Any:
            if input_ids.shape[1] > 9:
                raise ValueError("the text is too long")
            return usual(input_ids, **kwargs)

        behave(model, forward)

    result = said("check_padding_right", bert(refuse))
    assert result.status == "failed"
    assert "the text is too long; the original takes these inputs" in result.message
