"""Clues: what is known of glue that no cause explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap

SAMPLE = 4096
"""Elements on which a sum of tensors is looked for."""
MOST_TERMS = 16
"""Tensors that may be its terms."""
FITS = 1e-4
"""Relative L2 distance below which a sum is the tensor: float32 sums of few terms come within 1e-6."""
NEGLIGIBLE = 1e-3
"""Factor below which a term is none."""


def clues(case: Case) -> Iterator[str]:
    """Of which tensors the first wrong one is a sum, on both sides; else from which calls it is made."""
    gap = case.gaps[0]
    terms = _terms(case, gap)
    theirs, mine = (_sum(tensor, terms) for tensor in (gap.right, gap.wrong))
    if theirs != mine and theirs is not None:
        yield f"the original's is {theirs}" + (f"; the port's is {mine}" if mine is not None else "")
    elif theirs is None and case.moment(gap).children:
        made = [child.path for child in case.moment(gap).children if child.key != gap.place[0]]
        if made:
            yield f"it is made in {case.path or 'the model itself'}, which had called {', '.join(made[:6])}"


def _terms(case: Case, gap: Gap) -> dict[str, torch.Tensor]:
    """The different tensors at hand that can be added to it."""
    terms: dict[str, torch.Tensor] = {}
    for name, tensor in {**case.known(gap), **case.only_original(gap)}.items():
        if _fits(tensor, gap.right):
            full = tensor.expand(gap.right.shape)
            if not any(torch.equal(full, other) for other in terms.values()):
                terms[name] = full
    return dict(list(terms.items())[-MOST_TERMS:])


def _fits(tensor: torch.Tensor, right: torch.Tensor) -> bool:
    if not (tensor.is_floating_point() and right.is_floating_point()) or tensor.dim() > right.dim():
        return False
    return all(a in (1, b) for a, b in zip(reversed(tensor.shape), reversed(right.shape), strict=False))


def _sum(tensor: torch.Tensor, terms: Mapping[str, torch.Tensor]) -> str | None:
    """The tensor as a sum of multiples of the terms, in words; None if it is none."""
    if not terms or tensor.numel() < 8 * len(terms):
        return None
    step = max(1, tensor.numel() // SAMPLE)
    columns = torch.stack([term.reshape(-1)[::step].double() for term in terms.values()], dim=1)
    wanted = tensor.reshape(-1)[::step].double()
    if not bool(torch.isfinite(columns).all() & torch.isfinite(wanted).all()):
        return None
    factors = torch.linalg.lstsq(columns, wanted[:, None], driver="gelsd").solution[:, 0]
    if float((columns @ factors - wanted).norm()) > FITS * float(wanted.norm()):
        return None
    parts = [
        name if abs(factor - 1) < NEGLIGIBLE else f"{factor:.4g} times {name}"
        for name, factor in zip(terms, factors.tolist(), strict=True)
        if abs(factor) > NEGLIGIBLE
    ]
    return f"the sum of {' and '.join(parts)}" if len(parts) > 1 else parts[0] if parts else None
