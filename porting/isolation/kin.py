"""Modules that stand at the same place of other layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch


def deviates(model: torch.nn.Module, path: str) -> bool:
    """Whether a module without parts of its own is unlike most of its kin, which agree with each other.

    Kin are the modules whose path differs in one number; they are alike if they print the same, class and settings.
    """
    modules = dict(model.named_modules())
    if path not in modules or any(True for _ in modules[path].children()):
        return False
    own = repr(modules[path])
    most = (kin.most_common(1)[0] + (kin.total(),) for kin in _kin(modules, path) if kin)
    return any(text != own and 2 * count > total for text, count, total in most)


def _kin(modules: dict[str, torch.nn.Module], path: str) -> Iterator[Counter[str]]:
    """How the kin print, for each number in the path."""
    parts = path.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            others = (other.split(".") for other in modules if other.count(".") == len(parts) - 1 and other != path)
            yield Counter(
                repr(modules[".".join(other)])
                for other in others
                if other[place].isdigit() and [*other[:place], part, *other[place + 1 :]] == parts
            )
