"""The rows of a batch: each alone, and all in another order."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.behaviour.material import Material, Tensors
from porting.behaviour.subject import Subject
from porting.behaviour.trials import Trial, row_of, rows_in_order
from porting.errors import PortfileError
from porting.probes.planning import plans

ROWS = 4
"""Most rows that are run alone."""


def batch_of(material: Material, subject: Subject) -> tuple[Tensors, str]:
    """The given tensors if they have several rows, else ones that are made after them; or why there are none."""
    if material.obstacle:
        return {}, material.obstacle
    given = material.found.tensors
    first = {len(tensor) for tensor in given.values() if tensor.dim() > 1} - {1}
    if len(first) == 1 and not _ambiguous(given, first.pop()):
        return given, ""
    if first:
        return {}, "the inputs have no batch axis in common"
    plan = next(plan for plan in plans(material.found) if plan.name == "batch")
    if plan.obstacle:
        return {}, plan.obstacle
    made = material.made(plan)
    try:
        subject.valid_positions(material.inputs(made))
    except PortfileError as error:  # it is for the given inputs only
        return {}, error.message
    return made, ""


def row_trials(material: Material, subject: Subject, batch: Tensors) -> Iterator[Trial]:
    """Each of the first rows alone, then all of them turned round."""
    rows = max(len(tensor) for tensor in batch.values() if tensor.dim() > 1)
    valid = subject.valid_positions(material.inputs(batch))
    for number in range(min(rows, ROWS)):
        own = None if valid is None else valid[number : number + 1]
        alone = taken(batch, rows, [number])
        yield Trial(
            f"row {number} alone against the same row in its batch",
            batch,
            alone,
            row_of(number, rows),
            own,
            carried=True,
        )
    order = list(reversed(range(rows)))
    turned = None if valid is None else valid[order]
    what = "the rows in another order against the same rows in theirs"
    yield Trial(what, batch, taken(batch, rows, order), rows_in_order(order), turned)


def taken(batch: Tensors, rows: int, order: list[int]) -> dict[str, torch.Tensor]:
    """Some rows of a batch; what has no batch axis, or one of length 1, stays."""
    return {name: each[order] if each.shape[:1] == (rows,) else each for name, each in batch.items()}


def _ambiguous(tensors: Tensors, rows: int) -> bool:
    """Whether a first axis may be as long as the batch by chance."""
    first = any(tensor.shape == (rows,) for tensor in tensors.values())
    return first and any(rows in tensor.shape[1:] for tensor in tensors.values())
