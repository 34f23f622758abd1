"""What the inputs of a verification cannot show: weaknesses that are reported beside the verdict."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from porting.comparison import Comparison
from porting.text import show
from porting.trace import Trace


def input_warnings(original: Trace, ported: Trace, comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """Code and message of each weakness: mode, randomness, batch, padding, constants, windows, dead modules."""
    return (*_modes(original, ported), *_weak_inputs(ported), *_windows(ported), *_dead(comparison))


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


def _weak_inputs(ported: Trace) -> Iterator[tuple[str, str]]:
    tensors = {leaf.name: ported.tensor(leaf) for leaf in ported.inputs.tensor_leaves()}
    batched = [tensor for tensor in tensors.values() if tensor.dim() >= 2]
    if batched and all(tensor.shape[0] == 1 for tensor in batched):
        yield "batch-of-one", "the batch has one row, so nothing is seen of how rows could mix"
    valid = ported.valid_positions()
    mask = tensors.get("attention_mask")
    if mask is not None and mask.dim() == 2 and (valid is None or bool(valid.all())):
        yield "no-padding", "no position is padding, so nothing is seen of how the attention mask is used"
    for name, tensor in tensors.items():
        if name != "attention_mask" and tensor.dim() >= 2 and tensor.numel() > 1 and _constant(tensor):
            yield "constant-input", f"{show(name)} has the same value everywhere, which hides most mistakes"
    ids = tensors.get("input_ids")
    if ids is not None and ids.dim() == 2 and ids.shape[1] < 2:
        yield "one-position", "the sequence has one position, so nothing is seen of attention or positions"


def _windows(ported: Trace) -> Iterator[tuple[str, str]]:
    """Windows of attention that no sequence among the inputs reaches."""
    lengths = [leaf.shape[1] for leaf in ported.inputs.tensor_leaves() if leaf.shape and len(leaf.shape) == 2]
    if not lengths:
        return
    for module in ported.modules.values():
        for name, value in module.settings.items():
            if "window" in name and type(value) is int and value > max(lengths):
                where = show(f"{module.path}.{name}" if module.path else name)
                yield "short-sequence", f"the sequence of {max(lengths)} stays within {where} = {value}"
                return


def _dead(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Modules whose every compared output is zero: a fault inside would not show."""
    dead = [
        call.ported.label
        for call in comparison.calls
        if call.leaves and all(leaf.numbers.elements and leaf.numbers.scale == 0 for leaf in call.leaves)
    ]
    if dead:
        yield (
            "zero-activations",
            f"{len(dead)} modules return zeros only, so nothing is seen of them (first: {show(dead[0])})",
        )


def _constant(tensor: torch.Tensor) -> bool:
    flat = tensor.reshape(-1)
    return tensor.dtype != torch.bool and bool((flat == flat[0]).all())
