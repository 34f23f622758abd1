"""Which original tensor a ported one should hold."""

from __future__ import annotations

from collections.abc import Iterator

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.owned import Owned, axes_close, same_content
from porting.diagnosis.tensors.pairs import tensor_pairs
from porting.diagnosis.tensors.roles import role
from porting.diagnosis.tensors.rows import customary, in_order, main_tensor, parts, whole
from porting.diagnosis.tensors.target import Target, layouts
from porting.diagnosis.tensors.unaligned import of_place, strangers
from porting.trace import ModuleInfo, ParameterInfo


def subjects(case: Case) -> Iterator[Owned]:
    """The tensors of the port that can be at fault: the culprit's own, and of what below it is not judged by itself.

    What an aligned module below makes is compared by itself and replaced, so that a wrong tensor there cannot show
    here; but one that keeps its rows in another order than the other layers, and was aligned in that, can.
    """
    judged = {call.path for _, call in case.alignment.calls(case.original, case.ported)}
    below = f"{case.path}." if case.path else ""
    for path, module in case.ported.modules.items():
        if path != case.path and not path.startswith(below):
            continue
        chain = path.split(".")
        above = {".".join(chain[:depth]) for depth in range(len(chain) + 1)}
        hidden = any(name in judged for name in above if name.startswith(below) and name != case.path)
        if not hidden or _is_uncustomary(case, path):
            yield from (Owned(path, info) for info in module.parameters if info.sketch is not None)


def targets(case: Case, tensor: Owned) -> Iterator[Target]:
    """What a ported tensor may have to hold, likeliest first; nothing if that cannot be told."""
    counterpart = case.alignment.original_of.get(tensor.path)
    if counterpart is not None:
        pairs = dict(_by_ported_name(case.original.modules[counterpart], case.ported.modules[tensor.path]))
        if (info := pairs.get(tensor.info.name)) is not None:
            source = Owned(counterpart, info)
            if _is_turned_by_custom(case, source, tensor):
                yield Target(source, tensor.shape, source.turned, turned=True)
                return
            yield from customary(case, source, tensor)
            reordered = tensor.path in case.alignment.reordered
            yield from in_order(case, source, tensor) if reordered else layouts(source, tensor, certain=True)
            return
    yield from parts(case, tensor, role(tensor.info.name))
    yield from of_place(case, tensor)
    if not tensor.is_constant or tensor.info.kind != "non-persistent buffer":
        yield from strangers(case, tensor)


def _is_turned_by_custom(case: Case, source: Owned, tensor: Owned) -> bool:
    """Whether a square matrix is to be transposed, as all those are that other modules of its class hold."""
    if len(tensor.shape) != 2 or source.shape != tensor.shape or tensor.shape[0] != tensor.shape[1]:
        return False
    kind = case.ported.modules[tensor.path].class_name
    found = []
    for path, counterpart in case.alignment.original_of.items():
        module = case.ported.modules.get(path)
        if path != tensor.path and module is not None and module.class_name == kind:
            pairs = dict(_by_ported_name(case.original.modules[counterpart], module))
            found += [
                (Owned(counterpart, pairs[i.name]), Owned(path, i)) for i in module.parameters if i.name in pairs
            ]
    matrices = [(one, other) for one, other in found if other.info.name == tensor.info.name]
    turned = [axes_close(one.turned, other.axes) for one, other in matrices if one.turned and other.axes]
    return any(turned) and not any(same_content(one, other) for one, other in matrices)


def _is_uncustomary(case: Case, path: str) -> bool:
    tensor = main_tensor(case.ported.modules[path])
    return tensor is not None and next(_custom(case, tensor), None) is not None


def _custom(case: Case, tensor: Owned) -> Iterator[Target]:
    counterpart = case.alignment.original_of.get(tensor.path)
    source = None if counterpart is None else main_tensor(case.original.modules[counterpart])
    if source is not None:
        yield from customary(case, source, tensor)


def straight(case: Case, tensor: Owned) -> Iterator[Target]:
    """For a tensor of a module whose rows are aligned in another order: the original's in its own order."""
    counterpart = case.alignment.original_of.get(tensor.path)
    if counterpart is not None and tensor.path in case.alignment.reordered:
        pairs = dict(_by_ported_name(case.original.modules[counterpart], case.ported.modules[tensor.path]))
        if (info := pairs.get(tensor.info.name)) is not None:
            yield from layouts(Owned(counterpart, info), tensor, certain=False)


def _by_ported_name(one: ModuleInfo, other: ModuleInfo) -> Iterator[tuple[str, ParameterInfo]]:
    return ((theirs.name, mine) for mine, theirs in tensor_pairs(one, other))


def lacking(case: Case) -> Iterator[tuple[str, Target]]:
    """Modules of the port without a tensor that their counterparts have, with that: path and what it should hold."""
    for path in dict.fromkeys((case.path, *(tensor.path for tensor in subjects(case)))):
        held = {role(info.name) for info in case.ported.modules[path].parameters}
        if not held:
            continue
        counterpart = case.alignment.original_of.get(path)
        main = main_tensor(case.ported.modules[path])
        if main is None:
            continue
        if counterpart is None:
            yield from ((path, target) for target in parts(case, main, "bias") if "bias" not in held)
            continue
        for info in case.original.modules[counterpart].parameters:
            if role(info.name) not in held and info.sketch is not None:
                yield from ((path, target) for target in whole(case, Owned(counterpart, info), main))
