"""Small ports of Transformers' kind, and checkpoints of originals that name and lay out everything differently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from porting.weights import (
    Apply,
    At,
    Concatenate,
    Convert,
    Drop,
    Flatten,
    Flip,
    FoldWeightNorm,
    Permute,
    PermuteRope,
    Rename,
    Slice,
    Split,
    Stack,
    Transpose,
    Unstack,
)
from porting.weights.rules.rule import Rule

State = dict[str, torch.Tensor]


class Part(nn.Module):
    """Parameters under dotted names."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))


class SparseConfig(PretrainedConfig):  # type: ignore[misc]
    """Two layers, four query heads, two key heads, three experts."""

    model_type = "unseen-sparse"

    def __init__(
        self, num_attention_heads: int = 4, num_key_value_heads: int = 2, head_dim: int = 4, **kwargs: Any
    ) -> None:
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.head_dim = head_dim
        super().__init__(**kwargs)


class SparsePort(PreTrainedModel):  # type: ignore[misc]
    """A mixture of experts with grouped queries and rotary positions."""

    config_class = SparseConfig
    base_model_prefix = "model"

    def __init__(self, config: SparseConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(nn.Module() for _ in range(2))
        for layer in self.layers:
            layer.attn = nn.ModuleDict({"q": Part(weight=(16, 8)), "k": Part(weight=(8, 8)), "v": Part(weight=(8, 8))})
            layer.moe = Part(up_gate=(3, 8, 10), down=(3, 5, 8))
            layer.router = Part(weight=(3, 8))
        self.head = Part(weight=(11, 8))
        self.register_buffer("frequencies", torch.arange(4.0), persistent=False)
        self.post_init()


def sparse() -> tuple[SparsePort, State, list[Rule]]:
    """The port, an original's checkpoint, and its rules."""
    generator = torch.Generator().manual_seed(1)
    state: State = {"unembed": torch.randn(8, 11, generator=generator), "step": torch.tensor(7)}
    for i in range(1, 3):
        state[f"tower/block_{i}/qkv"] = torch.randn(32, 8, generator=generator)
        state[f"tower/block_{i}/router"] = torch.randn(3, 8, generator=generator)
        for e in range(3):
            for name, shape in {"gate": (5, 8), "up": (5, 8), "down": (8, 5)}.items():
                state[f"tower/block_{i}/expert{e}/{name}"] = torch.randn(shape, generator=generator)
    block = "tower/block_{i:d}/"
    rules: list[Rule] = [
        Drop("step", "counts the steps of training"),
        Convert("unembed", "head.weight", Transpose()),
        Convert(
            f"{block}qkv",
            [f"layers.{{i-1}}.attn.{name}.weight" for name in "qkv"],
            Split(("num_attention_heads*head_dim", 8, 8)),
            At(0, PermuteRope("num_attention_heads")),
            At(1, PermuteRope("num_key_value_heads")),
        ),
        Rename(f"{block}router", "layers.{i-1}.router.weight"),
        Convert(
            [f"{block}expert{{e:d}}/up", f"{block}expert{{e:d}}/gate"],
            "layers.{i-1}.moe.up_gate",
            Transpose(),
            Stack(),
            Concatenate(dim=2),
        ),
        Convert(f"{block}expert{{e:d}}/down", "layers.{i-1}.moe.down", Transpose(), Stack()),
    ]
    return SparsePort(SparseConfig()), state, rules


class SightConfig(PretrainedConfig):  # type: ignore[misc]
    """Without settings of its own."""

    model_type = "unseen-sight"


class SightPort(PreTrainedModel):  # type: ignore[misc]
    """Kernels, positions, and a projection of patches over time."""

    config_class = SightConfig
    base_model_prefix = "vision"

    def __init__(self, config: SightConfig) -> None:
        super().__init__(config)
        self.stem = Part(weight=(6, 3, 2, 4), bias=(6,))
        self.patches = Part(weight=(6, 24))
        self.positions = Part(weight=(9, 6))
        self.stages = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleDict({"conv": Part(weight=(6, 6, 3, 3)), "norm": Part(weight=(6,), bias=(6,))})
                for _ in range(2)
            )
            for _ in range(2)
        )
        self.post_init()


