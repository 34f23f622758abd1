"""A port that does not come back from disk as it was saved is refuted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from checked import context_with, result_of
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from weights.audit.silent import SIZES, InTree, Tiny, TinyConfig, WithPlainTensor, rewrite, saved_llama

from porting.checks import CheckContext

TRIP, INFO = "check_save_load_round_trip", "check_loading_info_clean"


def context_of(model: nn.Module, folder: Path, **more: Any) -> CheckContext:
    given = {"input_ids": torch.arange(12).reshape(2, 6)}
    return context_with(folder, ported=lambda: model, inputs=lambda: given, **more)


def test_a_disk_without_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    result = result_of(TRIP, context_of(LlamaForCausalLM(LlamaConfig(**SIZES)).eval(), tmp_path))
    assert (result.status, "are free on the disk" in result.message) == ("skipped", True)


class Running(Tiny):
    """Runs, and has everything that it needs computed where Transformers asks for it."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layer(self.angles.expand(*input_ids.shape, -1))
        return result

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Running):
            module.angles.copy_(1 / 10000 ** (torch.arange(self.config.width) / self.config.width))


class Scaled(Running):
    """Takes a factor, and does not keep it in its config."""

    def __init__(self, config: TinyConfig, factor: float = 1.0) -> None:
        super().__init__(config)
        self.factor = factor

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return super().forward(input_ids) * self.factor


class Prepared(Running):
    """Has to be told something that no file keeps."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = super().forward(input_ids) * self.factor
        return result

    @classmethod
    def made(cls) -> Prepared:
        model = cls(TinyConfig())
        model.factor = 2.0
        return model


def llama(**settings: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **settings})).eval()


@pytest.mark.parametrize("tied", [False, True])
def test_a_right_port_comes_back_as_it_was(tied: bool, tmp_path: Path) -> None:
    model = llama(tie_word_embeddings=tied)
    before, state = model.config.to_dict(), {name: each.clone() for name, each in model.state_dict().items()}
    context = context_of(model, tmp_path)
    trip, info = result_of(TRIP, context), result_of(INFO, context)
    assert (trip.status, info.status) == ("passed", "passed")
    assert trip.figures["files"] == "config.json, generation_config.json, model.safetensors"
    assert model.config.to_dict() == before
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())


def test_a_buffer_that_is_made_anew_is_right(tmp_path: Path) -> None:
    assert result_of(TRIP, context_of(Running(TinyConfig()), tmp_path)).status == "passed"


def test_a_port_that_only_the_original_names_spoil_is_found(tmp_path: Path) -> None:
    class Spoilt(LlamaForCausalLM):  # type: ignore[misc]
        def save_pretrained(self, folder: Any, save_original_format: bool = True, **more: Any) -> None:
            super().save_pretrained(folder, save_original_format=save_original_format, **more)
            if save_original_format:
                state = {name: tensor.clone() for name, tensor in self.state_dict().items()}
                rewrite(Path(folder), {**state, "model.norm.weight": state["model.norm.weight"] + 1})

    result = result_of(TRIP, context_of(Spoilt(LlamaConfig(**SIZES)).eval(), tmp_path))
    assert result.status == "failed"
    assert result.message.startswith("model.norm.weight has other values")
    assert "before the port was saved with the original's names" in result.message


WRONG: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a buffer of rubbish": (lambda: Tiny(TinyConfig()), "angles has other values"),
    "a plain tensor on meta": (lambda: WithPlainTensor(TinyConfig()), "table is on the meta device"),
    "initialised in place": (lambda: InTree(TinyConfig()), "layer.weight has other values"),
    "an attribute that nobody sets again": (
        Prepared.made,
        "saved and loaded again: the ported model's forward raised",
    ),
    "an argument that no config keeps": (lambda: Scaled(TinyConfig(), 3.0), "the port, and itself saved and loaded"),
}


def test_a_port_that_was_cast_with_its_unsaved_buffers_is_right(tmp_path: Path) -> None:
    model = llama().to(torch.bfloat16)
    assert model.model.rotary_emb.inv_freq.dtype == torch.bfloat16
    result = result_of(TRIP, context_of(model, tmp_path))
    assert result.status == "passed", result.message


@pytest.mark.parametrize("mistake", WRONG)
def test_what_does_not_come_back_is_named(mistake: str, tmp_path: Path) -> None:
    build, words = WRONG[mistake]
    result = result_of(TRIP, context_of(build().eval(), tmp_path))
    assert result.status == "failed"
    assert words in result.message


def test_a_tensor_shared_without_a_tie_cannot_be_saved(tmp_path: Path) -> None:
    model = llama()
    model.lm_head.weight = model.model.embed_tokens.weight
    result = result_of(TRIP, context_of(model, tmp_path))
    assert result.status == "failed"


def test_a_checkpoint_that_lacks_a_weight_is_not_loaded_cleanly(tmp_path: Path) -> None:
    state = saved_llama(tmp_path)
    del state["model.norm.weight"]
    rewrite(tmp_path, {**state, "model.final.weight": torch.ones(32)})
    model = LlamaForCausalLM.from_pretrained(tmp_path)
    result = result_of(INFO, context_of(model, tmp_path, checkpoint=lambda: tmp_path))
    assert result.status == "failed"
    assert "missing keys: model.norm.weight" in result.message
    assert "unexpected keys: model.final.weight" in result.message
    assert result.figures["loaded_from"] == "checkpoint"


def test_a_plain_module_has_nothing_to_save(tmp_path: Path) -> None:
    result = result_of(TRIP, context_of(nn.Linear(2, 2), tmp_path))
    assert (result.status, "no PreTrainedModel" in result.message) == ("skipped", True)
