"""Whether a model gives the same bits again: with the same seed, with another one, after a run."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from porting.behaviour.subject import Subject
from porting.hooks.capturing import capture
from porting.hooks.module_tree import walk
from porting.hooks.preserving import seed_everything
from porting.reruns.repeating import first_differing
from porting.runs import Inputs
from porting.trace import Trace, flatten
from porting.trace.bits import plain, same_bits

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers in which norms over a batch keep what they have seen."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Two runs that do not give the same bits.

    Attributes:
        place: the call in which they part, the one around it where that is its own code; empty for the model itself.
        output: the name of the first output that differs.
    """

    place: str
    output: str


def parting_by_seed(subject: Subject, seeds: tuple[int, int] = (0, 1)) -> Parting | None:
    """Where two runs with these seeds part, each from the same state; None if they give the same bits."""
    results = [_tensors(subject.result(seed=seed)) for seed in seeds]
    output = _first_other(*results)
    if output is None:
        return None
    one, other = (_captured(subject, (seed,)) for seed in seeds)
    return Parting(first_differing(one, other) or "", output)


def parting_by_repetition(subject: Subject) -> Parting | None:
    """Where a second run with the same seed parts from the first, which leaves in the model what it leaves."""
    first, second = (_tensors(each) for each in subject.results((0, 0)))
    output = _first_other(first, second)
    if output is None:
        return None
    one, both = _captured(subject, (0,)), _captured(subject, (0, 0))
    steps = 1 + max(call.step for call in one.calls)
    return Parting(first_differing(one, both, later=steps) or "", output)


def training_modules(model: torch.nn.Module) -> list[str]:
    """The paths of the modules in training mode."""
    return [path for path, module in walk(model) if module.training]


def changed_statistics(subject: Subject) -> list[str]:
    """Names of the buffers with running statistics that a run changes."""
    before = statistics_of(subject.model)
    changed: list[str] = []

    def noted(model: torch.nn.Module, inputs: Inputs) -> object:
        result = subject.forward(model, inputs)
        after = statistics_of(model)
        changed.extend(name for name, tensor in before.items() if not torch.equal(tensor, after[name]))
        return result

    Subject(subject.side, subject.model, subject.inputs, noted, subject.valid_positions).result()
    return changed


def statistics_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the buffers with running statistics, by name."""
    return {
        f"{path}.{name}" if path else name: buffer.detach().clone()
        for path, module in walk(model)
        for name, buffer in module._buffers.items()
        if buffer is not None and name in STATISTICS
    }


def _tensors(result: object) -> dict[str, torch.Tensor]:
    return {name: plain(leaf).clone() for name, leaf in flatten(result)[1] if isinstance(leaf, torch.Tensor)}


def _first_other(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> str | None:
    for name, tensor in one.items():
        twin = other.get(name)
        if twin is None or (twin.shape, twin.dtype) != (tensor.shape, tensor.dtype):
            return name
        if not same_bits(tensor.contiguous(), twin.contiguous()):
            return name
    return next((name for name in other if name not in one), None)


def _captured(subject: Subject, seeds: tuple[int, ...]) -> Trace:
    def run(model: torch.nn.Module, inputs: Inputs) -> object:
        result = None
        for seed in seeds:
            seed_everything(seed)
            result = subject.forward(model, inputs.fresh())
        return result

    return capture(subject.model, subject.inputs, run=run, side=subject.side, sketches=False)
