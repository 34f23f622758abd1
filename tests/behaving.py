"""Small pairs whose port can be made to behave otherwise, and what a check says of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from checked import result_of
from torch import nn
from toys import make_inputs, make_pair
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

from porting.checks import CheckContext, CheckResult
from porting.portfile import Portfile

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 67,
}


def context_for(original: Any, ported: Any, inputs: Any, original_inputs: Any = None, **more: Any) -> CheckContext:
    """A context of two live models; nothing of it is on a disk."""
    functions: dict[str, Callable[..., Any]] = {
        "original": lambda: original,
        "ported": lambda: ported,
        "inputs": lambda: inputs,
        "original_inputs": lambda: inputs if original_inputs is None else original_inputs,
    }
    functions |= {name: value for name, value in more.items() if callable(value)}
    constants = {name: value for name, value in more.items() if name.isupper()}
    return CheckContext(Portfile(Path.cwd() / "portfile.py", functions, constants))


def toy(change: Callable[[Any], object] | None = None) -> CheckContext:
    """The small decoder written twice, its port changed."""
    original, ported = make_pair()
    original_inputs, inputs = make_inputs()
    if change:
        change(ported)
    return context_for(original, ported, inputs, original_inputs)


def twins(model: nn.Module, inputs: dict[str, Any], change: Callable[[Any], object] | None = None) -> CheckContext:
    """A model and its copy, changed."""
    model.eval()
    ported = copy.deepcopy(model)
    if change:
        change(ported)
    return context_for(model, ported, inputs)


def llama(change: Callable[[Any], object] | None = None, **settings: Any) -> CheckContext:
    """A small Llama and its copy."""
    torch.manual_seed(0)
    config = LlamaConfig(**{**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 64, **settings})
    return twins(LlamaForCausalLM(config), {"input_ids": _tokens()}, change)


def bert(change: Callable[[Any], object] | None = None) -> CheckContext:
    """A small BERT and its copy, of two rows, the second one padded on the right."""
    torch.manual_seed(0)
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[1, 6:] = 0
    inputs = {"input_ids": _tokens(), "attention_mask": mask}
    return twins(BertForMaskedLM(BertConfig(**SMALL, max_position_embeddings=64)), inputs, change)


def said(name: str, context: CheckContext) -> CheckResult:
    """What a check says."""
    return result_of(name, context)


def _tokens() -> torch.Tensor:
    return torch.randint(5, 67, (2, 9), generator=torch.Generator().manual_seed(0))
