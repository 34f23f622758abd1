"""Bugs in how modules are put together: residuals, order, repetition, activations, pooling."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave, replace, within
from mutants.mutant import mutant
from torch import nn
from transformers.activations import QuickGELUActivation
from transformers.modeling_outputs import CausalLMOutputWithPast, ImageClassifierOutput


@mutant("missing-residual", bert=("encoder.layer.1.output", "encoder.layer.1.output.LayerNorm"))
@mutant("missing-residual", esm2="esm.encoder.layer.1.output")
def residual_missing(model: nn.Module, path: str) -> None:
    """What goes around the module is not added."""
    behave(within(model, path), lambda self, usual, hidden, residual: usual(hidden, torch.zeros_like(residual)))


@mutant("missing-residual", resnet="resnet.encoder.stages.1.layers.1")
def shortcut_missing(model: nn.Module, path: str) -> None:
    """What goes around the convolutions is not added."""
    behave(within(model, path), lambda self, usual, hidden_state: self.activation(self.layer(hidden_state)))


@mutant("missing-residual", convnext="convnext.encoder.stages.2.layers.0", encodec="decoder.layers.4")
def around_nothing(model: nn.Module, path: str) -> None:
    """What goes around the block is not added."""
    behave(within(model, path), lambda self, usual, hidden: usual(hidden) - hidden)


@mutant("missing-residual", llama="model.layers.1", mixtral="model.layers.1")
def residual_missing_around_mlp(model: nn.Module, path: str) -> None:
    """What goes around the MLP is not added."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        hidden = hidden_states + self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)[0]
        return torch.as_tensor(self.mlp(self.post_attention_layernorm(hidden)))

    behave(within(model, path), forward)


@mutant("missing-residual", encodec=("encoder.layers.7", "encoder.layers.7.lstm"))
def residual_missing_around_lstm(model: nn.Module, path: str) -> None:
    """What goes around the LSTM is not added."""
    behave(within(model, path), lambda self, usual, hidden: usual(hidden) - hidden)


@mutant("missing-residual", mamba=("backbone.layers.1", "backbone.layers.1.mixer"))
def residual_missing_around_mixer(model: nn.Module, path: str) -> None:
    """What goes around the mixer is not added."""
    behave(
        within(model, path),
        lambda self, usual, hidden_states, *args, **kwargs: usual(hidden_states, *args, **kwargs) - hidden_states,
    )


@mutant("residual-source", "norm-placement", vit=("vit.layers.1", "vit.layers.1.layernorm_after"))
def residual_from_norm(model: nn.Module, path: str) -> None:
    """What goes around is taken behind the norm."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        hidden = self.layernorm_before(hidden_states)
        hidden = hidden + self.attention(hidden, attention_mask, **kwargs)[0]
        return hidden + self.mlp(self.layernorm_after(hidden))

    behave(within(model, path), forward)


@mutant(
    "block-order",
    "residual-source",
    "wrong-input",
    pythia=("gpt_neox.layers.1", "gpt_neox.layers.1.post_attention_layernorm", "gpt_neox.layers.1.mlp"),
)
def in_sequence(model: nn.Module, path: str) -> None:
    """The MLP follows attention, where both read the layer's input."""
    within(model, path).use_parallel_residual = False


@mutant(
    "block-order",
    "residual-source",
    "wrong-input",
    llama=("model.layers.2", "model.layers.2.post_attention_layernorm", "model.layers.2.mlp"),
)
def in_parallel(model: nn.Module, path: str) -> None:
    """The MLP reads the layer's input, where it follows attention."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        mixed = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)[0]
        return torch.as_tensor(hidden_states + mixed + self.mlp(self.post_attention_layernorm(hidden_states)))

    behave(within(model, path), forward)


@mutant("missing-layer", whisper="model.encoder.layers.2", convnext="convnext.encoder.stages.1.layers.1")
def layer_skipped(model: nn.Module, path: str) -> None:
    """A layer is never run: a loop one short."""
    behave(within(model, path), lambda self, usual, hidden_states, *args, **kwargs: hidden_states)


@mutant("extra-layer", llama="model.layers.1", clip="vision_model.encoder.layers.1")
def layer_repeated(model: nn.Module, path: str) -> None:
    """A layer is run twice."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return usual(usual(hidden_states, *args, **kwargs), *args, **kwargs)

    behave(within(model, path), forward)


