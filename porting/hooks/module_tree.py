"""The modules of a model, however deep: torch's own walks recurse and end at the recursion limit."""

from __future__ import annotations

from collections.abc import Iterator

import torch


def walk(model: torch.nn.Module, *, remove_duplicate: bool = True) -> Iterator[tuple[str, torch.nn.Module]]:
    """Every module by path, in the order of ``named_modules``.

    Args:
        model: where to begin; its path is ``""``.
        remove_duplicate: give a module once, under the path that is met first; else also under its other names, but
            nothing below those: a part may hold the module that it is part of.
    """
    seen: set[int] = set()
    waiting = [("", model)]
    while waiting:
        path, module = waiting.pop()
        known = id(module) in seen
        if not (known and remove_duplicate):
            yield path, module
        if known:
            continue
        seen.add(id(module))
        children = [(name, child) for name, child in module._modules.items() if child is not None]
        waiting += [(f"{path}.{name}" if path else name, child) for name, child in reversed(children)]


def executed_modules(model: torch.nn.Module, *, remove_duplicate: bool = True) -> list[tuple[str, torch.nn.Module]]:
    """The modules of the tree by path, without torch's own parametrizations: those belong to the module they serve."""
    return [
        (path, module)
        for path, module in walk(model, remove_duplicate=remove_duplicate)
        if "parametrizations" not in path.split(".")
    ]


def all_tensors(model: torch.nn.Module) -> list[torch.Tensor]:
    """Every parameter and buffer, once."""
    found: dict[int, torch.Tensor] = {}
    for _, module in walk(model):
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                found[id(tensor)] = tensor
    return list(found.values())


def unobserved_modules(model: torch.nn.Module, called: set[int]) -> tuple[str, ...]:
    """Paths of modules that were not seen called although the module around them was.

    Their ``forward`` was called directly, their weights were used without them, or the run did not need them. What
    lies below such a module is not listed; containers without a forward are looked through.

    Args:
        model: that ran.
        called: ``id`` of the modules that were called.
    """
    found: list[str] = []
    seen: set[int] = set()
    waiting = [("", model, False)]
    while waiting:
        path, module, around = waiting.pop()
        if id(module) in seen or path.rpartition(".")[2] == "parametrizations":
            continue
        seen.add(id(module))
        if id(module) in called:
            around = True
        elif _has_forward(module):
            found += [path] if around else []
            around = False
        waiting += [
            (f"{path}.{name}" if path else name, child, around)
            for name, child in reversed(module._modules.items())
            if child is not None
        ]
    return tuple(found)


def _has_forward(module: torch.nn.Module) -> bool:
    return "forward" in vars(module) or type(module).forward is not torch.nn.Module.forward
