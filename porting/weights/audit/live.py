"""Everything that a live model holds besides its state dict: non-persistent buffers and plain tensor attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch


def others(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Buffers that are not saved, and tensors that are neither parameter nor buffer, by name.

    Plain tensors are also found in lists, tuples and mappings that are attributes (``layer.tables[0]``). A tensor
    that is in the state dict under another name is left out.
    """
    saved = model.state_dict(keep_vars=True)
    known = {id(value) for value in saved.values()}
    found: dict[str, torch.Tensor] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for name, value in (*module.named_buffers(recurse=False), *_attributes(module)):
            full = f"{path}.{name}" if path else name
            if full not in saved and id(value) not in known:
                found[full] = value
    return found


def _attributes(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in vars(module).items():
        if name not in ("_parameters", "_buffers", "_modules"):
            yield from _tensors(name, value)


def _tensors(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            if isinstance(each, torch.Tensor):
                yield f"{name}[{index}]", each
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, torch.Tensor):
                yield f"{name}[{key!r}]", each
