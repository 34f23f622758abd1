"""``norm-type``, ``norm-formula``, ``norm-eps`` and ``missing-norm``: another norm than the original's, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.norms import USUAL, Affine, Norm, matching
from porting.diagnosis.modules.results import explains, reproduces, results
from porting.diagnosis.modules.rewiring import Known, recomputed
from porting.diagnosis.scene import Gap

_WEIGHTS = {"norm-type": 6, "batch-norm-training": 6, "norm-formula": 3, "missing-bias": 3, "norm-eps": 2}
_ODD = 8
"""What an epsilon that nobody would write weighs against differences in the formula."""
MOST_ARGUMENTS = 6


class NormFormula(Cause):
    """A module that computes another norm than the original does of the same argument."""

    codes: ClassVar = ("norm-type", "norm-formula", "norm-eps", "missing-bias", "batch-norm-training")
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's formula with the port's own weights."""
        affine = own_affine(case.module)
        for result in results(case):
            x = result.source
            if x is None or result.leaf or x.shape != result.gap.right.shape or x.dim() < 2:
                continue
            found = _pair(case, result.gap, x, affine)
            if found is not None:
                mine, theirs = found
                yield repair(mine, theirs, partial(changes.forward, case.module, _forward(theirs, affine)))
                return


class NormInCode(Cause):
    """The culprit's own code computes another norm of a tensor than the original does."""

    codes: ClassVar = ("norm-type", "norm-formula", "norm-eps", "missing-bias")
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's formula of the same tensor."""
        for gap in case.gaps:
            known = case.known(gap)
            affine = own_affine(case.module, gap.right.shape[-1:])
            names = [name for name, tensor in known.items() if _may_be_argument(tensor, gap)]
            for name in names[-MOST_ARGUMENTS:]:
                found = _pair(case, gap, known[name], affine)
                if found is not None:
                    compute = partial(_normed, found[1], affine, name)
                    yield repair(*found, recomputed(case, gap, compute))
                    return


def repair(mine: Norm, theirs: Norm, apply: Any) -> Repair:
    """The repair that puts one formula in the place of another."""
    differences = mine.differences(theirs)
    ours = " and ".join(each[1] for each in differences)
    others = " and ".join(each[2] for each in differences)
    fix = f"compute the norm with {others}"
    return Repair(differences[0][0], f"the norm has {ours}, the original's {others}", fix, apply)


def own_affine(module: torch.nn.Module, shape: torch.Size | None = None) -> Affine:
    """The vectors that a norm holds, by their roles."""
    vectors = {
        name: tensor
        for name, tensor in module.named_parameters(recurse=False)
        if tensor.dim() == 1 and (shape is None or tensor.shape == shape)
    }
    buffers = dict(module.named_buffers(recurse=False))
    return affine_of(vectors, buffers.get("running_mean"), buffers.get("running_var"))


def affine_of(
    vectors: Mapping[str, torch.Tensor], mean: torch.Tensor | None = None, variance: torch.Tensor | None = None
) -> Affine:
    """Vectors by their roles, told by their names and order."""
    bias = next((name for name in vectors if is_bias(name)), None)
    weight = next((name for name in vectors if name != bias), None)
    return Affine(vectors[weight] if weight else None, vectors[bias] if bias else None, mean, variance)


def is_bias(name: str) -> bool:
    """Whether a parameter is named like one that is added."""
    return any(stem in name.lower() for stem in ("bias", "beta", "shift")) or name.lower() == "b"


def epsilons(case: Case) -> list[float]:
    """The epsilons that the settings name, the original's first, then the port's and those of its config."""
    config = getattr(case.model, "config", None)
    named: list[Mapping[str, Any]] = [{} if case.counterpart is None else case.counterpart.settings]
    named += [case.info.settings, {} if config is None else vars(config)]
    found = [v for each in named for name, v in each.items() if "eps" in name.lower() and isinstance(v, float)]
    return list(dict.fromkeys(found))


def closest(case: Case, ours: list[Norm], theirs: list[Norm]) -> tuple[Norm, Norm] | None:
    """The two formulas that differ in the fewest and likeliest ways; None if two are the same."""
    usual = {*USUAL, *epsilons(case)}

    def odd(pair: tuple[Norm, Norm]) -> int:
        differences = sum(_WEIGHTS[code] for code, *_ in pair[0].differences(pair[1]))
        return differences + sum(_ODD for norm in pair if norm.eps not in usual)

    pairs = sorted(((a, b) for a in ours for b in theirs), key=odd)
    return pairs[0] if pairs and pairs[0][0] != pairs[0][1] else None


def _pair(case: Case, gap: Gap, x: torch.Tensor, affine: Affine) -> tuple[Norm, Norm] | None:
    eps, groups = epsilons(case), group_counts(case)
    ours = matching(x, gap.wrong, affine, partial(reproduces, gap), groups=groups, epsilons=eps)
    if not ours:
        return None
    theirs = matching(x, gap.right, affine, partial(explains, gap), groups=groups, epsilons=eps)
    return closest(case, ours, theirs)


def group_counts(case: Case) -> list[int]:
    """Numbers of groups that the settings of the two modules name."""
    config = getattr(case.model, "config", None)
    named: list[Mapping[str, Any]] = [case.info.settings, {} if config is None else vars(config)]
    named.append({} if case.counterpart is None else case.counterpart.settings)
    return [v for each in named for name, v in each.items() if _counts(name) and type(v) is int and v > 1]


def _counts(name: str) -> bool:
    return "group" in name.lower() or "heads" in name.lower()


def _may_be_argument(tensor: torch.Tensor, gap: Gap) -> bool:
    return tensor.is_floating_point() and tensor.shape == gap.right.shape and tensor.dim() > 1


def _normed(norm: Norm, affine: Affine, name: str, known: Known) -> torch.Tensor:
    return norm.apply(known[name], affine)


def _forward(norm: Norm, affine: Affine) -> Any:
    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensors = (each for each in (*args, *kwargs.values()) if isinstance(each, torch.Tensor))
        return norm.apply(next(each for each in tensors if each.is_floating_point()), affine)

    return forward
