"""``activation``, ``missing-activation`` and ``softcap``: another elementwise function than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.functions import Elementwise, recognised
from porting.diagnosis.modules.gated import gated_pairs
from porting.diagnosis.modules.results import Result, explains, reproduces, results
from porting.diagnosis.modules.rewiring import recomputed
from porting.diagnosis.scene import Gap
from porting.hooks.preserving import preserved


class ActivationModule(Cause):
    """A module that computes one elementwise function where the original has another, or none."""

    codes: ClassVar = ("activation", "missing-activation", "softcap")
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's function, read off its tensors, as the module's forward."""
        found = next(filter(None, map(_pair, results(case))), None)
        if found is not None:
            _, mine, theirs = found
            text = type(case.module).__name__ if mine is None else mine.text
            yield repair(
                mine, theirs, f"the module computes {text}", partial(changes.forward, case.module, _function(theirs))
            )


class ActivationInCode(Cause):
    """The culprit's own code applies one function to a tensor, or to one factor of a product, the original another."""

    codes: ClassVar = ("activation", "missing-activation", "softcap")
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's function of the same tensor."""
        for gap in case.gaps:
            found = next(gated_pairs(gap, case.known(gap)), None)
            if found is not None:
                gate, mine, theirs = found
                apply = recomputed(case, gap, partial(gate.apply, theirs))
                yield repair(mine, theirs, f"the code applies {mine.text} to {gate.text}", apply)


def repair(mine: Elementwise | None, theirs: Elementwise, text: str, apply: Any) -> Repair:
    """The repair that puts one function in the place of another."""
    kinds = {theirs.kind, "activation" if mine is None else mine.kind}
    code = "softcap" if "softcap" in kinds else "missing-activation" if "identity" in kinds else "activation"
    fix = f"apply {theirs.text} there: check the activation's name and constants in the config and the code"
    if theirs.kind == "identity":
        fix = "leave the function out there"
    return Repair(code, f"{text}, the original {theirs.text}", fix, apply)


def _pair(result: Result) -> tuple[Result, Elementwise | None, Elementwise] | None:
    """What the module and the original compute, if those are two elementwise functions; None where they are not."""
    x, gap = result.source, result.gap
    if x is None or x.shape != gap.right.shape or result.leaf:
        return None
    mine = recognised(x, gap.wrong, lambda function: reproduces(gap, function.apply(x)))
    if mine is None and (_is_proportional(gap) or not _is_elementwise(result, x)):
        return None
    theirs = recognised(x, gap.right, lambda function: explains(gap, function.apply(x)))
    return None if theirs is None or (mine and mine.text == theirs.text) else (result, mine, theirs)


def _function(function: Elementwise) -> Any:
    """A module's forward that applies a function to the floating tensor among the arguments."""

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensors = (each for each in (*args, *kwargs.values()) if isinstance(each, torch.Tensor))
        return function.apply(next(each for each in tensors if each.is_floating_point()))

    return forward


def _is_proportional(gap: Gap) -> bool:
    """Whether the two differ by a factor, which is no other function."""
    return abs(float(torch.cosine_similarity(gap.wrong.flatten(), gap.right.flatten(), dim=0))) > 1 - 1e-6


def _is_elementwise(result: Result, x: torch.Tensor) -> bool:
    """Whether exchanging elements of the argument exchanges those of the result, and nothing more."""
    module, order = result.moment.module, torch.randperm(x.numel(), generator=torch.Generator().manual_seed(0))
    if any(True for _ in module.parameters()):
        return False
    try:
        with preserved(module), torch.no_grad():
            mixed = module.forward(x.flatten()[order].view(x.shape))
    except Exception:
        return False
    same = isinstance(mixed, torch.Tensor) and mixed.shape == x.shape
    return same and torch.allclose(mixed.flatten(), result.gap.wrong.flatten()[order], rtol=1e-5, atol=1e-7)
