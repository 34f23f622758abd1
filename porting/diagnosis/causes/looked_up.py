"""``position-offset``, ``missing-embedding``: other rows of a table than the original looks up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.scene import Gap

FEWEST = 2
"""Rows that must have been looked up for a claim about all."""
LARGEST_OFFSET = 16


class LookedUp(Cause):
    """The culprit looks rows up in a table of its own, by an offset from the original's, or not at all."""

    codes: ClassVar = ("position-offset", "missing-embedding", "padding-idx", "wrong-input")
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The rows that the original takes."""
        gap = case.own_output
        if gap is None or len({g.place[0] for g in case.gaps}) > 1 or gap.right.dim() < 2:
            return
        for name, table in case.module.named_parameters(recurse=False):
            if table.dim() == 2 and table.shape[1] == gap.right.shape[-1] == gap.wrong.shape[-1]:
                wanted = rows_of(gap.right, table)
                if wanted is not None and len(torch.unique(wanted)) >= FEWEST:
                    yield from _read(case, gap, name, table, wanted)
                elif wanted is not None and not gap.wrong.any():
                    yield _missing(case, gap, name, table, wanted)


def rows_of(values: torch.Tensor, table: torch.Tensor) -> torch.Tensor | None:
    """Which row of a table each vector of ``values`` (..., width) is; None if some are none."""
    vectors, place = torch.unique(values.reshape(-1, values.shape[-1]), dim=0, return_inverse=True)
    first = torch.zeros(len(vectors), dtype=torch.long)
    for i, vector in enumerate(vectors):
        same = (table == vector.to(table)).all(1).nonzero()
        if not len(same):
            return None
        first[i] = same[0, 0]
    return first[place].reshape(values.shape[:-1])


def _read(case: Case, gap: Gap, name: str, table: torch.Tensor, wanted: torch.Tensor) -> Iterator[Repair]:
    if not gap.wrong.any():
        yield _missing(case, gap, name, table, wanted)
        return
    taken = rows_of(gap.wrong, table)
    if taken is None:
        return
    offsets, counts = torch.unique(wanted - taken, return_counts=True)
    by = int(offsets[counts.argmax()])
    if not by or abs(by) > LARGEST_OFFSET or 2 * int(counts.max()) <= counts.sum():
        return
    yield Repair(
        code="position-offset",
        summary=f"it takes the rows of {name} from {int(taken.min())} on, the original from {int(wanted.min())} on: "
        f"{abs(by)} {'less' if by > 0 else 'more'}",
        fix=f"{'add' if by > 0 else 'subtract'} {abs(by)} {'to' if by > 0 else 'from'} the positions",
        apply=partial(changes.output, case.module, partial(_moved, table, wanted, by), gap.leaf),
    )


def _moved(table: torch.Tensor, wanted: torch.Tensor, by: int, values: torch.Tensor) -> torch.Tensor:
    """The rows that are ``by`` further on; where the port stopped at the end of the table, the original's."""
    taken = rows_of(values, table)
    if taken is None:
        return values
    ends = (taken == 0) | (taken == len(table) - 1)
    rows = torch.where(ends & (taken + by != wanted), wanted, (taken + by).clamp(0, len(table) - 1))
    return table.detach()[rows].to(values)


def _missing(case: Case, gap: Gap, name: str, table: torch.Tensor, wanted: torch.Tensor) -> Repair:
    return Repair(
        code="missing-embedding",
        summary=f"it returns zeros, the original rows of {name}",
        fix=f"look {name} up and add it, as the original does",
        apply=partial(changes.output, case.module, lambda values: table.detach()[wanted].to(values), gap.leaf),
    )
