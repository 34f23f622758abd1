"""The original's own names of a checkpoint's tensors, where the checkpoint calls them otherwise: found by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from porting.trace import Trace
from porting.trace.sketches import sketch
from porting.weights.report import Spec

Content = tuple[str, tuple[int, ...], int]
SHARE = 0.5
"""Share of the checkpoint's names that must be the original's for them to be its own."""


def aliases(specs: Mapping[str, Spec], read: Callable[[str], torch.Tensor], original: Trace) -> dict[str, str]:
    """The original's name by the checkpoint's, for tensors whose content only one of the original's has.

    Args:
        specs: what the checkpoint holds.
        read: gives one of its tensors.
        original: the original's trace, with sketches of its weights.
    """
    own = _contents(original)
    if sum(name in own for name in specs) >= SHARE * len(specs):
        return {}
    named: dict[Content, list[str]] = {}
    for name, content in own.items():
        named.setdefault(content, []).append(name)
    found: dict[str, str] = {}
    for name in specs:
        names = named.get(_content(read(name)) or ("", (), 0), [])
        if len(names) == 1 and names[0] not in specs:
            found.setdefault(names[0], name)
    return {name: alias for alias, name in found.items()}


def _contents(original: Trace) -> dict[str, Content]:
    """The content of each tensor that the original owns, by its full name."""
    return {
        f"{module.path}.{held.name}" if module.path else held.name: (held.dtype, held.shape, held.sketch.crc32)
        for module in original.modules.values()
        for held in module.parameters
        if held.sketch is not None and held.tied_to is None
    }


def _content(tensor: torch.Tensor) -> Content | None:
    made = sketch(tensor)
    dtype = str(tensor.dtype).removeprefix("torch.")
    return None if made is None else (dtype, tuple(tensor.shape), made.crc32)
