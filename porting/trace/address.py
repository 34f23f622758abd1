"""Find a call or a tensor of a trace by what it is called.

A **call** is named by its label: ``PATH`` for the first call of a module, ``PATH#REPEAT`` for a later one in the same
step, ``PATH@STEP`` and ``PATH#REPEAT@STEP`` in a later step; the path of the model itself is empty. A path is taken
as it is first, so that one with a ``#`` or ``@`` in it is found; ``PATH#0@0``, with both numbers, is never ambiguous.

A **tensor** is named ``CALL:inputs.NAME``, ``CALL:outputs.NAME`` or ``CALL:gradients.NAME``, where ``NAME`` is its
leaf's; without the name, or with the call alone (its outputs), if there is one tensor only. What belongs to the whole
run is ``:run.inputs.NAME``, ``:run.outputs.NAME`` and ``:run.valid``; a parameter's gradient is
``PATH:parameters.NAME.gradient``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from porting.errors import TraceError
from porting.text import show
from porting.trace.words import leaf_words

if TYPE_CHECKING:
    from porting.trace.model import Trace
    from porting.trace.parts import Call, Leaf, Value

_LABEL = re.compile(r"(?P<path>.*?)(?:#(?P<repeat>\d{1,18}))?(?:@(?P<step>\d{1,18}))?", re.DOTALL)
_FULL = re.compile(r"(?P<path>.*)#(?P<repeat>\d{1,18})@(?P<step>\d{1,18})", re.DOTALL)
_MOST = 12


def find_call(trace: Trace, label: str) -> Call:
    """The call of that label; for a path that is called in later steps only, its first call.

    Raises:
        TraceError: there is none; the message names the nearest.
    """
    call = _call(trace, label)
    if call is None:
        raise _no_call(trace, label)
    return call


def find_leaf(trace: Trace, address: str) -> Leaf:
    """The leaf at an address, which may be one that was not recorded.

    Raises:
        TraceError: there is none, or the address could mean several; the message names those that there are.
    """
    missing: TraceError | None = None
    for owner, rest in _splits(address):
        parts = _parts(trace, owner)
        found = _chosen(parts, rest)
        if len(found) == 1:
            return parts[found[0]]
        if parts and missing is None:
            missing = _no_leaf(owner, rest, parts, found)
    owner = re.split(r":(?=inputs|outputs|gradients|parameters)", address, maxsplit=1)[0]
    raise missing or _no_call(trace, owner)


def label_of(trace: Trace, call: Call) -> str:
    """The shortest text by which `find_call` finds this call."""
    return call.label if _call(trace, call.label) is call else f"{call.path}#{call.repeat}@{call.step}"


def address_of(trace: Trace, call: Call, part: str, leaf: Leaf) -> str:
    """The text by which `find_leaf` finds this leaf; ``part`` is ``inputs``, ``outputs`` or ``gradients``."""
    return f"{label_of(trace, call)}:{_joined(part, leaf)}"


def _call(trace: Trace, label: str) -> Call | None:
    if (0, label, 0) in trace.by_key:
        return trace.by_key[0, label, 0]
    for pattern in (_FULL, _LABEL):
        match = pattern.fullmatch(label)
        if match and (match["repeat"] or match["step"]):
            call = trace.by_key.get((int(match["step"] or 0), match["path"], int(match["repeat"] or 0)))
            if call is not None:
                return call
    if label in trace.first_calls:
        return trace.first_calls[label]
    return trace.first_calls.get(_first_name(trace, label))


def _first_name(trace: Trace, path: str) -> str:
    """The path that a module is called by, if ``path`` names it or a module around it in another way."""
    owner, below = path, ""
    while owner:
        module = trace.modules.get(owner)
        if module and module.alias_of is not None:
            return f"{module.alias_of}{below}".removeprefix(".")
        owner, _, name = owner.rpartition(".")
        below = f".{name}{below}"
    return path


def _splits(address: str) -> Iterator[tuple[str, str]]:
    """Each way to read an address as an owner and the part of it that is meant, the longest owner first."""
    yield address, ""
    for place in range(len(address) - 1, -1, -1):
        if address[place] == ":":
            yield address[:place], address[place + 1 :]


def _parts(trace: Trace, owner: str) -> Mapping[str, Leaf]:
    """All leaves of a call, of its module's parameters and, for the model itself, of the run."""
    call = _call(trace, owner)
    found: dict[str, Leaf] = {}
    if call is not None:
        for part, value in (("inputs", call.inputs), ("outputs", call.outputs), ("gradients", call.gradients)):
            found.update(_named(part, value))
    if owner == "":
        found.update({**_named("run.inputs", trace.inputs), **_named("run.outputs", trace.outputs)})
        found.update({"run.valid": trace.valid_leaf} if trace.valid_leaf else {})
    module = trace.modules.get(call.path if call else owner)
    for parameter in module.parameters if module else ():
        if parameter.gradient_leaf:
            found[f"parameters.{parameter.name}.gradient"] = parameter.gradient_leaf
    return found


def _named(part: str, value: Value | None) -> Mapping[str, Leaf]:
    return {_joined(part, leaf): leaf for leaf in value.leaves} if value else {}


def _joined(part: str, leaf: Leaf) -> str:
    return f"{part}.{leaf.name}" if leaf.name else part


def _chosen(parts: Mapping[str, Leaf], rest: str) -> list[str]:
    """The parts that a text can mean: itself, or the tensors below it; without a text the outputs."""
    wanted = rest or "outputs"
    if wanted in parts:
        return [wanted]
    return [name for name, leaf in parts.items() if name.startswith(f"{wanted}.") and leaf.tensor is not None]


def _no_call(trace: Trace, label: str) -> TraceError:
    hint = "print(trace.tree()), or porting capture --show FOLDER, shows every call"
    if label in trace.modules:
        return TraceError(f"{show(label) or 'the model itself'} was not called", hint=hint)
    near = get_close_matches(label, list(trace.first_calls), 3)
    meant = f"; did you mean {' or '.join(map(show, near))}?" if near else ""
    return TraceError(f"the trace has no call {show(label) or 'of the model itself'}{meant}", hint=hint)


def _no_leaf(owner: str, rest: str, parts: Mapping[str, Leaf], found: list[str]) -> TraceError:
    names = found or [name for name, leaf in parts.items() if leaf.shape is not None or leaf.tensor] or list(parts)
    listed = [f"{show(f'{owner}:{name}')} {leaf_words(parts[name])}".rstrip() for name in names[:_MOST]]
    listed += [f"and {len(names) - _MOST:,} more"] if len(names) > _MOST else []
    what = show(f"{owner}:{rest or 'outputs'}")
    near = get_close_matches(rest, list(parts), 1) if rest and not found else []
    meant = f"; did you mean {show(f'{owner}:{near[0]}')}?" if near else ""
    problem = f"{what} is {len(found)} tensors" if found else f"{what} is no tensor of the trace{meant}"
    return TraceError(problem, hint=f"there are: {'; '.join(listed)}")
