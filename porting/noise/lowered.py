"""Computing in a lower precision than the tensors have: what that loses is no rounding unless both sides lose it."""

from __future__ import annotations

import torch

from porting.trace import Call, Leaf, Trace

LOW = (torch.bfloat16, torch.float16)


def narrowed(trace: Trace, call: Call, leaf: str, wanted: str) -> bool:
    """Whether a call returned a narrower tensor than it was asked for, and all that it was made of is wider.

    Args:
        trace: the port's.
        call: of it.
        leaf: name of the tensor in its outputs.
        wanted: the dtype that the original returns there.
    """
    made = next((_size(each.dtype) for each in call.outputs.tensor_leaves() if each.name == leaf), None)
    if made is None or _size(wanted) is None or made >= (_size(wanted) or 0):
        return False
    below = f"{call.path}." if call.path else ""
    own = [info for path, info in trace.modules.items() if path == call.path or path.startswith(below)]
    dtypes = [each.dtype for each in call.inputs.tensor_leaves()]
    dtypes += [parameter.dtype for info in own for parameter in info.parameters]
    sizes = [size for dtype in dtypes if (size := _size(dtype)) is not None]
    return bool(sizes) and min(sizes) > made


def computes_low(trace: Trace, call: Call) -> bool:
    """Whether anything that was computed in a call, or below it, is in half precision or was rounded to it."""
    inside = {call.index}
    for other in trace.calls:
        if other.parent in inside:
            inside.add(other.index)
    return any(
        is_low(trace, leaf)
        for other in trace.calls
        if other.index in inside and _computes(other)
        for leaf in other.outputs.tensor_leaves()
    )


def is_low(trace: Trace, leaf: Leaf) -> bool:
    """Whether a recorded tensor is in a half-precision dtype, or in a wider one with the values of such a one."""
    size = _size(leaf.dtype)
    return size is not None and (size <= 2 or on_low_grid(trace.tensor(leaf)))


def on_low_grid(tensor: torch.Tensor) -> bool:
    """Whether a wide tensor was rounded to a half-precision dtype; masks and other round numbers do not count."""
    values = tensor[torch.isfinite(tensor)]
    coarse = torch.float8_e5m2
    return any(torch.equal(values.to(low).to(values.dtype), values) for low in LOW) and not torch.equal(
        values.float().to(coarse).float(), values.float()
    )


def _computes(call: Call) -> bool:
    """Whether a call gets more than indices: what a look-up returns has the precision of its table."""
    return any(_size(leaf.dtype) is not None for leaf in call.inputs.tensor_leaves())


def _size(dtype: str | None) -> int | None:
    """Bytes of a number of a floating-point dtype; None for another dtype."""
    found = getattr(torch, dtype or "", None)
    return found.itemsize if isinstance(found, torch.dtype) and found.is_floating_point else None
