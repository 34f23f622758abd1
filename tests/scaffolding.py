"""A small original as people write them: a repository's folder with one plain file, and its checkpoint."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

MODEL = """
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class TinyConfig:
    block_size: int = 64
    vocab_size: int = 300
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 64


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.heads = config.n_head

    def forward(self, x):
        rows, length, width = x.shape
        parts = self.c_attn(x).split(width, dim=2)
        q, k, v = (part.view(rows, length, self.heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
        return self.c_proj(mixed.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.c_out = nn.Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.c_out(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class TinyGPT(nn.Module):
    def __init__(self, config: TinyConfig):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.wte.weight = self.lm_head.weight

    def forward(self, idx, return_hidden=False):
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for block in self.blocks:
            x = block(x)
        x = self.ln_f(x)
        return x if return_hidden else self.lm_head(x)
"""
SIZES = {"block_size": 40, "vocab_size": 101, "n_layer": 2, "n_head": 4, "n_embd": 32}


def write_repository(folder: Path, text: str = MODEL, name: str = "tiny_model.py") -> Path:
    """A folder with the original's file."""
    repository = folder / "repository"
    repository.mkdir()
    (repository / name).write_text(text)
    return repository


def write_checkpoint(repository: Path, path: Path, **beside: Any) -> Path:
    """A checkpoint of the model in ``tiny_model.py``, as training scripts save one.

    Args:
        repository: with the file.
        path: of the checkpoint.
        beside: what is saved beside the weights, which are then under ``model``.
    """
    spec = importlib.util.spec_from_file_location("tiny_model_to_save", repository / "tiny_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    del sys.modules[spec.name]
    torch.manual_seed(0)
    known = module.TinyConfig.__dataclass_fields__
    model = module.TinyGPT(module.TinyConfig(**{name: size for name, size in SIZES.items() if name in known}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    state = model.state_dict()
    torch.save({"model": state, **beside} if beside else state, path)
    return path
