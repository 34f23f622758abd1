"""What the config holds that the inputs do not reach or that hides bugs by itself: windows, heads, experts."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.inputs.roles import role_of
from porting.inputs.settings import (
    CHOSEN,
    EXPERTS,
    HEADS,
    KEY_VALUE_HEADS,
    Settings,
    first_of,
    is_window,
    scaled_from,
    windows,
)
from porting.text import show
from porting.trace import Trace


def limit_warnings(ported: Trace, settings: Settings) -> Iterator[tuple[str, str]]:
    """Windows, scaled rotations, grouped heads and routed experts that these inputs and this config do not show."""
    length = _longest(ported)
    if length:
        yield from _lengths(ported, settings, length)
    heads, shared = first_of(settings, HEADS), first_of(settings, KEY_VALUE_HEADS)
    if heads and shared and heads[1] > 1 and shared[1] in (1, heads[1]):
        text = (
            f"with {show(shared[0])} = {shared[1]} and {heads[1]} heads the order in which shared heads are repeated"
        )
        yield "key-value-heads", f"{text} is not seen; verify a small config with fewer of them, if models have that"
    experts, chosen = first_of(settings, EXPERTS), first_of(settings, CHOSEN)
    if experts and chosen and chosen[1] == experts[1] > 1:
        text = f"all {experts[1]} experts are chosen for every token, so routing and its normalisation are not seen"
        yield "all-experts", f"{text}; verify a config that chooses fewer"


def longest_window(model: torch.nn.Module, settings: Settings) -> int:
    """The widest window of attention to text that a live model or its config has, 0 without one."""
    widths = [
        value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if type(value) is int and value > 1 and is_window(f"{path}.{name}")
    ]
    return max(widths or windows(settings).values(), default=0)


def _longest(ported: Trace) -> int:
    """The longest text among the inputs, 0 without any."""
    sequences = [leaf for leaf in ported.inputs.tensor_leaves() if leaf.shape and len(leaf.shape) == 2]
    lengths = [
        tensor.shape[1]
        for leaf in sequences
        if role_of(leaf.name, tensor := ported.tensor(leaf)) in ("tokens", "mask", "positions", "types")
    ]
    return max(lengths, default=0)


def _lengths(ported: Trace, settings: Settings, length: int) -> Iterator[tuple[str, str]]:
    unreached = {name: width for name, width in _windows(ported, settings).items() if width >= length}
    if unreached:
        name, width = max(unreached.items(), key=lambda item: item[1])
        text = f"the sequence of {length} stays within {show(name)} = {width}, so a missing or wrong window"
        yield "short-sequence", f"{text} is not seen; pass {width + 1} positions or more, or: porting verify --probe"
    start = scaled_from(settings)
    if start is not None and length <= start:
        text = f"rotations are scaled from {start} positions on, and the sequence has {length}"
        yield "unscaled-rotation", f"{text}, so the scaling is not seen; pass a longer one, or: porting verify --probe"


def _windows(ported: Trace, settings: Settings) -> dict[str, int]:
    """Widths of windows by name: those of modules, which were really built with them, else those of the config."""
    found: dict[str, int] = {}
    for module in ported.modules.values():
        for name, value in module.settings.items():
            if type(value) is int and value > 1 and is_window(f"{module.path}.{name}") and value not in found.values():
                found[f"{module.path}.{name}" if module.path else name] = value
    return found or windows(settings)
