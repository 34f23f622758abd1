"""Checkpoints that are invented: shapes under names that are not Transformers'."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import pairwise

from porting.nearest import architectures

Shapes = dict[str, tuple[int, ...]]


@contextmanager
def shipped() -> Iterator[None]:
    """The index that is shipped stands for that of the installed Transformers, of whichever version that is."""
    kept = dict(architectures._kept)
    architectures._kept[version("transformers")] = architectures.shipped_index()
    try:
        yield
    finally:
        architectures._kept.clear()
        architectures._kept.update(kept)


def decoder(width: int = 640, inner: int = 1728, kv: int = 160, vocab: int = 5003, layers: int = 5) -> Shapes:
    """A decoder like Llama, its names those of nobody."""
    shapes: Shapes = {
        "tok_embeddings.weight": (vocab, width),
        "norm.weight": (width,),
        "output.weight": (vocab, width),
    }
    for layer in range(layers):
        at = f"layers.{layer}"
        shapes |= {
            f"{at}.attention.wq.weight": (width, width),
            f"{at}.attention.wk.weight": (kv, width),
            f"{at}.attention.wv.weight": (kv, width),
            f"{at}.attention.wo.weight": (width, width),
            f"{at}.feed_forward.w1.weight": (inner, width),
            f"{at}.feed_forward.w2.weight": (width, inner),
            f"{at}.feed_forward.w3.weight": (inner, width),
            f"{at}.attention_norm.weight": (width,),
            f"{at}.ffn_norm.weight": (width,),
        }
    return shapes


def vision(width: int = 320, inner: int = 1280, patch: int = 14, layers: int = 4) -> Shapes:
    """A vision transformer with fused projections, as research code names it."""
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 257, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (21, width),
        "head.bias": (21,),
    }
    for layer in range(layers):
        at = f"blocks.{layer}"
        shapes |= {f"{at}.norm{n}.{leaf}": (width,) for n in (1, 2) for leaf in ("weight", "bias")}
        shapes |= {
            f"{at}.attn.qkv.weight": (3 * width, width),
            f"{at}.attn.qkv.bias": (3 * width,),
            f"{at}.attn.proj.weight": (width, width),
            f"{at}.attn.proj.bias": (width,),
            f"{at}.mlp.fc1.weight": (inner, width),
            f"{at}.mlp.fc1.bias": (inner,),
            f"{at}.mlp.fc2.weight": (width, inner),
            f"{at}.mlp.fc2.bias": (width,),
        }
    return shapes


def experts(width: int = 320, inner: int = 896, count: int = 6, layers: int = 3) -> Shapes:
    """A decoder with experts in lists."""
    shapes = {
        name: shape for name, shape in decoder(width, layers=layers, kv=64).items() if "feed_forward" not in name
    }
    for layer in range(layers):
        at = f"layers.{layer}.block_sparse_moe"
        shapes[f"{at}.gate.weight"] = (count, width)
        for expert in range(count):
            shapes[f"{at}.experts.{expert}.w1.weight"] = (inner, width)
            shapes[f"{at}.experts.{expert}.w2.weight"] = (width, inner)
            shapes[f"{at}.experts.{expert}.w3.weight"] = (inner, width)
    return shapes


def mixer(layers: int = 6) -> Shapes:
    """A network that Transformers has nothing like: mixing over tokens and channels by plain matrices."""
    shapes: Shapes = {"stem.weight": (96, 3, 4, 4), "out.weight": (10, 96), "out.bias": (10,)}
    for layer in range(layers):
        shapes |= {
            f"mix.{layer}.tokens.weight": (196, 196),
            f"mix.{layer}.channels.weight": (96, 96),
            f"mix.{layer}.alpha": (1,),
        }
    return shapes


def plain() -> Shapes:
    """A small convolutional net."""
    shapes: Shapes = {"fc.weight": (10, 512), "fc.bias": (10,)}
    for number, (one, other) in enumerate([(3, 32), (32, 64), (64, 128)]):
        shapes |= {f"conv{number}.weight": (other, one, 5, 5), f"conv{number}.bias": (other,)}
    return shapes


def perceptron() -> Shapes:
    """Layers one after the other."""
    sizes = [784, 300, 100, 10]
    return {
        name: shape
        for number, (one, other) in enumerate(pairwise(sizes))
        for name, shape in ((f"net.{2 * number}.weight", (other, one)), (f"net.{2 * number}.bias", (other,)))
    }
