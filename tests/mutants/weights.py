"""Bugs of conversion: right tensors in wrong places, orders and layouts, and tensors that never arrived."""

from __future__ import annotations

import torch
from mutants.editing import edit, exchange, within
from mutants.mutant import mutant
from torch import nn


@mutant("transposed", llama="model.layers.1.self_attn.o_proj", mixtral="model.layers.0.self_attn.o_proj")
def transposed(model: nn.Module, path: str) -> None:
    """A square matrix is loaded transposed."""
    weight = within(model, path).weight
    edit(weight, weight.t())


@mutant("qkv-order", "swapped", vit=("vit.layers.1.attention", "vit.layers.1.attention.q_proj"))
def qk_swapped(model: nn.Module, path: str) -> None:
    """A fused projection is split as k, q, v."""
    attention = within(model, path)
    exchange(attention.q_proj, attention.k_proj)


@mutant(
    "qkv-order",
    "swapped",
    llama=("model.layers.0.self_attn", "model.layers.0.self_attn.k_proj"),
    mixtral=("model.layers.2.self_attn", "model.layers.2.self_attn.k_proj"),
    clip=("vision_model.encoder.layers.0.self_attn", "vision_model.encoder.layers.0.self_attn.k_proj"),
    swin=("swin.encoder.layers.1.blocks.0.attention", "swin.encoder.layers.1.blocks.0.attention.k_proj"),
)
def kv_swapped(model: nn.Module, path: str) -> None:
    """A fused projection is split as q, v, k."""
    attention = within(model, path)
    exchange(attention.k_proj, attention.v_proj)