@mutant(
    "gate-order",
    "swapped",
    "activation",
    llama=("model.layers.0.mlp", "model.layers.0.mlp.act_fn", "model.layers.0.mlp.down_proj"),
)
def wrong_side_gated(model: nn.Module, path: str) -> None:
    """The activation is applied to the other branch."""
    behave(
        within(model, path), lambda self, usual, x: self.down_proj(self.gate_proj(x) * self.act_fn(self.up_proj(x)))
    )


@mutant("activation", whisper="model.encoder.layers.0.activation_fn", vit="vit.layers.0.mlp.activation_fn")
@mutant("activation", pythia="gpt_neox.layers.0.mlp.act", clip="vision_model.encoder.layers.2.mlp.activation_fn")
def tanh_for_erf(model: nn.Module, path: str) -> None:
    """The approximate GELU for the exact one, in one layer."""
    replace(model, path, nn.GELU(approximate="tanh"))


@mutant("activation", whisper="model.encoder.layers.0.activation_fn", pythia="gpt_neox.layers.0.mlp.act")
@mutant("activation", minilm="encoder.layer.0.intermediate.intermediate_act_fn")
def tanh_for_erf_everywhere(model: nn.Module, path: str) -> None:
    """The approximate GELU for the exact one, in every layer: the config is wrong."""
    leaf = path.rsplit(".", 1)[-1]
    for name in [name for name, _ in model.named_modules() if name.endswith(f".{leaf}")]:
        replace(model, name, nn.GELU(approximate="tanh"))


@mutant("activation", gemma2=("model.layers.1.mlp.act_fn", "model.layers.1.mlp"))
def erf_for_tanh(model: nn.Module, path: str) -> None:
    """The exact GELU for the approximate one."""
    replace(model, path, nn.GELU())


@mutant("activation", encodec="encoder.layers.2")
def relu_for_elu(model: nn.Module, path: str) -> None:
    """ReLU for ELU."""
    replace(model, path, nn.ReLU())


@mutant("activation", convnext="convnext.encoder.stages.1.layers.0.act")
@mutant("activation", swin=("swin.encoder.layers.0.blocks.0.mlp.activation_fn", "swin.encoder.layers.0.blocks.0.mlp"))
def quick_gelu(model: nn.Module, path: str) -> None:
    """GELU by a sigmoid, as CLIP has it, for the exact one."""
    replace(model, path, QuickGELUActivation())


@mutant("activation", llama=("model.layers.2.mlp.act_fn", "model.layers.2.mlp"))
def gelu_for_silu(model: nn.Module, path: str) -> None:
    """GELU for SiLU."""
    replace(model, path, nn.GELU())


@mutant("activation", "missing-activation", resnet="resnet.encoder.stages.0.layers.0.layer.2.activation")
def activation_before_sum(model: nn.Module, path: str) -> None:
    """The activation comes before the residual sum, too."""
    replace(model, path, nn.ReLU())


@mutant("missing-activation", "activation", whisper="model.encoder.layers.1.activation_fn")
@mutant("missing-activation", "activation", bert=("pooler.activation", "pooler"))
def activation_missing(model: nn.Module, path: str) -> None:
    """There is no activation."""
    replace(model, path, nn.Identity())


@mutant("pooling", bert=("pooler", "pooler.dense"))
def mean_for_first(model: nn.Module, path: str) -> None:
    """The pooler averages the tokens, where it takes the first."""
    behave(within(model, path), lambda self, usual, hidden: self.activation(self.dense(hidden.mean(1))))


@mutant("pooling", vit=("", "classifier"))
def mean_for_class_token(model: nn.Module, path: str) -> None:
    """The model's own forward averages the tokens, where it takes the first."""

    def forward(self: Any, usual: Any, pixel_values: torch.Tensor) -> ImageClassifierOutput:
        tokens = self.vit(pixel_values).last_hidden_state
        return ImageClassifierOutput(logits=self.classifier(tokens.mean(1)))

    behave(within(model, path), forward)


@mutant("extra-scale", "missing-scale", llama=("", "lm_head"))
def logits_scaled(model: nn.Module, path: str) -> None:
    """The model's own forward divides the logits by the root of the width."""

    def forward(self: Any, usual: Any, **kwargs: Any) -> CausalLMOutputWithPast:
        result = usual(**kwargs)
        return CausalLMOutputWithPast(logits=result.logits / self.config.hidden_size**0.5)

    behave(within(model, path), forward)


@mutant("pooling", "conv-geometry", resnet="resnet.embedder.pooler")
def average_for_maximum(model: nn.Module, path: str) -> None:
    """The stem averages where it takes the largest."""
    replace(model, path, nn.AvgPool2d(3, 2, 1))
