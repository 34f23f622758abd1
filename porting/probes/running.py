"""Run both models on every probe."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace

import torch

from porting.errors import CaptureError, PortingError
from porting.probes.deriving import Underivable, derive, filled, source_of
from porting.probes.making import Maker
from porting.probes.planning import Plan, plans
from porting.probes.result import SKIPPED, Probe, Verified
from porting.probes.surveying import Survey, survey
from porting.progress import Progress, silent
from porting.runs import Inputs
from porting.text import show
from porting.trace import flatten

Verify = Callable[[Inputs, Inputs, "torch.Tensor | None"], Verified]
"""Verifies on the port's inputs, the original's, and the mask of a padded probe."""


def run_probes(
    verify: Verify,
    original: torch.nn.Module,
    ported: torch.nn.Module,
    inputs: Inputs,
    original_inputs: Inputs | None = None,
    *,
    progress: Progress = silent,
) -> tuple[Probe, ...]:
    """Verify on generated inputs, one probe after the other.

    Args:
        verify: does it once.
        original: the live original.
        ported: the live port.
        inputs: the given ones of the port, after which the generated ones are made.
        original_inputs: the given ones of the original; None if they are the port's.
        progress: called as probes complete.
    """
    given = inputs if original_inputs is None else original_inputs
    same = set(given.named()) == set(inputs.named())
    takes_mask = same and _takes_mask(original) and _takes_mask(ported)
    found = survey(original, ported, inputs, takes_mask=takes_mask)
    probes = []
    planned = list(plans(found))
    for done, plan in enumerate(planned):
        progress(f"probe {plan.name}", done, len(planned))
        probes.append(_probe(verify, found, plan, inputs, given))
    return tuple(probes)


def _probe(verify: Verify, found: Survey, plan: Plan, inputs: Inputs, given: Inputs) -> Probe:
    outcome = Probe(
        plan.name, plan.description, SKIPPED, reason=plan.obstacle or _obstacle(found, plan, inputs, given)
    )
    if outcome.reason:
        return outcome
    maker = Maker(found, plan)
    made = maker.tensors()
    try:
        first = derive(given, found.tensors, made, set(made) - set(found.tensors))
        verification = verify(filled(inputs, made), first, maker.counted)
    except Underivable as error:
        return replace(outcome, reason=str(error))
    except CaptureError as error:
        raised = error.side == "ported"
        return replace(outcome, verdict="mismatch" if raised else SKIPPED, reason=error.message)
    except PortingError as error:
        return replace(outcome, reason=error.message)
    worst = max((output.numbers.max_abs for output in verification.outputs), default=None)
    return replace(outcome, verdict=verification.verdict, max_abs=worst, culprits=verification.culprits)


def _obstacle(found: Survey, plan: Plan, inputs: Inputs, given: Inputs) -> str:
    """Why a probe cannot be made of these inputs; empty if it can."""
    if inner := tensors_within(inputs):
        return inner
    mask = found.tensors.get(found.mask or "")
    if not plan.padding or mask is None or not bool(mask.all()):
        return ""  # a mask with padding in it: however the original learns of it, it does
    sources = [
        source[0]
        for name, value in given.named().items()
        if isinstance(value, torch.Tensor) and (source := source_of(name, value, found.tensors))
    ]
    return "" if found.mask in sources else "the original is given no mask, so it cannot know of padding"


def tensors_within(inputs: Inputs) -> str:
    """Which input holds tensors within it, so that it cannot be made anew; empty if none does."""
    for name, value in inputs.named().items():
        inner = not isinstance(value, torch.Tensor) and flatten(value)[1]
        if inner and any(isinstance(leaf, torch.Tensor) for _, leaf in inner):
            return f"the input {show(name)} holds tensors within it"
    return ""


def _takes_mask(model: torch.nn.Module) -> bool:
    return "attention_mask" in inspect.signature(model.forward).parameters
