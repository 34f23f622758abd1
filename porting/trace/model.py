"""The records of a trace: modules, calls, leaves, and the tensors they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from porting.text import show
from porting.trace.sketches import Sketch
from porting.trace.structure import Structure, rebuild

if TYPE_CHECKING:
    import torch

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of an input or output.

    Attributes:
        name: where it sits: ``hidden_states``, ``past_key_values.layers.0.keys``; a lone output is ``""``.
        dtype: ``float32`` and so on for a tensor, else None.
        shape: the tensor's shape, else None.
        strides: only where the live tensor was not contiguous.
        tensor: key of its content in `Trace.tensors`, None for anything but a recorded tensor.
        value: a number, string or boolean; None otherwise.
        type_name: the class of a leaf that is neither tensor nor scalar, or why a tensor was not recorded.
        noise: largest difference and L2 norm of it by what was varied (``float64``, ``threads``, ``batch``), if
            that was measured.
    """

    name: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    tensor: str | None = None
    value: Scalar = None
    type_name: str | None = None
    noise: Mapping[str, tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A nested value, taken apart: its structure and its leaves in order."""

    structure: Structure
    leaves: tuple[Leaf, ...]

    def tensor_leaves(self) -> Iterator[Leaf]:
        """The leaves that are recorded tensors."""
        return (leaf for leaf in self.leaves if leaf.tensor is not None)


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of one module.

    Attributes:
        index: its place in `Trace.calls`, which are in order of entry.
        step: which outermost call it belongs to: each forward of a ``generate`` is a step.
        path: the module's dotted path, ``""`` for the model itself.
        repeat: how many times the module had been called before in this step.
        class_name: the module's class.
        parent: index of the call it was made from, None for an outermost call.
        inputs: arguments by parameter name.
        outputs: what it returned.
        gradients: of its outputs, if they were recorded.
        thread: the number of the thread that it ran in, None for the one that captured.
    """

    index: int
    step: int
    path: str
    repeat: int
    class_name: str
    parent: int | None
    inputs: Value
    outputs: Value
    gradients: Value | None = None
    thread: int | None = None

    @property
    def label(self) -> str:
        """The call in print: its path, ``#n`` for a repeated call, ``@n`` for a later step."""
        return self.path + (f"#{self.repeat}" if self.repeat else "") + (f"@{self.step}" if self.step else "")

    @property
    def key(self) -> tuple[int, str, int]:
        """Step, path and call index: unique in a trace."""
        return self.step, self.path, self.repeat


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter or buffer that a module owns itself.

    Attributes:
        name: its name in the module, without the module's path.
        kind: ``parameter``, ``buffer`` or ``non-persistent buffer``.
        dtype: ``float32`` and so on.
        shape: its shape.
        sketch: its content in short; None for a tensor without data (on ``meta``).
        tied_to: the full name under which the same storage was met first, or None.
        gradient: key of its gradient in `Trace.tensors`, if that was recorded.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    sketch: Sketch | None
    tied_to: str | None = None
    gradient: str | None = None


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """A module of the tree: what aligns it and what its settings are, without the live model."""

    path: str
    class_name: str
    training: bool
    settings: Mapping[str, Scalar]
    parameters: tuple[ParameterInfo, ...]
    alias_of: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The forward raised: the innermost module that did, and the exception.

    Attributes:
        path: the module's dotted path, ``""`` for the model itself.
        class_name: its class, ``""`` if the code around the model raised.
        error: the exception's type and text.
    """

    path: str
    class_name: str
    error: str

    @property
    def where(self) -> str:
        """The place in print."""
        if not self.class_name:
            return "the code that runs the model"
        return f"{show(self.path) or 'the model itself'} ({show(self.class_name)})"


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
        unobserved: paths of modules that were expected to be called, and were not seen.
        left_out: what was deliberately not recorded: the patterns and limits, and how much that was.
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

    def tensor(self, leaf: Leaf) -> torch.Tensor:
        """The content of a leaf.

        Raises:
            KeyError: the leaf is not a recorded tensor.
            TraceError: the content on disk is damaged.
        """
        if leaf.tensor is None:
            raise KeyError(f"{leaf.name or 'the output'} is not a recorded tensor: {leaf.type_name or leaf.value}")
        return self.tensors[leaf.tensor]

    def value(self, value: Value) -> Any:
        """A recorded value put together again, with `Record` for mappings, outputs and objects."""
        return rebuild(
            value.structure,
            [self.tensor(leaf) if leaf.tensor is not None else leaf.value for leaf in value.leaves],
        )

    def valid_positions(self) -> torch.Tensor | None:
        """The boolean (batch, sequence) tensor of positions that count, or None: all do."""
        return None if self.valid is None else self.tensors[self.valid]
