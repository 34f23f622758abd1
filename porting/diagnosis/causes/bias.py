"""``missing-bias``: the original adds a bias that the port does not have; or the port has one too many."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.roles import role
from porting.diagnosis.tensors.target import Target
from porting.diagnosis.tensors.targets import lacking
from porting.trace import ModuleInfo


class MissingBias(Cause):
    """Biases of the two modules that are on one side only."""

    codes: ClassVar = ("missing-bias", "not-loaded")
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's bias added to the output; the port's own set to zero."""
        for path, target in lacking(case):
            values = target.content(case)
            if role(target.source.info.name) == "bias" and len(target.shape) == 1 and values is not None:
                yield _added(case, path, target, values)
        if case.counterpart is not None and not _has_bias(case.counterpart):
            yield from (_removed(case, Owned(case.path, each)) for each in case.info.parameters if _is_bias(each.name))


def _added(case: Case, path: str, target: Target, values: torch.Tensor) -> Repair:
    module = case.model.get_submodule(path)
    return Repair(
        code="missing-bias",
        summary=f"{path or 'the model'} has no bias, the original adds {target.name}",
        fix=f"build {path or 'the model'} with bias=True and load the original's {target.name}",
        apply=partial(changes.output, module, partial(_plus, values)),
        recognised=True,
        owner=path,
    )


def _plus(values: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """A bias added along the channels: the last axis, or that after the batch for an image or a signal."""
    bias = values.to(made.dtype)
    return made + (bias if made.shape[-1] == len(bias) else bias.view(-1, *[1] * (made.dim() - 2)))


def _removed(case: Case, bias: Owned) -> Repair:
    tensor = live(case.model, bias)
    return Repair(
        code="not-loaded",
        summary=f"{bias.name} is in no checkpoint of the original, which has no bias there, and is not zero",
        fix=f"build {case.path or 'the model'} with bias=False",
        apply=partial(changes.content, tensor, torch.zeros_like(tensor)),
        owner=case.path,
    )


def _has_bias(module: ModuleInfo) -> bool:
    return any(_is_bias(each.name) for each in module.parameters)


def _is_bias(name: str) -> bool:
    return role(name) == "bias"
