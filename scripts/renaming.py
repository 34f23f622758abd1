"""Models of Transformers as somebody else may have them: under foreign names, larger, with something more or less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from porting.nearest.architectures import Architecture
from porting.nearest.cells import Cell, Shape

Shapes = dict[str, Shape]
FOREIGN = (
    ("gate_up_proj", "w13"),
    ("self_attn", "attention"),
    ("attention.self", "mha"),
    ("layernorm", "ln"),
    ("layer_norm", "ln"),
    ("LayerNorm", "ln"),
    ("embed_tokens", "tok_emb"),
    ("embeddings", "emb"),
    ("encoder.layers", "encoder.blocks"),
    ("encoder.layer.", "enc.blocks."),
    ("model.layers", "blocks"),
    ("fc1", "c_fc"),
    ("fc2", "c_proj"),
    ("gate_proj", "w1"),
    ("down_proj", "w2"),
    ("up_proj", "w3"),
    ("o_proj", "wo"),
)
"""What Transformers says, and what others do."""
LARGE = 24
FUSED = ("q_proj", "k_proj", "v_proj")
CHANGES = ("an extra norm", "another bias", "an added matrix", "a norm less")


def full(architecture: Architecture) -> Shapes:
    """The tensors of an architecture without the optional ones."""
    return {
        name: held.shape
        for cell in architecture.cells
        for held in cell.held
        if not held.optional
        for name in names(cell, held.name)
    }


def names(cell: Cell, name: str) -> Iterator[str]:
    """The names of a block's tensor in all its repetitions."""
    for number in range(cell.times):
        yield f"{cell.path.replace('*', str(number), 1)}.{name}" if cell.path else name


def foreign(shapes: Mapping[str, Shape]) -> Shapes:
    """The same under other names, one level deeper, with q, k and v as one."""
    found: Shapes = {}
    for name, shape in shapes.items():
        part = next((part for part in FUSED if f".{part}." in name), None)
        siblings = [shapes.get(name.replace(f".{part}.", f".{other}.")) for other in FUSED] if part else []
        if part and all(each is not None and each[1:] == shape[1:] for each in siblings):
            whole = (sum(each[0] for each in siblings if each), *shape[1:])
            found.setdefault(other_name(name.replace(f".{part}.", ".qkv.")), whole)
        else:
            found[other_name(name)] = shape
    return found


def larger(shapes: Mapping[str, Shape]) -> Shapes:
    """The same half as large again, so that sizes are no default's; those of kernels and lists stay."""
    return {
        name: tuple(size * 3 // 2 if size >= LARGE and size % 2 == 0 else size for size in shape)
        for name, shape in shapes.items()
    }


def other_name(name: str) -> str:
    """A name as somebody else may have it."""
    for theirs, other in FOREIGN:
        name = name.replace(theirs, other)
    return f"net.{name}"


def changed(architecture: Architecture, change: str) -> Shapes | None:
    """An architecture's tensors with a change in every block of its largest list; None where it has no place."""
    cell = max(architecture.cells, key=lambda each: (each.times > 1, each.total))
    shapes = full(architecture)
    norms = [held for held in cell.held if re.search(r"norm\w*\.weight$", held.name, re.IGNORECASE)]
    matrices = [held for held in cell.held if held.name.endswith(".weight") and len(held.dims) == 2]
    own = {held.name for held in cell.held}
    if change == "a norm less" and norms and not norms[0].optional:
        return {name: shape for name, shape in shapes.items() if name not in set(names(cell, norms[0].name))}
    if change == "an extra norm" and norms:
        return shapes | dict.fromkeys(names(cell, "further_norm.weight"), norms[0].shape)
    if change == "an added matrix" and matrices:
        return shapes | dict.fromkeys(names(cell, "adapter.weight"), matrices[0].shape)
    bare = [held for held in matrices if held.name.removesuffix("weight") + "bias" not in own]
    if change == "another bias" and bare:
        name = bare[0].name.removesuffix("weight") + "bias"
        return shapes | dict.fromkeys(names(cell, name), (bare[0].shape[0],))
    return None
