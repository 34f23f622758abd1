"""Modules that stand at the same place of other layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch


def deviates(model: torch.nn.Module, path: str) -> bool:
    """Whether a module without parts of its own is unlike most of its kin, which agree with each other.

    Kin are the modules whose path differs in one number; they are alike if they print the same, class and settings.
    Where the layers are of several widths, only those with parameters of the same shapes are kin. Of several numbers
    the first one along which kin agree with each other, or any with the module, decides: the first block of every
    stage may be unlike the others of its stage.
    """
    modules = dict(model.named_modules())
    if path not in modules or any(True for _ in modules[path].children()):
        return False
    own = repr(modules[path])
    for kin in _kin(modules, path):
        if own in kin:
            return False
        if kin and 2 * kin.most_common(1)[0][1] > kin.total():
            return True
    return False


def _kin(modules: dict[str, torch.nn.Module], path: str) -> Iterator[Counter[str]]:
    """How the kin print, for each number in the path."""
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            others = (other.split(".") for other in modules if other.count(".") == len(parts) - 1 and other != path)
            yield Counter(
                repr(modules[".".join(other)])
                for other in others
                if other[place].isdigit()
                and [*other[:place], part, *other[place + 1 :]] == parts
                and _shapes(modules[".".join(other)]) == _shapes(modules[path])
            )


def _shapes(module: torch.nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in module.parameters()]
