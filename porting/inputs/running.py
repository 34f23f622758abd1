"""What a run itself does not show: its mode, what it draws, activations without information, a loss alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from porting.comparison import Comparison
from porting.inputs.roles import constant
from porting.text import show
from porting.trace import Call, Trace

AT_BOUNDS = 0.98
"""Share of the values of a saturated result that lie at its smallest or largest one."""
FEW = 16
"""Fewer values than these say nothing about saturation."""


def run_warnings(original: Trace, ported: Trace, comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Modes, randomness, dead and saturated modules, scalar outputs, a guidance that does nothing."""
    yield from _modes(original, ported)
    yield from _activations(ported, comparison)
    outputs = [output.numbers for output in comparison.outputs]
    if outputs and all(numbers.elements == 1 and not any(numbers.ported_shape) for numbers in outputs):
        text = "what is compared at the end is a single number, in which most differences average out"
        yield "loss-only", f"{text}; compare the logits or hidden states, too (outputs() in the portfile)"
    for leaf in ported.inputs.leaves:
        if "guidance" in leaf.name and leaf.value == 1:
            text = f"with {show(leaf.name)} = 1 the unguided half has no effect, so its formula is not seen"
            yield "guidance-of-one", f"{text}; pass another value, such as 7.5"
            return


def _modes(original: Trace, ported: Trace) -> Iterator[tuple[str, str]]:
    for side, trace in (("original", original), ("ported", ported)):
        training = [module.path for module in trace.modules.values() if module.training]
        if training:
            first = show(training[0] or "the model itself")
            text = f"{len(training)} modules of the {side} model are in training mode (first: {first})"
            yield "training-mode", f"{text}; return model.eval() from {side}() unless that is meant"
        elif trace.run.get("random"):
            text = f"the {side} model's forward drew random numbers, which differ from run to run"
            yield (
                "random-forward",
                f"{text}; fix what it draws (in the inputs, or by a patch in {side}()) to compare it",
            )


def _activations(ported: Trace, comparison: Comparison) -> Iterator[tuple[str, str]]:
    compared = [call.ported for call in comparison.calls if call.compared]
    dead, flat, cut = (
        [call.label for call in calls if _all(ported, call, test)]
        for calls, test in ((ported.completed, _zero), (compared, _flat), (compared, _saturated))
    )
    if dead:
        text = f"{len(dead)} modules return zeros only, so nothing is seen of them (first: {show(dead[0])})"
        yield "zero-activations", f"{text}; pass other inputs, or see them with: porting verify --reinit"
    if flat:
        text = f"{len(flat)} modules return one value throughout (first: {show(flat[0])})"
        yield "constant-activations", f"{text}, which hides order, axes and positions; pass inputs that vary"
    if cut:
        text = f"nearly all values that {len(cut)} modules return lie at a bound (first: {show(cut[0])})"
        yield "saturated-activations", f"{text}, which hides what came before; pass inputs of a smaller scale"


def _all(ported: Trace, call: Call, test: Callable[[torch.Tensor], bool]) -> bool:
    """Whether a call returned floats of more than one element, and each of them passes a test."""
    tensors = [ported.tensor(leaf) for leaf in call.outputs.tensor_leaves()]
    return bool(tensors) and all(t.numel() > 1 and t.is_floating_point() and test(t) for t in tensors)


def _zero(tensor: torch.Tensor) -> bool:
    return not tensor.any()


def _flat(tensor: torch.Tensor) -> bool:
    return bool(tensor.reshape(-1)[0] != 0) and constant(tensor)


def _saturated(tensor: torch.Tensor) -> bool:
    if tensor.numel() < FEW:
        return False
    least, most = (bound.item() for bound in tensor.aminmax())
    margin = 1e-6 * (most - least)
    inside = (tensor > least + margin) & (tensor < most - margin)
    return most > least and int(inside.sum()) <= (1 - AT_BOUNDS) * tensor.numel()
