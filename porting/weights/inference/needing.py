"""Which tensors of a port its final outputs depend on: what a run that matches shows to be right, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from porting.weights.inference.names import parents
from porting.weights.inference.seeing import Bench, Sight

STATISTICS = ("running_mean", "running_var")


def needed(bench: Bench, sight: Sight) -> frozenset[str]:
    """The tensors that a gradient of the compared outputs reaches, and those of modules whose results were found.

    A gradient does not pass integer codes; a module whose results are the original's was seen to be right anyway.
    """
    works = {path for path, found in sight.results.items() if found and path}
    tensors = {
        **dict(bench.ported.named_parameters()),
        **{name: each for name, each in bench.ported.named_buffers() if name.endswith(STATISTICS)},
    }
    seen = {name for name in tensors if name.rpartition(".")[0] in sight.results and works.intersection(parents(name))}
    return frozenset(seen | _reached(bench))


def _reached(bench: Bench) -> set[str]:
    """The names of the tensors that a gradient reaches; none if there is no gradient."""
    model = bench.ported
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    floating = {name: tensor for name, tensor in named.items() if tensor.is_floating_point()}
    with _with_gradients(floating), torch.enable_grad():
        try:
            result = bench.run(model, bench.inputs.fresh()) if bench.run else bench.inputs.fresh().forward(model)
            compared = bench.compared(result) or _tensors(result)
            total = sum((each.float().square().sum() for each in compared if each.requires_grad), torch.zeros(()))
            slopes = torch.autograd.grad(total, list(floating.values()), allow_unused=True)
        except RuntimeError:
            return set()
    return {name for name, slope in zip(floating, slopes, strict=True) if slope is not None and bool(slope.any())}


@contextmanager
def _with_gradients(tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
    before = {name: tensor.requires_grad for name, tensor in tensors.items()}
    try:
        for tensor in tensors.values():
            tensor.requires_grad_()
        yield
    finally:
        for name, tensor in tensors.items():
            tensor.requires_grad_(before[name])


def _tensors(value: Any) -> list[torch.Tensor]:
    leaves = tree_leaves(value.to_tuple() if hasattr(value, "to_tuple") else value)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
