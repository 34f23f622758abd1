"""``missing-norm``: no norm where the original has one; ``norm-placement``: one where the original has none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.causes.norm_formula import affine_of, epsilons, group_counts, own_affine
from porting.diagnosis.modules.norms import Affine, Norm, matching
from porting.diagnosis.modules.results import explains, reproduces, results
from porting.diagnosis.scene import Gap
from porting.trace import ModuleInfo

MOST_NORMS = 12
"""Original norms without a counterpart that are thought of at one place."""


class MissingNorm(Cause):
    """What arrives is the argument of a norm that only the original applies."""

    codes: ClassVar = ("missing-norm",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's norm, with the weights that its trace holds, applied to what the port has there."""
        for gap in case.gaps:
            if gap.wrong.dim() < 2 or not gap.wrong.is_floating_point():
                continue
            for name, affine in _candidates(case):
                norm = _norm(case, gap, affine)
                if norm is not None:
                    exchange = changes.output if gap.where == "output" else changes.argument
                    place = case.model.get_submodule(gap.path)
                    yield Repair(
                        code="missing-norm",
                        summary=f"no norm is applied there, the original applies {name}",
                        fix=f"apply a norm there ({norm.text}), with the weights of the original's {name}",
                        apply=partial(exchange, place, partial(norm.apply, affine=affine), gap.leaf),
                    )
                    return


class ExtraNorm(Cause):
    """A module that applies a norm where the original goes on with its argument."""

    codes: ClassVar = ("norm-placement",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The argument itself as the module's result."""
        for result in results(case):
            x, gap = result.source, result.gap
            if x is None or result.leaf or x.dim() < 2 or not explains(gap, x):
                continue
            affine = own_affine(case.module)
            if matching(x, gap.wrong, affine, partial(reproduces, gap), epsilons=epsilons(case)):
                yield Repair(
                    code="norm-placement",
                    summary=f"{type(case.module).__name__} is applied there, the original applies no norm",
                    fix="leave the norm out there",
                    apply=partial(changes.forward, case.module, _first),
                )
                return


def _norm(case: Case, gap: Gap, affine: Affine) -> Norm | None:
    found = matching(
        gap.wrong, gap.right, affine, partial(explains, gap), groups=group_counts(case), epsilons=epsilons(case)
    )
    return next(iter(found), None)


def _candidates(case: Case) -> Iterator[tuple[str, Affine]]:
    """The norms that the original may apply: the counterpart, those that no module of the port stands for, any."""
    if case.counterpart is not None:
        yield from _recorded(case.counterpart)
    called = {call.path for call in case.original.calls}
    lonely = [path for path in case.original.modules if path in called and path not in _matched(case)]
    found = [each for path in lonely for each in _recorded(case.original.modules[path])]
    yield from found[:MOST_NORMS]
    yield "a norm without weights", Affine()


def _matched(case: Case) -> set[str]:
    return {path for group in case.alignment.groups for path in group.original}


def _recorded(info: ModuleInfo) -> Iterator[tuple[str, Affine]]:
    """The vectors of an original module that can be a norm: the sketch of a vector holds its values."""
    values = {
        parameter.name: torch.from_numpy(np.array(parameter.sketch.axes[0])).float()
        for parameter in info.parameters
        if len(parameter.shape) == 1 and parameter.sketch is not None
    }
    mean, variance = values.pop("running_mean", None), values.pop("running_var", None)
    wide = any(len(parameter.shape) > 1 for parameter in info.parameters)
    if values and not wide and len({vector.numel() for vector in values.values()}) == 1:
        yield info.path, affine_of(values, mean, variance)


def _first(*args: torch.Tensor, **kwargs: torch.Tensor) -> torch.Tensor:
    return next(iter((*args, *kwargs.values())))
