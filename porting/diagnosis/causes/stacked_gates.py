"""``gate-order``: stacked gate and up projections whose halves are not in the order in which the code takes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.orders import Order, gate_order
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.targets import subjects


class StackedGates(Cause):
    """The culprit splits what a stack of matrices makes, and the rows of all of them may be in another order."""

    codes: ClassVar = ("gate-order",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Halves exchanged or interleaved, along either axis of the matrices, as the port may keep them transposed."""
        for tensor in subjects(case):
            if len(tensor.shape) == 3 and tensor.path not in case.alignment.original_of:
                for axis in (1, 2):
                    yield from (_repair(case, tensor, axis, order) for order in gate_order(tensor.shape[axis]))


def _repair(case: Case, tensor: Owned, axis: int, order: Order) -> Repair:
    values = live(case.model, tensor)
    index = torch.from_numpy(order.rows.copy()).to(values.device)
    return Repair(
        code="gate-order",
        summary=f"{tensor.name} has every matrix {order.summary}",
        fix=f"put gate and up projection into {tensor.name} in the order in which its code splits them",
        apply=partial(changes.content, values, values.detach().index_select(axis, index)),
        owner=tensor.path,
    )
