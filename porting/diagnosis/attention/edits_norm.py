"""``missing-norm``: queries or keys that the original normalises before they are multiplied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from porting.diagnosis.attention.bench import Bench
from porting.diagnosis.attention.model import Attention, Edit, Side
from porting.diagnosis.attention.rotation import same

Norm = Callable[[torch.Tensor], torch.Tensor]


def norm_edits(bench: Bench) -> Iterator[Edit]:
    """The norms that the original's trace shows on the port's own queries and keys."""
    found: dict[str, tuple[str, Norm, bool]] = {}
    for name in ("query", "key"):
        side: Side = getattr(bench.attention, name)
        for path, before, after in bench.clues.unpaired:
            for late in (False, True):
                norm = _norm_between(side.tensor() if late else side.before, before, after)
                if norm is not None and name not in found:
                    found[name] = (path, norm, late)
    if found:
        told = " and ".join(f"{name} ({path})" for name, (path, _, _) in found.items())
        yield Edit(
            "missing-norm",
            f"the original normalises {told}, the port does not",
            f"apply the norm of {told} before the scores are computed",
            partial(_normed, norms={name: (norm, late) for name, (_, norm, late) in found.items()}),
        )


def _normed(attention: Attention, norms: dict[str, tuple[Norm, bool]]) -> Attention:
    changed = {}
    for name, (norm, late) in norms.items():
        side: Side = getattr(attention, name)
        changed[name] = side.but(before=norm(side.tensor()), turn=None, gain=1.0) if late else _before(side, norm)
    return attention.but(**changed)


def _before(side: Side, norm: Norm) -> Side:
    return side.but(before=norm(side.before))


def _norm_between(own: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> Norm | None:
    """The norm that made ``after`` of ``before``, as a function of heads, if ``own`` is what it was given."""
    for view in (_heads, _heads_turned, _joined):
        laid = view(own)
        if (
            laid.numel() == before.numel()
            and laid.shape[-1] == before.shape[-1]
            and same(laid.reshape(before.shape), before)
        ):
            for plain in (_root_mean_square, _layer):
                norm = _weighted(plain, before, after)
                if norm is not None:
                    return partial(_applied, norm=norm, view=view)
    return None


def _weighted(plain: Norm, before: torch.Tensor, after: torch.Tensor) -> Norm | None:
    """A norm with the weight that fits; None if none does. There are many more rows than its one weight each."""
    ready = plain(before.double()).flatten(0, -2)
    rows = after.double().flatten(0, -2)
    if len(rows) < 8:
        return None
    weight = (ready * rows).sum(0) / (ready * ready).sum(0)
    return partial(_times, plain=plain, weight=weight) if same((ready * weight).float(), rows.float()) else None


def _times(tensor: torch.Tensor, plain: Norm, weight: torch.Tensor) -> torch.Tensor:
    return (plain(tensor.double()) * weight).to(tensor.dtype)


def _applied(heads: torch.Tensor, norm: Norm, view: Norm) -> torch.Tensor:
    result = norm(view(heads))
    if view is _heads:
        return result
    batch, count, length, width = heads.shape
    return result.reshape(batch, length, count, width).transpose(1, 2)


def _heads(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _heads_turned(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.transpose(1, 2)


def _joined(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.transpose(1, 2).flatten(2)


def _root_mean_square(tensor: torch.Tensor) -> torch.Tensor:
    return tensor * torch.rsqrt(tensor.pow(2).mean(-1, keepdim=True) + 1e-6)


def _layer(tensor: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(tensor, tensor.shape[-1:], eps=1e-6)
