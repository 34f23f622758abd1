"""A tiny Llama on disk, and models whose loading report is clean while they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedConfig, PreTrainedModel

State = dict[str, torch.Tensor]
SIZES: dict[str, Any] = {
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "max_position_embeddings": 16,
}


def saved_llama(folder: Path, **settings: Any) -> State:
    """Save a Llama with random weights of its own, and give them."""
    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(**{**SIZES, "num_key_value_heads": 8, **settings}))
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.5, 0.1)
    model.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def rewrite(folder: Path, state: State) -> None:
    """Put other tensors into a saved model."""
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def loaded(model_class: type[PreTrainedModel], folder: Path, **options: Any) -> Any:
    """Load it, with a report in which nothing is wrong."""
    model, report = model_class.from_pretrained(folder, output_loading_info=True, **options)
    assert not any(report.values()), report
    return model


class TinyConfig(PreTrainedConfig):  # type: ignore[misc]
    model_type = "tiny-audited"

    def __init__(self, width: int = 8, **settings: Any) -> None:
        self.width = width
        super().__init__(**settings)


class Tiny(PreTrainedModel):  # type: ignore[misc]
    """One layer, a buffer that is not saved, and a plain tensor."""

    config_class = TinyConfig

    def __init__(self, config: TinyConfig) -> None:
        super().__init__(config)
        self.layer = nn.Linear(config.width, config.width)
        self.table = self._table()
        self.register_buffer("angles", 1 / 10000 ** (torch.arange(config.width) / config.width), persistent=False)
        self.post_init()

    def _table(self) -> Any:
        return None


class WithPlainTensor(Tiny):
    def _table(self) -> Any:
        return torch.arange(5.0)


class InTree(Tiny):
    """Initialises in place, as code within Transformers may, which is not protected."""

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0.0, 0.02)
        if isinstance(module, Tiny):
            module.angles.copy_(1 / 10000 ** (torch.arange(self.config.width) / self.config.width))

    @classmethod
    def is_custom_code(cls) -> bool:
        return False
