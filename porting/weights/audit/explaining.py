"""From what is wrong to findings: the cause, and the other tensor by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch

from porting.text import show
from porting.weights.audit.changed import change
from porting.weights.audit.elsewhere import Held, read_all
from porting.weights.audit.judging import Wrong
from porting.weights.audit.names import distance, mistaken
from porting.weights.audit.relation import Relation, clause
from porting.weights.audit.ties import one_tensor
from porting.weights.audit.weightnorm import is_norm_of_direction
from porting.weights.report import Finding
from porting.weights.rules.steps import Read, listing
from porting.weights.source import spec

UNEXPLAINED = ("not-loaded", "missing-bias", "unknown")
"""Causes for which a tie that was not made is the better explanation."""
NOT_OF_BUFFERS = ("unknown", "extra-scale", "norm-formula", "not-loaded", "missing-bias")
"""Causes that are ``buffer-wrong`` for a buffer."""


def explain(
    wrongs: Sequence[Wrong], tensors: Mapping[str, torch.Tensor], broken: Mapping[str, str], read: Read
) -> list[Finding]:
    """A finding for each, after what was sought elsewhere was found.

    Args:
        wrongs: what is wrong.
        tensors: the model's state.
        broken: ties that are declared and not made.
        read: reads a checkpoint tensor.
    """
    held = {wrong.place.name: found for wrong in wrongs if (found := _nearest(wrong))}
    for wrong in wrongs:
        if wrong.place.is_magnitude and is_norm_of_direction(wrong.place.name, tensors):
            wrong.relation = Relation("weight-norm", "the norm of its direction: the magnitude was not loaded")
    unexplained = [wrong for wrong in wrongs if wrong.relation is None and wrong.place.name not in held]
    for wrong, (_, given) in zip(unexplained, read_all([wrong.wanted for wrong in unexplained], read), strict=True):
        wrong.relation = change(wrong.place, wrong.tensor, given.to(wrong.tensor.dtype).cpu())
    return [_finding(wrong, held, tensors, broken) for wrong in wrongs]


def mistakes(wrongs: Sequence[Wrong]) -> list[tuple[str, str]]:
    """The names of tensors that hold all of another, and the model's name for that."""
    found = [(wrong.place.name, _nearest(wrong)) for wrong in wrongs]
    return [(name, held.candidate.name) for name, held in found if held and held.is_whole and held.candidate.name]


def _nearest(wrong: Wrong) -> Held | None:
    """The best of what was found in a tensor: all of it before rows, as it is before changed, near by name."""

    def rank(held: Held) -> tuple[object, ...]:
        one, other = _names(wrong, held)
        return not held.is_whole, bool(held.words) and held.is_whole, not held.candidate.name, distance(one, other)

    return min(wrong.sought.found, key=rank, default=None) if wrong.sought else None


def _names(wrong: Wrong, held: Held) -> tuple[str, str]:
    """What should be and what is held, both by the model's names or, where one has none, by the checkpoint's."""
    sources = wrong.place.sources or (wrong.place.name,)
    return (wrong.place.name, held.candidate.name) if held.candidate.name else (sources[0], held.candidate.part)


def _finding(
    wrong: Wrong, held: Mapping[str, Held], tensors: Mapping[str, torch.Tensor], broken: Mapping[str, str]
) -> Finding:
    name = wrong.place.name
    finding = Finding("VALUE", name, wrong.wanted.spec, spec(name, tensors[name]))
    if found := held.get(name):
        return _mistaken(finding, wrong, found, held, tensors)
    relation = wrong.relation or Relation("unknown", "")
    note = "; ".join(part for part in (wrong.note, clause(relation)) if part)
    cause = relation.cause
    if partner := broken.get(name):
        cause = "untied" if cause in UNEXPLAINED else cause
        note = f"{note}; the config ties it to {show(partner)}, and it is a tensor of its own"
    elif cause == "not-loaded" and getattr(tensors[name], "_is_hf_initialized", False):
        note = f"{note}; Transformers loaded it, and it was initialised again since: by _init_weights, in place?"
    if wrong.place.kind == "buffer" and cause in NOT_OF_BUFFERS:
        cause = "buffer-wrong"
    return dataclasses.replace(finding, note=note, cause=cause)


def _mistaken(
    finding: Finding, wrong: Wrong, found: Held, held: Mapping[str, Held], tensors: Mapping[str, torch.Tensor]
) -> Finding:
    """The finding on a tensor that holds another, or rows of another."""
    candidate, name = found.candidate, finding.name
    one, other = _names(wrong, found)
    cause = mistaken(one, other, same_source=candidate.step.sources == wrong.wanted.step.sources)
    words = found.words.removeprefix("that").strip(", ")
    if not found.is_whole:
        where = show(other) if candidate.name else f"{show(other)} of the checkpoint"
        cause = "qkv-order" if wrong.place.is_fused else cause
        return dataclasses.replace(finding, cause=cause, note=f"it holds {words} of {where}, out of place")
    notes = [words]
    if candidate.part in wrong.wanted.step.sources:
        cause = "weight-norm" if wrong.place.is_folded else cause
        notes.append(f"as it is there, without what the rules do with it ({show(str(wrong.wanted.step.rule))})")
    if candidate.name and (candidate.name,) != candidate.step.sources:
        made = "" if candidate.step.is_rename else f", made of {listing(candidate.step.sources)}"
        notes.append(f"it holds what belongs in {show(candidate.name)}{made}")
    partner = held.get(candidate.name)
    if partner and partner.is_whole and partner.candidate.name == name:
        notes.append("the two are exchanged")
    if candidate.name in tensors and one_tensor(tensors[candidate.name], tensors[name]):
        cause = "untied"
        notes.append(f"tied to {show(candidate.name)} in the model, and the checkpoint has two different tensors")
    note = "; ".join(note for note in notes if note)
    sources = candidate.step.sources if candidate.step.is_rename else ()
    return dataclasses.replace(finding, cause=cause, note=note, other=sources)


def held_words(found: Held) -> str:
    """What a tensor holds, for a finding that is not on its value."""
    words = found.words.removeprefix("that").strip(", ")
    what = show(found.candidate.name) if found.candidate.name else listing(found.candidate.step.sources)
    return f"the model holds {what} of the checkpoint" + (f", {words}" if words else "")
