"""Bugs of normalisation: its epsilon, formula, kind and place."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave, replace, within
from mutants.mutant import mutant
from torch import nn


@mutant("norm-eps", minilm="embeddings.LayerNorm")
def eps_everywhere(model: nn.Module, path: str) -> None:
    """The config's epsilon is 1e-5 where it is 1e-12."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5


@mutant("norm-eps", bert="embeddings.LayerNorm")
@mutant("norm-eps", vit="vit.layers.0.layernorm_before")
@mutant("norm-eps", esm2="esm.encoder.layer.0.attention.LayerNorm")
@mutant("norm-eps", resnet="resnet.encoder.stages.0.layers.0.layer.1.normalization")
@mutant("norm-eps", swin="swin.encoder.layers.0.blocks.0.layernorm_after")
@mutant("norm-eps", pythia="gpt_neox.layers.1.post_attention_layernorm")
def eps_large(model: nn.Module, path: str) -> None:
    """One epsilon is far too large: 1e-2."""
    within(model, path).eps = 1e-2


@mutant("norm-eps", convnext="convnext.encoder.stages.1.layers.0.layernorm")
def eps_slightly_large(model: nn.Module, path: str) -> None:
    """One epsilon is 1e-5 where it is 1e-6."""
    within(model, path).eps = 1e-5


@mutant("norm-formula", "norm-eps", llama="model.layers.0.input_layernorm")
def eps_outside_root(model: nn.Module, path: str) -> None:
    """Epsilon is added to the root, not below it."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor) -> torch.Tensor:
        size = hidden_states.pow(2).mean(-1, keepdim=True).sqrt()
        return torch.as_tensor(self.weight * hidden_states / (size + self.variance_epsilon))

    behave(within(model, path), forward)


@mutant(
    "missing-norm",
    llama="model.norm",
    esm2="esm.encoder.emb_layer_norm_after",
    vit="vit.layernorm",
    mamba="backbone.norm_f",
)
def final_missing(model: nn.Module, path: str) -> None:
    """The last norm is missing."""
    replace(model, path, nn.Identity())


@mutant("norm-type", "norm-formula", bert="encoder.layer.1.output.LayerNorm")
@mutant("norm-type", "norm-formula", whisper="model.decoder.layer_norm")
def mean_kept(model: nn.Module, path: str) -> None:
    """A root-mean-square norm for a layer norm: the mean is kept."""

    def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
        root = torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.eps)
        return torch.as_tensor(hidden * root * self.weight + self.bias)

    behave(within(model, path), forward)


@mutant(
    "norm-type",
    "norm-formula",
    llama="model.layers.1.post_attention_layernorm",
    mamba="backbone.layers.2.norm",
)
def mean_removed(model: nn.Module, path: str) -> None:
    """A layer norm for a root-mean-square norm: the mean is taken off."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(usual(hidden_states - hidden_states.mean(-1, keepdim=True)))

    behave(within(model, path), forward)


@mutant("norm-formula", llama="model.layers.2.input_layernorm", mixtral="model.norm")
def one_added(model: nn.Module, path: str) -> None:
    """The weight is taken as what is added to one, as Gemma does."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(usual(hidden_states) * (1 + 1 / self.weight))

    behave(within(model, path), forward)


@mutant("norm-formula", gemma2="model.layers.1.post_feedforward_layernorm")
def one_forgotten(model: nn.Module, path: str) -> None:
    """The weight is taken as it is, where it is what is added to one."""

    def forward(self: Any, usual: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self._norm(x.float()) * self.weight.float())

    behave(within(model, path), forward)


@mutant("norm-type", "norm-formula", convnext="convnext.embeddings.layernorm", esm2="lm_head.layer_norm")
def variance_unbiased(model: nn.Module, path: str) -> None:
    """The variance is divided by one less than the width."""

    def forward(self: Any, usual: Any, features: torch.Tensor) -> torch.Tensor:
        axis = 1 if features.dim() == 4 and getattr(self, "data_format", "") == "channels_first" else -1
        width = features.shape[axis]
        centred = features - features.mean(axis, keepdim=True)
        spread = (centred.pow(2).sum(axis, keepdim=True) / (width - 1) + self.eps).sqrt()
        shape = [1] * features.dim()
        shape[axis] = width
        return torch.as_tensor(centred / spread * self.weight.view(shape) + self.bias.view(shape))

    behave(within(model, path), forward)


@mutant("norm-formula", "extra-layer", pythia="gpt_neox.final_layer_norm", clip="vision_model.pre_layrnorm")
def applied_twice(model: nn.Module, path: str) -> None:
    """The norm is applied to its own output."""
    behave(within(model, path), lambda self, usual, hidden: usual(usual(hidden)))


@mutant(
    "norm-placement",
    "residual-source",
    "missing-norm",
    llama=("model.layers.0", "model.layers.0.mlp", "model.layers.0.post_attention_layernorm"),
)
def after_the_branch(model: nn.Module, path: str) -> None:
    """The norm follows the MLP, which it goes before."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        hidden = hidden_states + self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)[0]
        return torch.as_tensor(hidden + self.post_attention_layernorm(self.mlp(hidden)))

    behave(within(model, path), forward)


@mutant(
    "missing-norm",
    "norm-placement",
    gemma2=("model.layers.0", "model.layers.0.post_attention_layernorm", "model.layers.0.pre_feedforward_layernorm"),
)
def post_norm_missing(model: nn.Module, path: str) -> None:
    """The norm after attention is left out."""
    behave(within(model, path).post_attention_layernorm, lambda self, usual, x: x)
