"""The parts of a trace: leaves, values, calls, parameters, modules, and how a run failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from porting.text import show
from porting.trace.sketches import Sketch
from porting.trace.structure import Structure

NOTHING_RETURNED = "nothing: it raised"
"""The type of the output of a call that did not return."""

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
        noise: by how the run was repeated (`porting.noise.measuring`), the largest and the L2 difference that this
            alone makes here; None if it was not measured.
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
        thread: 0 for the thread that ran the model, else the number of the one that made the call.
        gradients: of the run's result with respect to the outputs, under the outputs' names; None unless asked for.
    """

    index: int
    step: int
    path: str
    repeat: int
    class_name: str
    parent: int | None
    inputs: Value
    outputs: Value
    thread: int = 0
    gradients: Value | None = None

    @property
    def label(self) -> str:
        """The call in print: its path, ``#n`` for a repeated call, ``@n`` for a later step."""
        return self.path + (f"#{self.repeat}" if self.repeat else "") + (f"@{self.step}" if self.step else "")

    @property
    def raised(self) -> bool:
        """Whether it ended in an exception instead of returning."""
        return [leaf.type_name for leaf in self.outputs.leaves] == [NOTHING_RETURNED]

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
        gradient: key of its gradient in `Trace.tensors`; None unless gradients were asked for.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    sketch: Sketch | None
    tied_to: str | None = None
    gradient: str | None = None

    @property
    def gradient_leaf(self) -> Leaf | None:
        """Its gradient as a leaf, None if it was not recorded."""
        return None if self.gradient is None else Leaf("gradient", self.dtype, self.shape, tensor=self.gradient)


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
