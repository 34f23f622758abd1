"""The greedy tokens of the original in a generated test."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from generated import failures, generate, ruff_findings
from pairs.catalogue import build

from porting.behaviour.following import followed
from porting.behaviour.greedy import Choice


def test_the_originals_greedy_tokens_are_tested(tmp_path: Path) -> None:
    pair = build("llama")
    generated = generate(pair, tmp_path)
    text = generated.path.read_text(encoding="utf-8")
    assert "def test_greedy_tokens_of_the_original(self):" in text
    assert not [text for text in generated.skipped if text.startswith("greedy tokens")]
    assert failures(generated, pair.ported) == []
    pair.ported.prepare_inputs_for_generation = _forgetful(pair.ported)
    (said,) = failures(generated, pair.ported)
    assert "test_greedy_tokens_of_the_original" in said
    assert ruff_findings(tmp_path) == ""


def _forgetful(model: Any) -> Any:
    """Gives the model the last token only, and no cache."""

    def prepare(input_ids: torch.Tensor, **_: Any) -> dict[str, Any]:
        return {"input_ids": input_ids[:, -1:], "use_cache": False}

    return prepare


def test_tokens_end_where_rounding_could_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, low = build("llama"), 4
    pair.ported.generation_config.eos_token_id = None  # type: ignore[union-attr]

    def followed_until(*args: Any) -> list[Choice]:
        return [replace(each, margin=1.0 if step < low else 1e-9) for step, each in enumerate(followed(*args))]

    monkeypatch.setattr("porting.stubs.generation.followed", followed_until)
    text = generate(pair, tmp_path).path.read_text(encoding="utf-8")
    assert re.findall(r"max_new_tokens=(\d+)", text) == [str(low)]

    monkeypatch.setattr("porting.stubs.generation.least_margin", lambda *_: 2.0)
    none = generate(pair, tmp_path)
    assert none.skipped[0] == "greedy tokens: the first one has a margin that rounding could turn round"


def test_tokens_that_the_port_does_not_give_are_not_written(tmp_path: Path) -> None:
    pair = build("llama")

    def original_generate(model: Any, inputs: dict[str, Any], count: int) -> list[int]:
        return [0] * count  # hardly the likeliest: another margin, and other tokens than the port's

    generated = generate(pair, tmp_path, original_generate=original_generate)
    assert "def test_greedy_tokens_of_the_original(self):" not in generated.path.read_text(encoding="utf-8")
    assert generated.skipped[0] == (
        "greedy tokens: the port's generate gives other ones than the original; see: porting check"
    )


def test_a_model_without_a_language_head_has_no_tokens_and_says_so(tmp_path: Path) -> None:
    generated = generate(build("vit"), tmp_path)
    assert generated.skipped[0] == "greedy tokens: the port has no head that generates"
