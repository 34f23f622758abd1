"""Give both models new weights, run them, and put the old ones back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from porting.errors import CaptureError
from porting.reinit.relations import Relations
from porting.reinit.result import Reinitialisation
from porting.reinit.slots import Slot, slots_of
from porting.reinit.values import new_values

if TYPE_CHECKING:
    from porting.verification import Verification


def run_reinitialised(
    verify: Callable[[], Verification],
    original: torch.nn.Module,
    ported: torch.nn.Module,
    pairs: Iterable[tuple[str, str]],
    seed: int,
) -> Reinitialisation:
    """Verify once more with new weights, the same on both sides; both models get their own back.

    Args:
        verify: does it.
        original: the live original.
        ported: the live port.
        pairs: original and ported paths of the aligned modules: they decide where values alone do not.
        seed: of the new values.
    """
    (ones, left), (others, other_left) = slots_of(original), slots_of(ported)
    relations = Relations(ones, others, pairs)
    sources = {source for relation in relations.found.values() for source in relation.sources} | set(relations.twins)
    alone = (
        *(("original", name, why) for name, why in left),
        *(("original", s.full, "nothing of the port has its values") for s in ones if s.full not in sources),
        *(("ported", name, why) for name, why in other_left),
        *(("ported", s.full, "its relation to the original's is unknown") for s in relations.unknown),
    )
    if not relations.found:
        why = "no weight of the port has the values of one of the original's"
        return Reinitialisation(seed, "skipped", 0, alone, reason=why)
    with _written(ones, others, relations, sources, seed):
        try:
            verification = verify()
        except CaptureError as error:
            verdict = "mismatch" if error.side == "ported" else "skipped"
            return Reinitialisation(seed, verdict, len(relations.found), alone, reason=error.message)
    worst = max((output.numbers.max_abs for output in verification.comparison.outputs), default=None)
    return Reinitialisation(
        seed, verification.verdict, len(relations.found), alone, worst, culprits=verification.culprits
    )


@contextmanager
def _written(
    ones: Iterable[Slot], others: Iterable[Slot], relations: Relations, sources: set[str], seed: int
) -> Iterator[None]:
    """Both models with new values, until the end of the block."""
    first = [slot for slot in ones if slot.full in sources]
    second = [slot for slot in others if slot.full in relations.found]
    before = [(slot.tensor, slot.tensor.detach().clone()) for slot in (*first, *second)]
    try:
        _write(first, second, relations, seed)
        yield
    finally:
        with torch.no_grad():
            for tensor, values in before:
                tensor.copy_(values)


def _write(first: Iterable[Slot], second: Iterable[Slot], relations: Relations, seed: int) -> None:
    with torch.no_grad():
        for slot in first:
            twin = relations.originals[relations.twins.get(slot.full, slot.full)]
            slot.tensor.copy_(new_values(twin, seed))
        values = {slot.full: slot.tensor.detach().clone() for slot in first}
        for slot in second:
            slot.tensor.copy_(relations.found[slot.full].make(values))
