from __future__ import annotations

import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from porting import infer_rules
from porting.weights.inference.norms import adding_one


def test_a_norm_of_one_plus_its_weight_is_told_from_others_on_any_device() -> None:
    for device in ("cpu", "meta"):
        with torch.device(device):
            norms = nn.ModuleDict(
                {
                    "gemma": GemmaRMSNorm(4),
                    "llama": LlamaRMSNorm(4),
                    "layer": nn.LayerNorm(4),
                    "group": nn.GroupNorm(2, 4),
                    "batch": nn.BatchNorm1d(4),
                }
            )
        assert adding_one(norms) == {"gemma.weight"}


def test_its_weight_is_not_certain_without_a_run() -> None:
    ported = nn.Module()
    ported.norm, ported.other = GemmaRMSNorm(4), LlamaRMSNorm(6)
    inference = infer_rules({"norm.weight": torch.ones(4), "other.weight": torch.ones(6)}, ported)
    assert inference.words == {"norm.weight": "likely", "other.weight": "certain"}


def test_a_norm_that_cannot_be_run_is_taken_for_a_plain_one() -> None:
    class BrokenNorm(GemmaRMSNorm):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not here")

    assert adding_one(nn.Sequential(BrokenNorm(4))) == frozenset()
