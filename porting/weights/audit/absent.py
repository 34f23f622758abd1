"""Checkpoint tensors for which a module of the model has a place, and None in it: a bias that was left out."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.weights.matching import Matching
from porting.weights.report import Finding
from porting.weights.rules.steps import Read, Step, listing


def absent(model: torch.nn.Module, found: Matching, read: Read) -> Iterator[tuple[str, Finding]]:
    """A finding for each, with the name under which it is reported as left over.

    A tensor of zeros is none: without it the model computes the same.
    """
    for step in found.lost:
        names = [name for name in step.targets if _has_empty_place(model, name)]
        results = step.run(read) if names else {}
        for name in names:
            if not results[name].is_meta and results[name].any():
                yield (step.sources[0] if step.is_rename else name), _finding(name, step)


def _has_empty_place(model: torch.nn.Module, name: str) -> bool:
    path, _, leaf = name.rpartition(".")
    try:
        module = model.get_submodule(path)
    except AttributeError:
        return False
    return any(leaf in held and held[leaf] is None for held in (module._parameters, module._buffers))


def _finding(name: str, step: Step) -> Finding:
    bias = "bias" in name.rpartition(".")[2]
    given = step.result(name)
    note = f"the model's is None, and the checkpoint's is not zero (from {listing(step.sources)})"
    return Finding("ABSENT", name, given, note=note, cause="missing-bias" if bias else "not-loaded")
