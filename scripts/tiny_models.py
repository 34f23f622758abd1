"""Small models of many architectures of Transformers, and generic bugs of their weights and settings."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import nn

TEXT = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HEADED = {**TEXT, "head_dim": 8}
GPT = {
    "vocab_size": 97,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SEQUENCE = {
    "vocab_size": 97,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
IMAGE = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "BertModel": ("BertConfig", TEXT, "text"),
    "BertForMaskedLM": ("BertConfig", TEXT, "text"),
    "RobertaForSequenceClassification": ("RobertaConfig", {**TEXT, "pad_token_id": 1}, "text"),
    "ElectraForTokenClassification": ("ElectraConfig", {**TEXT, "embedding_size": 24}, "text"),
    "AlbertModel": ("AlbertConfig", {**TEXT, "embedding_size": 24}, "text"),
    "DistilBertModel": (
        "DistilBertConfig",
        {"vocab_size": 97, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
        "text",
    ),
    "MPNetModel": ("MPNetConfig", {**TEXT, "pad_token_id": 1}, "text"),
    "LlamaForCausalLM": ("LlamaConfig", TEXT, "text"),
    "MistralForCausalLM": ("MistralConfig", {**HEADED, "sliding_window": 6}, "text"),
    "Qwen2ForCausalLM": ("Qwen2Config", TEXT, "text"),
    "Qwen3ForCausalLM": ("Qwen3Config", HEADED, "text"),
    "GemmaForCausalLM": ("GemmaConfig", HEADED, "text"),
    "Gemma2ForCausalLM": ("Gemma2Config", {**HEADED, "sliding_window": 6}, "text"),
    "PhiForCausalLM": ("PhiConfig", TEXT, "text"),
    "StableLmForCausalLM": ("StableLmConfig", TEXT, "text"),
    "OlmoForCausalLM": ("OlmoConfig", TEXT, "text"),
    "CohereForCausalLM": ("CohereConfig", TEXT, "text"),
    "GPTNeoXForCausalLM": ("GPTNeoXConfig", TEXT, "text"),
    "GPT2LMHeadModel": ("GPT2Config", GPT, "text"),
    "GPTJForCausalLM": ("GPTJConfig", {**GPT, "rotary_dim": 4}, "text"),
    "OPTForCausalLM": ("OPTConfig", {**TEXT, "ffn_dim": 64, "word_embed_proj_dim": 32}, "text"),
    "BloomForCausalLM": ("BloomConfig", {"vocab_size": 97, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "text"),
    "MixtralForCausalLM": ("MixtralConfig", {**TEXT, "num_local_experts": 4}, "text"),
    "BartForConditionalGeneration": ("BartConfig", SEQUENCE, "sequence"),
    "MarianMTModel": ("MarianConfig", SEQUENCE, "sequence"),
    "T5ForConditionalGeneration": (
        "T5Config",
        {
            "vocab_size": 97,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 64,
            "num_layers": 2,
            "num_heads": 4,
            "decoder_start_token_id": 0,
        },
        "sequence",
    ),
    "ViTForImageClassification": ("ViTConfig", IMAGE, "image"),
    "DeiTModel": ("DeiTConfig", IMAGE, "image"),
    "Dinov2Model": ("Dinov2Config", IMAGE, "image"),
    "SiglipVisionModel": ("SiglipVisionConfig", IMAGE, "image"),
    "ConvNextModel": (
        "ConvNextConfig",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1], "image_size": 32},
        "image",
    ),
    "ResNetForImageClassification": (
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1], "layer_type": "basic"},
        "image",
    ),
}
"""Of each class the config's class, its settings, and the kind of its inputs."""

