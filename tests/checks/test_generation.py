"""Greedy generation: what generate adds changes nothing, and tokens are the original's up to a low margin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cached_ports import Decoder, Forgets, PreparesWrongly, Refuses, decoder, text
from checked import context_with, result_of
from torch import nn

from porting.behaviour.greedy import Choice, race
from porting.checks import CheckContext

LOOP, EQUAL = "check_generate_equals_greedy_loop", "check_greedy_tokens_equal"


def context_of(ported: nn.Module, folder: Path, original: nn.Module | None = None, **more: Any) -> CheckContext:
    one = ported if original is None else original
    return context_with(folder, original=lambda: one, ported=lambda: ported, inputs=text, **more)


def plain_tokens(model: Any, inputs: Any, count: int) -> torch.Tensor:
    """The greedy tokens of a loop without a cache, with the prompt."""
    tokens: torch.Tensor = inputs["input_ids"]
    for _ in range(count):
        logits = model(input_ids=tokens).logits[:, -1]
        tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], dim=1)
    return tokens


def test_a_right_decoder_generates_what_its_forward_says(tmp_path: Path) -> None:
    result = result_of(LOOP, context_of(decoder(), tmp_path))
    assert result.status == "passed"
    assert result.figures["compared_tokens"] == 8
    assert result.figures["smallest_margin"] > result.figures["least_margin"]  # type: ignore[operator]


@pytest.mark.parametrize("kind", [Forgets, PreparesWrongly])
def test_generating_with_a_wrong_cache_gives_other_tokens(kind: type[Decoder], tmp_path: Path) -> None:
    result = result_of(LOOP, context_of(decoder(kind), tmp_path))
    assert result.status == "failed"
    assert result.message.startswith("the port's generate differs from its own forward at new token 1: ")


def test_a_generate_that_raises_is_refuted(tmp_path: Path) -> None:
    result = result_of(LOOP, context_of(decoder(Refuses), tmp_path))
    assert (result.status, "generate raised TypeError" in result.message) == ("failed", True)


def test_a_port_with_another_head_gives_other_tokens(tmp_path: Path) -> None:
    original, ported = decoder(), decoder()
    assert result_of(EQUAL, context_of(ported, tmp_path, original)).status == "passed"
    with torch.no_grad():
        ported.lm_head.weight.copy_(ported.lm_head.weight.roll(1, 0))
    result = result_of(EQUAL, context_of(ported, tmp_path, original))
    assert result.status == "failed"
    assert result.message.startswith("the port's generate differs from the original at new token 0: ")
    assert result_of(LOOP, context_of(ported, tmp_path, original)).status == "passed"


ANSWERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "with the prompt": lambda ids: ids,
    "without the prompt": lambda ids: ids[:, 10:],
    "one list": lambda ids: ids[0, 10:].tolist(),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_originals_own_generation_is_the_reference(answer: str, tmp_path: Path) -> None:
    def original_generate(model: Any, inputs: Any, count: int) -> Any:
        return ANSWERS[answer](plain_tokens(model, inputs, count))

    ported = decoder()
    context = context_of(ported, tmp_path, decoder(), original_generate=original_generate)
    assert (result_of(EQUAL, context).status, result_of(EQUAL, context).figures["compared_tokens"]) == ("passed", 8)
    ported.generation_config.suppress_tokens = plain_tokens(decoder(), text(), 1)[0, -1:].tolist()
    result = result_of(EQUAL, context)
    assert result.status == "failed"
    assert result.figures["left_out"] == "suppress_tokens"
    assert result_of(LOOP, context).status == "passed"


def test_a_prompt_without_room_behind_it_is_cut_for_the_originals_own_generation_too(tmp_path: Path) -> None:
    lengths = []

    def original_generate(model: Any, inputs: Any, count: int) -> Any:
        lengths.append(inputs["input_ids"].shape[1])
        return plain_tokens(model, inputs, count)

    ported = decoder()
    ported.config.max_position_embeddings = 12
    result = result_of(EQUAL, context_of(ported, tmp_path, decoder(), original_generate=original_generate))
    assert (result.status, result.figures["compared_tokens"], lengths) == ("passed", 8, [4])


def test_tokens_that_the_port_does_not_have_are_refuted(tmp_path: Path) -> None:
    context = context_of(decoder(), tmp_path, decoder(), original_generate=lambda *_: [[1_000_000]])
    assert "expected 1000000" in result_of(EQUAL, context).message


def test_an_original_that_takes_what_the_port_finds_unlikely_is_no_low_margin(tmp_path: Path) -> None:
    likeliest = int(plain_tokens(decoder(), text(), 1)[0, -1])
    other = (likeliest + 1) % 60
    context = context_of(decoder(), tmp_path, decoder(), original_generate=lambda *_: [[other]])
    result = result_of(EQUAL, context)
    assert result.status == "failed"
    assert f"differs from the original at new token 0: {likeliest}, expected {other}" in result.message


def test_an_original_generation_of_another_kind_is_an_error(tmp_path: Path) -> None:
    context = context_of(decoder(), tmp_path, decoder(), original_generate=lambda *_: "a text")
    result = result_of(EQUAL, context)
    assert (result.status, "original_generate() must return ids" in result.message) == ("error", True)


def test_equal_logits_have_no_margin(tmp_path: Path) -> None:
    ported = decoder()
    with torch.no_grad():
        ported.lm_head.weight.zero_()
    result = result_of(LOOP, context_of(ported, tmp_path))
    assert (result.status, "the first token has a margin of 0" in result.message) == ("inconclusive", True)


def test_a_race_ends_at_the_first_low_margin() -> None:
    choices = [Choice(5, 1, 2.0), Choice(6, 1, 1e-9), Choice(7, 1, 2.0)]
    found = race(choices, [5, 1, 1], 1e-6)
    assert (found.compared, found.unsure, found.differs, found.smallest) == (1, 1, None, 2.0)
    assert race(choices, [4, 6, 7], 1e-6).differs == 0
    assert race(choices, [5, 6, 1], 1e-12).differs == 2


def test_a_model_without_generate_is_skipped(tmp_path: Path) -> None:
    context = context_with(tmp_path, ported=lambda: nn.Linear(3, 3), inputs=lambda: {"input": torch.ones(1, 3)})
    assert result_of(LOOP, context).status == result_of(EQUAL, context).status == "skipped"


def test_an_original_in_another_interpreter_is_left_to_a_person(tmp_path: Path) -> None:
    result = result_of(EQUAL, context_of(decoder(), tmp_path, ORIGINAL_PYTHON="/elsewhere/python"))
    assert (result.lacking, "let the original generate there" in result.message) == (True, True)
    assert f"checklist --tick {EQUAL} --by NAME" in result.hint