@mutant("qkv-order", "permuted", "head-reshape", pythia="gpt_neox.layers.1.attention.query_key_value")
def fused_not_interleaved(model: nn.Module, path: str) -> None:
    """All q, all k, all v, where each head keeps its own q, k and v."""
    module = within(model, path)
    for parameter in (module.weight, module.bias):
        heads, rows = 4, parameter.shape[0]
        edit(parameter, parameter.reshape(heads, 3, rows // (3 * heads), -1).transpose(0, 1).reshape(parameter.shape))


@mutant("wrong-layer", "swapped", bert=("encoder.layer.1", "encoder.layer.1.attention.self.query"))
@mutant("wrong-layer", "swapped", minilm=("encoder.layer.1", "encoder.layer.1.attention.self.query"))
@mutant("wrong-layer", "swapped", whisper=("model.decoder.layers.1", "model.decoder.layers.1.self_attn_layer_norm"))
@mutant("wrong-layer", "swapped", mamba=("backbone.layers.1", "backbone.layers.1.norm"))
def layers_exchanged(model: nn.Module, path: str) -> None:
    """Layers 1 and 2 are loaded into each other: sorted as text, or an off by one."""
    layers = within(model, path.rpartition(".")[0])
    exchange(layers[1], layers[2])


@mutant("swapped", "gate-order", llama=("model.layers.1.mlp", "model.layers.1.mlp.gate_proj"))
@mutant("swapped", "gate-order", gemma2=("model.layers.0.mlp", "model.layers.0.mlp.gate_proj"))
def gate_up_swapped(model: nn.Module, path: str) -> None:
    """Gate and up projection are exchanged: w1 and w3."""
    mlp = within(model, path)
    exchange(mlp.gate_proj, mlp.up_proj)


@mutant("swapped", llama=("model.layers.2", "model.layers.2.input_layernorm"))
def norms_swapped(model: nn.Module, path: str) -> None:
    """The two norms of a layer are exchanged."""
    layer = within(model, path)
    exchange(layer.input_layernorm, layer.post_attention_layernorm)


@mutant(
    "swapped",
    bert="encoder.layer.0.output.LayerNorm",
    pythia="gpt_neox.layers.2.input_layernorm",
    esm2="esm.encoder.layer.2.LayerNorm",
    convnext="convnext.encoder.stages.1.layers.1.layernorm",
    resnet="resnet.encoder.stages.1.layers.0.layer.2.normalization",
)
def gamma_beta_swapped(model: nn.Module, path: str) -> None:
    """Scale and shift of a norm are exchanged."""
    norm = within(model, path)
    weight = norm.weight.detach().clone()
    edit(norm.weight, norm.bias)
    edit(norm.bias, weight)


@mutant("buffer-wrong", "not-loaded", resnet="resnet.encoder.stages.1.layers.0.layer.1.normalization")
def running_stats_not_loaded(model: nn.Module, path: str) -> None:
    """A batch norm's running mean and variance are forgotten."""
    norm = within(model, path)
    edit(norm.running_mean, 0.0)
    edit(norm.running_var, 1.0)


@mutant("buffer-wrong", "not-loaded", resnet="resnet.encoder.stages.3.layers.0.layer.0.normalization")
def running_mean_negated(model: nn.Module, path: str) -> None:
    """A batch norm's running mean has the other sign."""
    norm = within(model, path)
    edit(norm.running_mean, -norm.running_mean)


@mutant("transposed", "permuted", vit="vit.embeddings.patch_embeddings.projection")
@mutant("transposed", "permuted", resnet="resnet.encoder.stages.0.layers.0.layer.1.convolution")
@mutant("transposed", "permuted", convnext="convnext.encoder.stages.2.layers.0.dwconv")
def kernel_transposed(model: nn.Module, path: str) -> None:
    """Height and width of a kernel are exchanged."""
    weight = within(model, path).weight
    edit(weight, weight.transpose(-1, -2))


@mutant(
    "permuted",
    whisper="model.encoder.conv2",
    mamba=("backbone.layers.0.mixer.conv1d", "backbone.layers.0.mixer", "backbone.layers.0.mixer.x_proj"),
)
def taps_reversed(model: nn.Module, path: str) -> None:
    """The taps of a convolution are in the other order."""
    weight = within(model, path).weight
    edit(weight, weight.flip(-1))


@mutant("swapped", esm2="esm.encoder.layer.0.attention.self")
def query_key_swapped(model: nn.Module, path: str) -> None:
    """Query and key are exchanged, where they have names of their own."""
    attention = within(model, path)
    exchange(attention.query, attention.key)


@mutant("transposed", pythia="gpt_neox.layers.0.attention.dense", esm2="esm.encoder.layer.1.attention.output.dense")
def output_transposed(model: nn.Module, path: str) -> None:
    """The projection behind attention is loaded transposed."""
    weight = within(model, path).weight
    edit(weight, weight.t())


@mutant("permuted", resnet="resnet.embedder.embedder.convolution", convnext="convnext.embeddings.patch_embeddings")
def colours_reversed(model: nn.Module, path: str) -> None:
    """Colours are in the order blue, green, red."""
    weight = within(model, path).weight
    edit(weight, weight.flip(1))


@mutant("permuted", "gate-order", encodec="encoder.layers.7.lstm")
def lstm_gates(model: nn.Module, path: str) -> None:
    """The gates of an LSTM are in another order: i, f, o, g."""
    for parameter in within(model, path).parameters():
        i, f, g, o = parameter.detach().chunk(4)
        edit(parameter, torch.cat([i, f, o, g]))


@mutant("swapped", "wrong-layer", encodec="quantizer.layers.0.codebook")
def codebooks_exchanged(model: nn.Module, path: str) -> None:
    """The first two code books are exchanged."""
    first, second = within(model, path).embed, within(model, path.replace("0", "1")).embed
    kept = first.clone()
    edit(first, second)
    edit(second, kept)


@mutant("weight-norm", "not-loaded", encodec="encoder.layers.0.conv")
def weight_norm_forgotten(model: nn.Module, path: str) -> None:
    """The magnitudes of a weight norm are not loaded: the direction alone is the weight."""
    weight = within(model, path).parametrizations.weight
    direction = weight.original1
    edit(weight.original0, direction.norm(dim=(1, 2), keepdim=True))


@mutant(
    "missing-bias",
    "not-loaded",
    whisper="model.encoder.layers.1.fc1",
    vit="vit.layers.0.attention.q_proj",
    clip="text_model.encoder.layers.0.mlp.fc2",
)
def bias_missing(model: nn.Module, path: str) -> None:
    """A layer has no bias."""
    within(model, path).register_parameter("bias", None)


@mutant("missing-bias", "not-loaded", esm2="esm.encoder.layer.1.attention.self.value", swin="swin.layernorm")
def bias_zero(model: nn.Module, path: str) -> None:
    """A bias keeps the zeros it was made with."""
    edit(within(model, path).bias, 0.0)


@mutant(
    "not-loaded",
    llama="model.layers.2.mlp.down_proj",
    resnet="resnet.encoder.stages.2.layers.0.shortcut.convolution",
    swin="swin.encoder.layers.0.downsample.reduction",
)
def not_loaded(model: nn.Module, path: str) -> None:
    """A weight keeps the random values it was made with."""
    weight = within(model, path).weight
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(7))
    edit(weight, 0.02 * noise)


@mutant("untied", "not-loaded", whisper="proj_out")
def untied(model: nn.Module, path: str) -> None:
    """The head has weights of its own instead of the embedding's."""
    head = within(model, path)
    noise = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(7))
    head.weight = nn.Parameter(0.7 * noise)


@mutant(
    "permuted",
    "rope-layout",
    "qkv-order",
    "head-reshape",
    llama="model.layers.1.self_attn.q_proj",
    gemma2="model.layers.2.self_attn.q_proj",
)
def rows_interleaved(model: nn.Module, path: str) -> None:
    """The rows of each head are permuted for a rotation of neighbours, which the port does not do."""
    weight = within(model, path).weight
    rows, heads = weight.shape[0], 4
    edit(weight, weight.reshape(heads, 2, rows // heads // 2, -1).transpose(1, 2).reshape(weight.shape))


@mutant("padding-idx", "not-loaded", bert="embeddings.word_embeddings", whisper="model.decoder.embed_tokens")
def padding_row_zeroed(model: nn.Module, path: str) -> None:
    """Another token is taken for padding, and its row is zero."""
    embedding = within(model, path)
    embedding.padding_idx = 40
    edit(embedding.weight[20:60], 0.0)


@mutant("dtype-cast", minilm="embeddings.word_embeddings", whisper="model.encoder.conv1")
def all_bfloat16(model: nn.Module, path: str) -> None:
    """The checkpoint was saved in bfloat16."""
    for parameter in model.parameters():
        edit(parameter, parameter.detach().bfloat16().float())


@mutant("dtype-cast", llama="model.layers.1.mlp.up_proj")
def one_float16(model: nn.Module, path: str) -> None:
    """One tensor went through float16."""
    weight = within(model, path).weight
    edit(weight, weight.detach().half().float())
