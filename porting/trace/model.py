"""A trace: its calls and modules, and the tensors they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from porting.errors import TraceError
from porting.text import show
from porting.trace.parts import Call, Failure, Leaf, ModuleInfo, Value
from porting.trace.store import Store, checksum_of
from porting.trace.structure import rebuild

if TYPE_CHECKING:
    import torch

    from porting.trace.difference import TraceDifference
    from porting.trace.tree import CallTree


@dataclass(frozen=True)
class Trace:
    """What one run did: every module call in execution order, with the tensors that went in and came out.

    Attributes:
        calls: in order of entry; a parent comes before its children.
        modules: every module by path, in the order of ``named_modules``.
        inputs: what the run was given.
        outputs: what the run returned.
        tensors: contents by key; reading one from disk verifies its checksum.
        run: side, versions, seed, threads, mode: what it takes to repeat the run.
        valid: key of the boolean (batch, sequence) tensor of positions that count, or None: all do.
        failure: set if the forward raised; such a trace can be looked at and never compared.
        unobserved: paths of modules that hold parameters and were not seen called, though the module around them
            was: their ``forward`` was called directly, their weights used without them, or they were not needed.
        left_out: what was not recorded on purpose: the selection and the limit that were asked for, and how many
            tensors and bytes that left out; None if everything was recorded.
    """

    calls: tuple[Call, ...]
    modules: Mapping[str, ModuleInfo]
    inputs: Value
    outputs: Value
    tensors: Mapping[str, torch.Tensor] = field(repr=False)
    run: Mapping[str, Any] = field(default_factory=dict)
    valid: str | None = None
    failure: Failure | None = None
    unobserved: tuple[str, ...] = ()
    left_out: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        """One line: how much was recorded, and whether the run failed."""
        state = f", failed in {self.failure.where}" if self.failure else ""
        model = show(self.run.get("model", "model"))
        return f"Trace({model}: {len(self.calls)} calls of {len(self.modules)} modules{state})"

    @cached_property
    def by_key(self) -> Mapping[tuple[int, str, int], Call]:
        """Calls by (step, path, call index)."""
        return {call.key: call for call in self.calls}

    @cached_property
    def first_calls(self) -> Mapping[str, Call]:
        """The first call of each path, in whichever step that was, in order."""
        found: dict[str, Call] = {}
        for call in self.calls:
            found.setdefault(call.path, call)
        return found

    @cached_property
    def children(self) -> Mapping[int | None, tuple[Call, ...]]:
        """The calls made directly from each call, in order; the outermost calls under None."""
        found: dict[int | None, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.parent, []).append(call)
        return {parent: tuple(calls) for parent, calls in found.items()}

    @cached_property
    def completed(self) -> tuple[Call, ...]:
        """The calls in the order in which they returned: children before their parent."""
        order: list[Call] = []
        stack = [(call, False) for call in reversed(self.children.get(None, ()))]
        while stack:
            call, entered = stack.pop()
            if entered:
                order.append(call)
            else:
                stack.append((call, True))
                stack.extend((child, False) for child in reversed(self.children.get(call.index, ())))
        return tuple(order)

    def parent_of(self, call: Call) -> Call | None:
        """The call that a call was made from, None for an outermost one."""
        return None if call.parent is None else self.calls[call.parent]

    @property
    def failed_call(self) -> Call | None:
        """The innermost call that raised, None if the run did not fail, or not in a call."""
        if self.failure is None or not self.failure.class_name:
            return None
        ended = [call for call in self.calls if call.path == self.failure.path and call.raised]
        return ended[-1] if ended else None

    @property
    def valid_leaf(self) -> Leaf | None:
        """The positions that count as a leaf, None: all do."""
        if self.valid is None:
            return None
        if isinstance(self.tensors, Store):
            return Leaf("valid", "bool", self.tensors.shape(self.valid), tensor=self.valid)
        return Leaf("valid", "bool", tuple(self.tensors[self.valid].shape), tensor=self.valid)

    def __getitem__(self, label: str) -> Call:
        """The call of that label (`porting.trace.address`): ``encoder.layer.0``, ``norm#1``, ``decoder@2``.

        Raises:
            TraceError: there is none; the message names the nearest.
        """
        from porting.trace.address import find_call

        return find_call(self, label)

    def leaf(self, address: str) -> Leaf:
        """The leaf at an address (`porting.trace.address`): ``encoder.layer.0:inputs.hidden_states``.

        Raises:
            TraceError: there is none, or it could be several; the hint names those that there are.
        """
        from porting.trace.address import find_leaf

        return find_leaf(self, address)

    def tensor(self, leaf: Leaf | str) -> torch.Tensor:
        """The content of a leaf, given itself or its address (`porting.trace.address`).

        Raises:
            KeyError: the given leaf is not a recorded tensor.
            TraceError: the content on disk is damaged, or no recorded tensor is at that address.
        """
        found = self.leaf(leaf) if isinstance(leaf, str) else leaf
        if found.tensor is not None:
            return self.tensors[found.tensor]
        what = found.type_name or found.value
        if isinstance(leaf, str):
            raise TraceError(f"{show(leaf)} is not a recorded tensor: {show(what)}")
        raise KeyError(f"{found.name or 'the output'} is not a recorded tensor: {what}")

    def checksum(self, key: str) -> int:
        """The crc32 of a tensor's bytes, by its key; for a trace on disk the recorded one, and nothing is read."""
        if isinstance(self.tensors, Store):
            return self.tensors.checksum(key)
        if key not in self._checksums:
            self._checksums[key] = checksum_of(self.tensors[key])
        return self._checksums[key]

    @cached_property
    def _checksums(self) -> dict[str, int]:
        return {}

    def tree(self, *, full: bool = False) -> CallTree:
        """The calls nested as they were made, to be printed; calls that are alike are folded unless ``full``."""
        from porting.trace.tree import tree_of

        return tree_of(self, full=full)

    def diff(self, other: Trace) -> TraceDifference:
        """Where another trace differs: facts, modules, parameters, calls, and contents by their checksums.

        Nothing is read from disk but checksums, so this says whether tensors differ and not by how much
        (`porting.compare` does).
        """
        from porting.trace.difference import difference_of

        return difference_of(self, other)

    def value(self, value: Value) -> Any:
        """A recorded value put together again, with `Record` for mappings, outputs and objects."""
        return rebuild(
            value.structure,
            [self.tensor(leaf) if leaf.tensor is not None else leaf.value for leaf in value.leaves],
        )

    def check(self) -> None:
        """Read every tensor once, so that damage on disk is found before anything is concluded from the trace.

        Raises:
            TraceError: the content of a tensor does not have its checksum.
        """
        for key in self.tensors:
            self.tensors[key]

    def valid_positions(self) -> torch.Tensor | None:
        """The boolean (batch, sequence) tensor of positions that count, or None: all do."""
        return None if self.valid is None else self.tensors[self.valid]
