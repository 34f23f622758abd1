"""Hidden states that a port returns when it is asked for them, with what the original's modules made there: what a
model's head hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from porting.comparison import Positions, compare_tensors
from porting.comparison.pairing import pair_leaves
from porting.errors import CaptureError
from porting.runs import Inputs
from porting.stubs.expectations import MARGIN, Access, ExpectedOutput, Leaf
from porting.stubs.sampling import choose
from porting.stubs.ways import replayed
from porting.tolerance import Tolerance
from porting.trace import Leaf as Recorded
from porting.verification import Verification

ASKED = "output_hidden_states"
NAMED = re.compile(r"(\w*hidden_states)\.(\d+)")


def layer_outputs(
    verification: Verification,
    model: torch.nn.Module,
    given: Mapping[str, Any],
    outputs: Sequence[ExpectedOutput],
    tolerance: tuple[float, float],
) -> tuple[ExpectedOutput, ...]:
    """The middle and the last of the hidden states that an aligned module of the original made, too; none where the
    port does not return them, or an output holds them already.

    Args:
        verification: that says match.
        model: the port, live.
        given: the arguments of its forward.
        outputs: those that are tested anyway.
        tolerance: of their test, absolute and relative, which these must not need to be wider.
    """
    if any(not output.leaf.access or output.leaf.access[0][0] != "attribute" for output in outputs):
        return ()
    subject = replayed(model, given)
    try:
        returned = subject.outputs(Inputs(kwargs={**subject.inputs.kwargs, ASKED: True}))
    except CaptureError:
        return ()
    if any(output.leaf.name not in returned for output in outputs):
        return ()
    names, known = [output.name for output in outputs], [output.leaf.tensor for output in outputs]
    hidden = {
        name: tensor
        for name, tensor in returned.items()
        if NAMED.fullmatch(name) and name not in names and not any(_equal(tensor, each) for each in known)
    }
    found = list(_placed(verification, hidden, tolerance))
    return tuple({output.name: output for output in (*found[len(found) // 2 :][:1], *found[-1:])}.values())


def _placed(
    verification: Verification, hidden: Mapping[str, torch.Tensor], tolerance: tuple[float, float]
) -> Iterator[ExpectedOutput]:
    """Each hidden state that the original made, too, well within the tolerance."""
    positions = Positions.of(verification.ported)
    allowed = Tolerance(tolerance[0] / MARGIN, tolerance[1] / MARGIN)
    made = list(_aligned(verification))
    for name, tensor in hidden.items():
        for key, one, other in made:
            if one.shape == tensor.shape and _equal(other, tensor):
                mask = positions.mask(one, key, name)
                numbers = compare_tensors(one, other, allowed, mask)
                if numbers.allclose and numbers.comparable:
                    leaf = Leaf(name, _access(name), tensor)
                    yield ExpectedOutput(name, leaf, one, mask, numbers.max_abs, choose(one, mask))
                break


def _aligned(verification: Verification) -> Iterator[tuple[Any, torch.Tensor, torch.Tensor]]:
    """Of every aligned call that returns floating-point tensors: its key, the original's tensor in the port's layout,
    and the port's.
    """
    original, ported = verification.original, verification.ported
    for call in verification.comparison.calls:
        if not call.compared:
            continue
        for pair in pair_leaves(original, call.original.outputs, ported, call.ported.outputs):
            if _floating(pair.original) and _floating(pair.ported):
                one, other = original.tensor(pair.original), ported.tensor(pair.ported)
                yield call.ported.key, pair.layout.apply(one), other


def _floating(leaf: Recorded) -> bool:
    return "float" in str(leaf.dtype) and bool(leaf.shape)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _access(name: str) -> Access:
    field, number = name.rsplit(".", 1)
    return (("attribute", field), ("item", int(number)))
