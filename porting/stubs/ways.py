"""The verified port computed in other ways, all of them right: what a test of it must let pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from porting.behaviour import Subject
from porting.behaviour.kernels import can_change_attention, implementations_kept
from porting.errors import CaptureError
from porting.quieting import quiet
from porting.reruns.threads import threads
from porting.runs import Inputs

ATTENTIONS = ("eager", "sdpa")
EXACT = (torch.float32, torch.float64)


def replayed(model: torch.nn.Module, given: Mapping[str, Any]) -> Subject:
    """The port as a test runs it: one forward with keyword arguments, on the device that the model is on."""
    return Subject("ported", model, Inputs(kwargs=given), lambda each, inputs: inputs.forward(each), Inputs.attended)


def other_ways(subject: Subject) -> list[Mapping[str, torch.Tensor]]:
    """The port's outputs as they are, on another number of threads, under each attention, and in float64.

    A way that the model does not take is left out. So is float64 where the port computes in half precision: there the
    original rounds as much as the port does, and a test in that precision holds one against the other.
    """
    found = [subject.given]
    for way in (
        threads(1 if torch.get_num_threads() > 1 else 2),
        *(attention(subject.model, name) for name in ATTENTIONS),
    ):
        try:
            with way:
                found.append(subject.outputs())
        except (CaptureError, ValueError, ImportError):
            continue
    halved = any(tensor.dtype not in EXACT for tensor in subject.given.values())
    return found if halved else [*found, subject.exact or {}]


@contextmanager
def attention(model: torch.nn.Module, name: str) -> Iterator[None]:
    """Compute attention in another way, as Transformers calls it.

    Raises:
        ValueError: the model cannot.
    """
    if not can_change_attention(model):
        raise ValueError("the model has no choice of attention")
    change: Callable[[str], None] = model.set_attn_implementation  # type: ignore[assignment]
    with implementations_kept(model):
        with quiet():
            change(name)
        yield
