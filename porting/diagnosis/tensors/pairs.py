"""Which tensors of two aligned modules do the same work."""

from __future__ import annotations

from collections.abc import Iterator

from porting.diagnosis.tensors.roles import role
from porting.trace import ModuleInfo, ParameterInfo


def tensor_pairs(one: ModuleInfo, other: ModuleInfo) -> Iterator[tuple[ParameterInfo, ParameterInfo]]:
    """Tensors of two aligned modules that do the same work: by name, by role, the rest in order if none is over."""
    left = {info.name: info for info in one.parameters}
    right = {info.name: info for info in other.parameters}
    for name in [name for name in right if name in left]:
        yield left.pop(name), right.pop(name)
    for name in list(right):
        same = [theirs for theirs in left if role(theirs) == role(name)]
        if len(same) == 1:
            yield left.pop(same[0]), right.pop(name)
    left = {name: info for name, info in left.items() if info.kind != "non-persistent buffer"}
    right = {name: info for name, info in right.items() if info.kind != "non-persistent buffer"}
    if len(left) == len(right):
        yield from zip(left.values(), right.values(), strict=True)