def sight() -> tuple[SightPort, State, list[Rule]]:
    """The port, an original's checkpoint, and its rules."""
    generator = torch.Generator().manual_seed(2)
    state: State = {
        "Conv_0.kernel": torch.randn(2, 4, 3, 6, generator=generator),
        "Conv_0.bias": torch.randn(6, generator=generator),
        "video.kernel": torch.randn(6, 3, 2, 2, 2, generator=generator),
        "pos": torch.randn(11, 6, generator=generator),
    }
    for s in range(2):
        for b in range(2):
            state[f"Stage_{s}.{b}.dw"] = torch.randn(3, 3, 6, 6, generator=generator)
            state[f"Stage_{s}.{b}.ln.gamma"] = torch.randn(6, generator=generator)
            state[f"Stage_{s}.{b}.ln.beta"] = torch.randn(6, generator=generator)
    rules: list[Rule] = [
        Convert("Conv_0.kernel", "stem.weight", Permute(3, 2, 0, 1), Flip(1)),
        Rename("Conv_0.bias", "stem.bias"),
        Convert("video.kernel", "patches.weight", Flatten()),
        Convert("pos", "positions.weight", Slice(2)),
        Convert("Stage_{s:d}.{b:d}.dw", "stages.{s}.{b}.conv.weight", Permute(3, 2, 0, 1), Flip(2), Flip(3)),
        Rename("Stage_{s:d}.{b:d}.ln.gamma", "stages.{s}.{b}.norm.weight"),
        Rename("Stage_{s:d}.{b:d}.ln.beta", "stages.{s}.{b}.norm.bias"),
    ]
    return SightPort(SightConfig()), state, rules


class SoundConfig(PretrainedConfig):  # type: ignore[misc]
    """With a tied head."""

    model_type = "unseen-sound"

    def __init__(self, tie_word_embeddings: bool = True, **kwargs: Any) -> None:
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)


class SoundPort(PreTrainedModel):  # type: ignore[misc]
    """Convolutions whose weight norm is folded, a list of heads, and a tied head."""

    config_class = SoundConfig
    base_model_prefix = "sound"
    _tied_weights_keys: ClassVar[dict[str, str]] = {"head.weight": "table.weight"}

    def __init__(self, config: SoundConfig) -> None:
        super().__init__(config)
        self.net = nn.ModuleList(Part(weight=(4, 3, 5), bias=(4,)) for _ in range(3))
        self.heads = nn.ModuleList(Part(weight=(4, 2)) for _ in range(3))
        self.table = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.mixed = Part(weight=(4, 4))
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.table

    def get_output_embeddings(self) -> nn.Linear:
        return self.head


def halved(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first + torch.flip(second, [0])) / 2


def sound() -> tuple[SoundPort, State, list[Rule]]:
    """The port, an original's checkpoint, and its rules."""
    generator = torch.Generator().manual_seed(3)
    state: State = {
        "emb": torch.randn(7, 4, generator=generator),
        "all_heads": torch.randn(4, 3, 2, generator=generator),
        "mix.a": torch.randn(4, 4, generator=generator),
        "mix.b": torch.randn(4, 4, generator=generator),
    }
    for i in range(3):
        state[f"net.{i}.conv.weight_g"] = torch.rand(4, 1, 1, generator=generator)
        state[f"net.{i}.conv.weight_v"] = torch.randn(4, 3, 5, generator=generator)
        state[f"net.{i}.conv.bias"] = torch.randn(4, generator=generator)
    rules: list[Rule] = [
        Rename("emb", "table.weight"),
        Convert("all_heads", "heads.{h}.weight", Unstack(1)),
        Convert(["mix.a", "mix.b"], "mixed.weight", Apply(halved)),
        Convert(["net.{i:d}.conv.weight_g", "net.{i:d}.conv.weight_v"], "net.{i}.weight", FoldWeightNorm()),
        Rename("net.{i:d}.conv.bias", "net.{i}.bias"),
    ]
    return SoundPort(SoundConfig()), state, rules


UNSEEN: dict[str, Callable[[], tuple[Any, State, list[Rule]]]] = {"sparse": sparse, "sight": sight, "sound": sound}