SETTINGS: dict[str, Callable[[Any], Any]] = {
    "layer_norm_eps": lambda value: value * 100,
    "layer_norm_epsilon": lambda value: value * 100,
    "rms_norm_eps": lambda value: value * 100,
    "hidden_act": lambda value: "relu" if value != "relu" else "gelu",
    "activation_function": lambda value: "relu" if value != "relu" else "gelu",
    "num_attention_heads": lambda value: value // 2,
    "sliding_window": lambda value: value - 1,
    "final_logit_softcapping": lambda value: value * 2,
    "num_experts_per_tok": lambda value: value - 1,
    "scale_embedding": lambda value: not value,
}
"""Settings that a port may have wrong, and to what."""


def make(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A model with informative weights, and inputs for it; the same at every call."""
    import transformers
    from pairs.weights import randomize

    config, settings, kind = MODELS[name]
    model = getattr(transformers, name)(getattr(transformers, config)(**settings)).eval()
    randomize(model)
    return model, inputs(kind)


def inputs(kind: str) -> dict[str, Any]:
    """Two rows, of which the second is padded if they are texts."""
    generator = torch.Generator().manual_seed(0)
    if kind == "image":
        return {"pixel_values": torch.randn(2, 3, 32, 32, generator=generator)}
    ids = torch.randint(3, 97, (2, 12), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    further = {"decoder_input_ids": ids[:, :7].flip(1), "use_cache": False} if kind == "sequence" else {}
    return {"input_ids": ids, "attention_mask": mask, **further}


def mutants(name: str) -> Iterator[tuple[str, nn.Module]]:
    """Wrong copies of a model, one bug in each."""
    model, _ = make(name)
    names = [each for each, tensor in model.named_parameters() if tensor.numel() > 1]
    for number, parameter in enumerate(names[:: max(1, len(names) // 12)]):
        for bug, change in WEIGHTS[number % 3 :: 3]:
            other = copy.deepcopy(model)
            tensor = other.get_parameter(parameter)
            with torch.no_grad():
                tensor.copy_(change(tensor.detach()).clone())
            if not torch.equal(tensor, model.get_parameter(parameter)):
                yield f"{bug} {parameter}", other
    for one, other_name in list(pairwise(names))[::5]:
        if model.get_parameter(one).shape == model.get_parameter(other_name).shape:
            other = copy.deepcopy(model)
            with torch.no_grad():
                other.get_parameter(one).copy_(model.get_parameter(other_name))
                other.get_parameter(other_name).copy_(model.get_parameter(one))
            yield f"swapped {one} {other_name}", other
    yield from _other_settings(name, model)


def _other_settings(name: str, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    import transformers

    config, settings, _ = MODELS[name]
    for setting, change in SETTINGS.items():
        value = getattr(model.config, setting, None)
        if not value:
            continue
        try:
            changed = getattr(transformers, config)(**{**settings, setting: change(value)})
            other = getattr(transformers, name)(changed).eval()
            other.load_state_dict(model.state_dict())
        except (RuntimeError, ValueError, KeyError, TypeError):
            continue
        yield f"{setting}={change(value)}", other


def _one_element(tensor: torch.Tensor) -> torch.Tensor:
    changed = tensor.clone()
    flat = changed.view(-1)
    flat[flat.abs().argmax()] *= 1.1
    return changed


WEIGHTS: tuple[tuple[str, Callable[[torch.Tensor], torch.Tensor]], ...] = (
    ("rolled", lambda tensor: tensor.roll(1, 0)),
    ("transposed", lambda tensor: tensor.t() if tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1] else tensor),
    ("scaled by 1.01", lambda tensor: tensor * 1.01),
    ("one element +10%", _one_element),
    ("rounded to bfloat16", lambda tensor: tensor.bfloat16().float()),
    ("last row left out", lambda tensor: torch.cat([tensor[:-1], torch.zeros_like(tensor[-1:])])),
    ("shifted by 1e-3", lambda tensor: tensor + 1e-3),
    ("zeros", torch.zeros_like),
    ("halves swapped", lambda tensor: tensor.roll(tensor.shape[0] // 2, 0)),
)
