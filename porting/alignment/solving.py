"""The solver: the user's map, then weights, containers and siblings, each building on the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from porting.alignment.containers import ancestors, match_containers
from porting.alignment.model import Alignment, Group
from porting.alignment.siblings import Siblings
from porting.alignment.weights import Atom, match_weights
from porting.errors import PortfileError
from porting.text import show
from porting.trace import Trace


def align(original: Trace, ported: Trace, module_map: Mapping[str, str] | None = None) -> Alignment:
    """Find which executed original module corresponds to which ported one.

    Args:
        original: the original's trace.
        ported: the port's trace.
        module_map: original path to ported path, where the user knows better.

    Raises:
        PortfileError: ``module_map`` names a module that does not exist.
    """
    fixed = dict(module_map or {})
    _check_map(original, ported, fixed)
    atoms = [atom for atom in match_weights(original, ported) if not _overruled(atom, fixed)]
    atoms += [Atom((one,), (other,), "the user's map", 1.0) for one, other in fixed.items()]
    groups = [Group(("",), ("",), "the models themselves", 1.0)]
    groups += [_as_group(atom) for atom in _executed_atoms(original, ported, atoms)]
    pairs = {g.original[0]: g.ported[0] for g in groups if len(g.original) == len(g.ported) == 1}
    containers = match_containers(original, ported, atoms, pairs)
    pairs |= {group.original[0]: group.ported[0] for group in containers}
    groups += containers + Siblings(original, ported, pairs).match()
    return _assemble(original, ported, groups)


def _check_map(original: Trace, ported: Trace, fixed: Mapping[str, str]) -> None:
    for side, trace, paths in (("original", original, fixed), ("ported", ported, fixed.values())):
        for path in paths:
            if path not in trace.modules:
                raise PortfileError(f"MODULE_MAP names {show(path)}, which is no module of the {side} model")
    if len(set(fixed.values())) != len(fixed):
        raise PortfileError("MODULE_MAP maps two original modules to the same ported one")


def _overruled(atom: Atom, fixed: Mapping[str, str]) -> bool:
    return any(path in fixed for path in atom.original) or any(path in fixed.values() for path in atom.ported)


def _executed_atoms(original: Trace, ported: Trace, atoms: Sequence[Atom]) -> list[Atom]:
    """The atoms that say that modules correspond: they ran, and containers are told apart by what they hold."""
    sides = [(trace.first_calls, _executed_containers(trace)) for trace in (original, ported)]

    def says(atom: Atom) -> bool:
        given = atom.evidence == "the user's map"
        return all(
            path and path in called and (given or path not in containers)
            for paths, (called, containers) in zip((atom.original, atom.ported), sides, strict=True)
            for path in paths
        )

    return [atom for atom in atoms if says(atom)]


def _executed_containers(trace: Trace) -> set[str]:
    return {above for path in trace.first_calls for above in ancestors(path)[1:]}


def _as_group(atom: Atom) -> Group:
    return Group(atom.original, atom.ported, atom.evidence, atom.confidence, atom.layout)


def _assemble(original: Trace, ported: Trace, groups: list[Group]) -> Alignment:
    turn = {call.path: position for position, call in reversed(list(enumerate(ported.completed)))}
    groups = sorted(groups, key=lambda group: min(turn.get(path, len(turn)) for path in group.ported))
    matched = ({p for g in groups for p in g.original}, {p for g in groups for p in g.ported})
    left, right = (
        tuple(path for path in dict.fromkeys(call.path for call in trace.calls) if path not in done)
        for trace, done in zip((original, ported), matched, strict=True)
    )
    return Alignment(tuple(groups), left, right)
