"""What both sides say that an edit of an attention may need: numbers, masks and tensors at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from porting.comparison.masks import allowed
from porting.diagnosis.cause import Case
from porting.diagnosis.scene import Gap


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known around an attention.

    Attributes:
        numbers: numeric settings of the original's module, of those around it and in it, by name.
        tensors: floating tensors that the culprit had at hand, by description.
        masks: what the culprit's mask arguments let through, by name; True is open.
        padding: (batch, length), the valid positions of the run; None if all are.
        unpaired: path, input and output of the original's calls below the culprit's counterpart that the port lacks.
    """

    numbers: Mapping[str, float]
    tensors: Mapping[str, torch.Tensor]
    masks: Mapping[str, torch.Tensor]
    padding: torch.Tensor | None
    unpaired: tuple[tuple[str, torch.Tensor, torch.Tensor], ...] = ()

    def named(self, *stems: str) -> list[float]:
        """The numbers whose names hold one of these stems, each once."""
        found = (n for name, n in self.numbers.items() if any(stem in name.rpartition(".")[2] for stem in stems))
        return list(dict.fromkeys(found))


def clues_of(case: Case, gap: Gap) -> Clues:
    """What is known at one gap."""
    known = case.known(gap)
    masks = {name: mask for name, tensor in known.items() if (mask := _mask(name, tensor)) is not None}
    made = _computed(case, gap)
    floats = {
        name: tensor
        for name, tensor in known.items()
        if tensor.is_floating_point() and tensor.dim() > 1 and not name.startswith(made)
    }
    valid = case.ported.valid_positions()
    return Clues(dict(_numbers(case)), floats, masks, valid, tuple(_unpaired(case)))


def _computed(case: Case, gap: Gap) -> tuple[str, ...]:
    """How the names of tensors begin that may depend on the scores themselves: all but looked up ones."""
    fed = (c for c in case.moment(gap).children if any(t.is_floating_point() for t in c.received().values()))
    return ("input of ", *(f"output of {child.path}" for child in fed))


def _mask(name: str, tensor: torch.Tensor) -> torch.Tensor | None:
    """What a tensor lets through, if it is a mask: additive, boolean, or of ones and zeros and named so."""
    found = allowed(tensor)
    if found is not None:
        return found
    if "mask" in name and tensor.dim() == 2 and bool(((tensor == 0) | (tensor == 1)).all()):
        return tensor.bool()
    return None


def _numbers(case: Case) -> Iterator[tuple[str, float]]:
    own = case.culprit.original
    for path, info in case.original.modules.items():
        around = own is None or path == "" or own == path or own.startswith(f"{path}.") or path.startswith(f"{own}.")
        for name, value in info.settings.items() if around else ():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield f"{path}.{name}".lower(), float(value)


def _unpaired(case: Case) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Calls of the original with one tensor in and one of the same shape out."""
    own = case.culprit.original
    paired = set(case.alignment.original_of.values())
    for call in case.original.calls:
        if own is None or not call.path.startswith(f"{own}." if own else "") or call.path in paired:
            continue
        before, after = list(call.inputs.tensor_leaves()), list(call.outputs.tensor_leaves())
        if len(before) == len(after) == 1 and before[0].shape == after[0].shape:
            yield call.path, case.original.tensor(before[0]), case.original.tensor(after[0])
