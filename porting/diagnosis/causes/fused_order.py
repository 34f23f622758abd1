"""Rows of fused or rotary projections in another order than the attention or the gate takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import torch

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.tensors.orders import Order, fused_orders, gate_order, head_counts, rotary_orders
from porting.diagnosis.tensors.owned import Owned, live
from porting.diagnosis.tensors.roles import is_fused_projection, projection
from porting.diagnosis.trial import Applied
from porting.trace.parts import Scalar


class FusedOrder(Cause):
    """The culprit splits or rotates what a projection makes, and the projection's rows may be in another order."""

    codes: ClassVar = ("qkv-order", "gate-order", "rope-layout")
    rank: ClassVar = 4

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Each known order of the rows of a projection that the culprit uses."""
        if case.culprit.where == "input":
            return
        matrices = list(_matrices(case))
        settings = _settings(case)
        for tensor in matrices:
            if is_fused_projection(tensor.name):
                orders = fused_orders(tensor.shape[0], settings)
                yield from (_repair(case, [tensor], order, "qkv-order") for order in orders)
            elif "gate" in tensor.name.rsplit(".", 2)[-2 if "." in tensor.name else -1] or "wi" in tensor.name.split(
                "."
            ):
                orders = gate_order(tensor.shape[0])
                yield from (_repair(case, [tensor], order, "gate-order") for order in orders)
        rotated = [tensor for tensor in matrices if projection(tensor.path) in ("query", "key")]
        if len(rotated) == 2:
            yield from _rotary(case, rotated, settings)


def _rotary(case: Case, both: Sequence[Owned], settings: dict[str, Scalar]) -> Iterator[Repair]:
    """Query and key with the rows of each head in the other layout; their heads have one size."""
    query, key = sorted(both, key=lambda each: projection(each.path) != "query")
    for heads in head_counts(settings, query.shape[0])[:4]:
        size = query.shape[0] // heads
        if key.shape[0] % size:
            continue
        orders = zip(
            rotary_orders(query.shape[0], heads), rotary_orders(key.shape[0], key.shape[0] // size), strict=True
        )
        for one, other in orders:
            first, second = _repair(case, [query], one, "rope-layout"), _repair(case, [key], other, "rope-layout")
            assert first.apply
            assert second.apply
            yield Repair(
                code="rope-layout",
                summary=f"{query.name} and {key.name} have their rows {one.summary}",
                fix="reorder the rows of query and key in the conversion, or rotate in the original's layout",
                apply=changes.together(first.apply, second.apply),
                follows={**first.follows, **second.follows},
            )


def _repair(case: Case, tensors: Sequence[Owned], order: Order, code: str) -> Repair:
    name = tensors[0].name
    return Repair(
        code=code,
        summary=f"{name} has its rows {order.summary}",
        fix=f"reorder the rows of {name} in the conversion, or split its result in the original's order",
        apply=changes.together(*(each for tensor in tensors for each in _reordered(case, tensor, order))),
        follows={tensor.path: None for tensor in tensors if tensor.path != case.path},
        owner=tensors[0].path,
    )


def _reordered(case: Case, matrix: Owned, order: Order) -> Iterator[Applied]:
    """The matrix and the vector beside it with their rows in that order; the output axis is that of the length."""
    index = torch.from_numpy(order.rows)
    for info in case.ported.modules[matrix.path].parameters:
        tensor = live(case.model, Owned(matrix.path, info)).detach()
        if len(index) in tensor.shape:
            axis = tuple(tensor.shape).index(len(index))
            live_tensor = live(case.model, Owned(matrix.path, info))
            yield partial(changes.content, live_tensor, tensor.index_select(axis, index))


def _matrices(case: Case) -> Iterator[Owned]:
    """The weights of the culprit's children, and its own."""
    below = f"{case.path}." if case.path else ""
    for path, module in case.ported.modules.items():
        if path == case.path or (path.startswith(below) and "." not in path[len(below) :]):
            yield from (Owned(path, info) for info in module.parameters if len(info.shape) == 2)


def _settings(case: Case) -> dict[str, Scalar]:
    """What the culprit and the modules around it say of heads."""
    found = dict(case.info.settings)
    for config in (getattr(case.module, "config", None), getattr(case.model, "config", None)):
        for name, value in vars(config).items() if config is not None else ():
            if "head" in name and isinstance(value, int):
                found.setdefault(name, value)
    return found
