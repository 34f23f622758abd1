"""Positions that are counted otherwise or not at all, and texts that see what follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from behaving import bert, context_for, llama, said, toy
from mutants.editing import behave, edit
from torch import nn

CHECKS = ("check_position_ids", "check_token_order", "check_appended_text")


@pytest.mark.parametrize("context", [toy, bert, llama])
def test_right_ports_pass(context: Callable[[], Any]) -> None:
    made = context()
    assert {said(name, made).status for name in CHECKS} <= {"passed", "skipped"}
    assert said("check_token_order", made).figures["matters"] == "yes"


@pytest.mark.parametrize(("context", "causal"), [(toy, "yes"), (bert, "no"), (llama, "yes")])
def test_whether_a_model_is_causal_is_seen(context: Callable[[], Any], causal: str) -> None:
    assert said("check_appended_text", context()).figures["causal"] == causal


def test_positions_that_are_counted_from_elsewhere_are_found() -> None:
    """Counted downwards where none are passed."""

    def backwards(model: Any) -> None:
        def forward(self: Any, usual: Any, x: Any, position_ids: torch.Tensor, **kwargs: Any) -> Any:
            return usual(x, position_ids if self.passed else position_ids * 2, **kwargs)

        behave(model.model.rotary_emb, forward)

        def outer(self: Any, usual: Any, *args: Any, position_ids: Any = None, **kwargs: Any) -> Any:
            self.rotary_emb.passed = position_ids is not None
            return usual(*args, position_ids=position_ids, **kwargs)

        behave(model.model, outer)

    result = said("check_position_ids", llama(backwards))
    assert result.status == "failed"
    assert result.message.startswith("position_ids counted from 0 against those that the port counts by itself")


def test_position_ids_that_are_taken_and_not_used_are_found() -> None:
    def ignore(model: Any) -> None:
        behave(model.model, lambda self, usual, *args, **kwargs: usual(*args, **{**kwargs, "position_ids": None}))

    result = said("check_position_ids", llama(ignore))
    assert result.status == "failed"
    assert "nothing changes in the port, and in the original something does" in result.message


def test_a_bag_of_words_is_found() -> None:
    def forget(model: Any) -> None:
        edit(model.bert.embeddings.position_embeddings.weight, 0.0)

    result = said("check_token_order", bert(forget))
    assert result.status == "failed"
    assert "nothing changes in the port" in result.message


def test_a_port_that_sees_what_follows_is_found() -> None:
    def look_ahead(model: Any) -> None:
        behave(model.model.layers[1].mlp, lambda self, usual, hidden: usual(hidden) + 0.1 * hidden.roll(-1, 1))

    result = said("check_appended_text", llama(look_ahead))
    assert result.status == "failed"
    assert result.message.startswith("the first 14 of 28 tokens against these alone") or "tokens against these" in (
        result.message
    )


def test_what_follows_is_left_alone_if_nobody_says_whether_the_original_is_causal() -> None:
    context = bert()
    ported, inputs = context.ported_model, context.portfile.call("inputs")
    result = said("check_appended_text", context_for(ported, ported, inputs, ORIGINAL_TRACE="traces"))
    assert result.status == "skipped"
    assert "whether the original is causal is not known: the original is a recorded one" in result.message


def test_a_port_that_draws_random_numbers_is_not_called_one_that_looks_ahead() -> None:
    def drop(model: Any) -> None:
        behave(model.model.layers[0].mlp, lambda self, usual, hidden: nn.functional.dropout(usual(hidden), 0.5))

    result = said("check_appended_text", llama(drop))
    assert result.status == "skipped"
    assert "runs with two seeds differ, too" in result.message


def test_a_causal_port_of_an_encoder_is_found() -> None:
    def causal(model: Any) -> None:
        for layer in model.bert.encoder.layer:

            def forward(self: Any, usual: Any, hidden: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
                length = hidden.shape[1]
                return usual(hidden, torch.ones(length, length, dtype=torch.bool).tril()[None, None], **kwargs)

            behave(layer.attention, forward)

    result = said("check_appended_text", bert(causal))
    assert result.status == "failed"
    assert "nothing changes in the port" in result.message
