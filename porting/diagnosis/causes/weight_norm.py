"""``weight-norm``: a direction taken for the weight, or normed along another axis."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.owned import Owned, live, same_content
from porting.diagnosis.tensors.roles import role
from porting.diagnosis.tensors.target import Target
from porting.trace import ModuleInfo


class WeightNorm(Cause):
    """The original keeps a weight as magnitude and direction, the port one of them, both multiplied, or two others."""

    codes: ClassVar = ("weight-norm",)
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The direction over its norm, times the magnitude, in the place of the port's weight."""
        if case.counterpart is None:
            return
        theirs, mine = _by_role(case.counterpart), _by_role(case.info)
        if not {"weight_g", "weight_v"} <= theirs.keys():
            return
        magnitude = _magnitude(case, theirs["weight_g"])
        if magnitude is None:
            return
        if "weight" in mine and mine["weight"].shape == theirs["weight_v"].shape:
            yield _folded(case, mine["weight"], theirs, magnitude)
        elif {"weight_g", "weight_v"} <= mine.keys() and mine["weight_g"].shape != theirs["weight_g"].shape:
            yield _other_axis(case, mine, theirs, magnitude)


def _folded(case: Case, weight: Owned, theirs: dict[str, Owned], magnitude: torch.Tensor) -> Repair:
    values = live(case.model, weight).detach()
    bare = same_content(theirs["weight_v"], weight)
    what = "holds the direction alone" if bare else "is not the direction over its norm times the magnitude"
    return Repair(
        code="weight-norm",
        summary=f"{weight.name} {what}, the original multiplies {theirs['weight_v'].name} "
        f"by {theirs['weight_g'].name} over its norm",
        fix=f"fold the weight norm once in the conversion: g * v / ||v||, the norm over {_axes(magnitude)}",
        apply=partial(changes.content, live(case.model, weight), _product(magnitude, values)),
        recognised=bare,
        owner=case.path,
    )


def _other_axis(case: Case, mine: dict[str, Owned], theirs: dict[str, Owned], magnitude: torch.Tensor) -> Repair:
    """The same product written with the port's axis: its direction is the product, its magnitude the norm of that."""
    product = _product(magnitude, live(case.model, mine["weight_v"]).detach())
    kept = live(case.model, mine["weight_g"])
    norm = product.norm(dim=[axis for axis in range(product.dim()) if kept.shape[axis] == 1], keepdim=True)
    return Repair(
        code="weight-norm",
        summary=f"{mine['weight_g'].name} has shape {mine['weight_g'].shape}, "
        f"the original's {theirs['weight_g'].name} has {theirs['weight_g'].shape}: the norm is over other axes",
        fix=f"apply weight_norm with the original's dim: the norm over {_axes(magnitude)}",
        apply=changes.together(
            partial(changes.content, live(case.model, mine["weight_v"]), product),
            partial(changes.content, kept, norm),
        ),
        recognised=True,
        owner=case.path,
    )


def _by_role(module: ModuleInfo) -> dict[str, Owned]:
    return {role(info.name): Owned(module.path, info) for info in module.parameters}


def _magnitude(case: Case, tensor: Owned) -> torch.Tensor | None:
    return Target(tensor, tensor.shape, tensor.axes).content(case)


def _product(magnitude: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    over = [axis for axis in range(direction.dim()) if magnitude.shape[axis] == 1]
    unit: torch.Tensor = direction / direction.norm(dim=over, keepdim=True)
    return magnitude.to(direction.dtype) * unit


def _axes(magnitude: torch.Tensor) -> str:
    return "axes " + ", ".join(str(axis) for axis in range(magnitude.dim()) if magnitude.shape[axis] == 1)
