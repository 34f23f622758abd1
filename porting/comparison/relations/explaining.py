"""All relations that hold between a wrong tensor and the right one, simplest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from porting.comparison.relations import (
    axes,
    dropout,
    factors,
    functions,
    norms,
    orders,
    places,
    pools,
    precision,
    products,
    terms,
)
from porting.comparison.relations.model import Proposal, Relation, as_repair, plain, wide
from porting.comparison.relations.pair import BITS, MARGIN, Pair

Family = Callable[[Pair], Iterator[Proposal]]

FAMILIES: tuple[Family, ...] = (
    factors.propose,
    terms.propose,
    products.propose,
    functions.propose,
    norms.propose,
    orders.propose,
    axes.propose,
    pools.propose,
    precision.propose,
    dropout.propose,
)
"""What is asked where both tensors are finite and of one shape."""
ANY_SHAPE: tuple[Family, ...] = (terms.propose, axes.propose, pools.propose)
"""What is asked where the shapes differ."""
ULPS = {8: 64, 4: 64, 2: 2, 1: 1}
"""Element size -> units in the last place, of the largest value, that count as rounding."""


def explain(
    wrong: torch.Tensor,
    right: torch.Tensor,
    known: Mapping[str, torch.Tensor] | None = None,
    *,
    valid: torch.Tensor | None = None,
    floor: float | None = None,
) -> list[Relation]:
    """Every simple relation that turns ``wrong`` into ``right`` down to rounding, simplest first.

    Nothing is returned for tensors that are equal down to rounding, that differ in what no relation explains, that
    are empty, or of which too little is valid for a claim. A relation that holds by chance, having about as many free
    parameters as there are values, is not returned.

    Args:
        wrong: the port's tensor, of any dtype.
        right: the original's. Where it has another shape, only known tensors, axes and poolings are considered.
        known: the tensors that were at hand, by name: inputs, outputs of children, parameters. They may need a change
            of layout to fit.
        valid: bool, what counts; it has the shape of ``right``, of its leading axes, or broadcasts to it.
        floor: absolute difference that rounding explains at this place; None for a few dozen units in the last place
            of the largest value, a few in half precision.
    """
    one, other = plain(wrong), plain(right)
    if wrong.is_complex() != right.is_complex() or not other.numel() or not one.numel():
        return []
    tensors = {name: plain(tensor) for name, tensor in (known or {}).items() if not tensor.is_complex()}
    counts = _expanded(valid, right)
    if one.shape != other.shape:
        return _shapes_differ(one, other, tensors, counts, floor)
    return _shapes_agree(one, other, tensors, counts, floor)


def _shapes_agree(
    wrong: torch.Tensor,
    right: torch.Tensor,
    known: Mapping[str, torch.Tensor],
    valid: torch.Tensor | None,
    floor: float | None,
) -> list[Relation]:
    finite = wrong.isfinite() & right.isfinite()
    floor = _floor(wrong, right, finite, valid) if floor is None else floor
    odd = _odd(wrong, right, finite)
    if valid is not None:
        odd &= valid
    counts = _counting(finite, valid)
    pair = Pair(wrong, right, known, counts, floor)
    if not _enough(pair):
        return []
    if bool(odd.any()):
        return _accepted(Pair(wrong, right, known, valid, floor), (places.propose,))
    if _equal(pair):
        return _accepted(pair, (places.beyond,)) if valid is not None else []
    return _accepted(pair, (*FAMILIES, places.propose))


def _shapes_differ(
    wrong: torch.Tensor,
    right: torch.Tensor,
    known: Mapping[str, torch.Tensor],
    valid: torch.Tensor | None,
    floor: float | None,
) -> list[Relation]:
    finite = right.isfinite()
    floor = _floor(right, right, finite, valid) if floor is None else floor
    pair = Pair(wrong, right, known, _counting(finite, valid), floor)
    return _accepted(pair, ANY_SHAPE) if _enough(pair) else []


def _accepted(pair: Pair, families: tuple[Family, ...]) -> list[Relation]:
    """The proposals that hold on the whole tensors."""
    proposals = sorted((p for family in families for p in family(pair)), key=lambda p: p.cost)
    found = []
    for proposal in proposals:
        residual = pair.residual(proposal)
        if residual is not None:
            found.append(
                Relation(
                    kind=proposal.kind,
                    text=proposal.text,
                    terms=proposal.terms,
                    parameters=proposal.parameters,
                    repair=as_repair(proposal.change),
                    residual=residual,
                )
            )
    return found


def _floor(wrong: torch.Tensor, right: torch.Tensor, finite: torch.Tensor, valid: torch.Tensor | None) -> float:
    if not right.is_floating_point():
        return 0.0
    counts = finite if valid is None else finite & valid
    zero = torch.zeros((), dtype=right.dtype, device="cpu")
    scale = float(torch.where(counts, right, zero).abs().max())
    coarse = max((wrong, right), key=lambda t: torch.finfo(t.dtype).eps if t.is_floating_point() else 0.0)
    if wrong.is_floating_point():
        scale = max(scale, float(torch.where(counts, wrong, zero.to(wrong.dtype)).abs().max()))
    return ULPS[coarse.element_size()] * float(torch.finfo(coarse.dtype).eps) * scale


def _odd(wrong: torch.Tensor, right: torch.Tensor, finite: torch.Tensor) -> torch.Tensor:
    """Where one side has NaN or Inf and the other has none, or others."""
    if bool(finite.all()):
        return torch.zeros((), dtype=torch.bool, device="cpu").expand(finite.shape).clone()
    return ~finite & ~((wrong == right) | (wrong.isnan() & right.isnan()))


def _counting(finite: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor | None:
    if bool(finite.all()):
        return valid
    return finite if valid is None else finite & valid


def _enough(pair: Pair) -> bool:
    return pair.r.numel() >= MARGIN and pair.evidence(pair.r) >= BITS


def _equal(pair: Pair) -> bool:
    if not bool(((pair.w - pair.r).abs() <= pair.floor).all()):
        return False
    error = (wide(pair.wrong) - wide(pair.right)).abs()
    close = error <= pair.floor
    return bool((close if pair.valid is None else close | ~pair.valid).all())


def _expanded(valid: torch.Tensor | None, right: torch.Tensor) -> torch.Tensor | None:
    """The places that count in the shape of the right tensor; a mask of leading axes counts for the rest."""
    if valid is None:
        return None
    shape = tuple(plain(right).shape)
    mask = valid.detach().cpu().bool()
    if tuple(mask.shape) == shape[: mask.dim()]:
        mask = mask.reshape(*mask.shape, *(1,) * (len(shape) - mask.dim()))
    return mask.expand(shape)
