"""``expert-routing``: a router that scores, chooses or normalises in another way than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, ClassVar

import torch
from torch.nn import functional

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair, tensors_of
from porting.diagnosis.modules.results import explains, reproduces, results
from porting.diagnosis.modules.rewiring import Known, recomputed
from porting.diagnosis.scene import Gap
from porting.reruns.feeding import substituted

SCORES = ("softmax", "sigmoid")
NORMS = ("as they are", "divided by their sum")


@dataclass(frozen=True, slots=True)
class Routing:
    """How the weights of the chosen experts follow from the router's logits.

    Attributes:
        score: what is applied to all logits.
        norm: what is done with the chosen ones; by their sum, softmax scores are the softmax over the chosen logits.
        scale: factor on the result.
    """

    score: str
    norm: str
    scale: float = 1.0

    def apply(self, logits: torch.Tensor, count: int) -> torch.Tensor:
        """The weights of the ``count`` largest, the largest first."""
        chosen = logits.float().topk(count, dim=-1).indices
        scores = logits.float().softmax(-1) if self.score == "softmax" else logits.float().sigmoid()
        weights = scores.gather(-1, chosen)
        if self.norm == NORMS[1]:
            weights = weights / weights.sum(-1, keepdim=True)
        return self.scale * weights

    def __str__(self) -> str:
        """In print."""
        return f"{self.score} scores {self.norm}" + (f", times {self.scale:g}" if self.scale != 1 else "")


class Router(Cause):
    """A module that returns the chosen experts' weights, or code that computes them from a router's logits."""

    codes: ClassVar = ("expert-routing",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The original's way from the same logits."""
        for result in results(case):
            logits = _own_logits(case.module, result.source)
            found = None if logits is None else _pair(result.gap, logits)
            if found is not None:
                forward = _forward(case.module, result.leaf, found[1])
                yield _repair(found, partial(changes.forward, case.module, forward))
                return
        for gap in case.gaps:
            for name, logits in case.known(gap).items():
                found = _pair(gap, logits)
                if found is not None:
                    yield _repair(found, recomputed(case, gap, partial(_routed, found[1], name, gap.right.shape[-1])))
                    return


def _repair(found: tuple[Routing, Routing], apply: Any) -> Repair:
    mine, theirs = found
    return Repair(
        code="expert-routing",
        summary=f"the experts' weights are {mine}, the original's {theirs}",
        fix=f"take {theirs} (normalisation of the chosen weights in the config or the router)",
        apply=apply,
    )


def _pair(gap: Gap, logits: torch.Tensor) -> tuple[Routing, Routing] | None:
    if not logits.is_floating_point() or logits.dim() < 2 or gap.right.dim() < 2:
        return None
    if not 0 < gap.right.shape[-1] < logits.shape[-1] or logits.shape[:-1].numel() != gap.right.shape[:-1].numel():
        return None
    theirs = _recognised(gap, gap.right, logits, explains)
    mine = None if theirs is None else _recognised(gap, gap.wrong, logits, reproduces)
    return None if mine is None or theirs is None or mine == theirs else (mine, theirs)


def _recognised(gap: Gap, values: torch.Tensor, logits: torch.Tensor, agrees: Any) -> Routing | None:
    for score, norm in product(SCORES, NORMS):
        plain = Routing(score, norm).apply(logits, values.shape[-1]).reshape(values.shape)
        ratio = float((plain * values.float()).sum() / plain.square().sum())
        for scale in dict.fromkeys((1.0, float(f"{ratio:.3g}"))):
            if agrees(gap, (scale * plain).to(values.dtype)):
                return Routing(score, norm, scale)
    return None


def _own_logits(module: torch.nn.Module, x: torch.Tensor | None) -> torch.Tensor | None:
    """The logits that a router computes with the first matrix that fits its argument."""
    for matrix in module.parameters():
        if x is not None and matrix.dim() == 2 and matrix.shape[1] == x.shape[-1]:
            bias = next((v for v in module.parameters() if v.dim() == 1 and v.numel() == matrix.shape[0]), None)
            return functional.linear(x, matrix, bias).detach()
    return None


def _routed(routing: Routing, name: str, count: int, known: Known) -> torch.Tensor:
    return routing.apply(known[name], count)


def _forward(module: torch.nn.Module, leaf: str, routing: Routing) -> Any:
    """The module's forward with the weights computed in another way."""
    inner = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = inner(*args, **kwargs)
        x = next(each for each in (*args, *kwargs.values()) if isinstance(each, torch.Tensor))
        logits = _own_logits(module, x)
        weights = tensors_of(output)[leaf]
        assert logits is not None
        routed = routing.apply(logits, weights.shape[-1]).reshape(weights.shape).to(weights.dtype)
        return routed if output is weights else substituted(output, {id(weights): routed})

    return forward
