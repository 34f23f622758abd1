"""What verification says of a mutant, held against what was seeded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mutants.mutant import Mutant
from pairs.catalogue import build
from torch import nn

from porting.hooks.preserving import preserved


@dataclass(frozen=True)
class Outcome:
    """The verdict on one mutant, and whether it is right.

    Attributes:
        mutant: what was seeded.
        difference: the largest at the final outputs.
        places: paths of the port whose blame is right: the seeded one, its ``also``, and modules below it that own a
            changed tensor.
        document: what ``porting verify --json`` prints.
        seconds: of the verification.
    """

    mutant: Mutant
    difference: float
    places: frozenset[str]
    document: dict[str, Any]
    seconds: float

    @property
    def verdict(self) -> str:
        """Of the verification."""
        return str(self.document["verdict"])

    @property
    def blamed(self) -> list[str]:
        """The culprits' paths, most upstream first."""
        return [culprit["ported"] for culprit in self.document["culprits"]]

    @property
    def first_hit(self) -> bool:
        """Whether the first culprit is a right one."""
        return self.blamed[:1] != [] and self.blamed[0] in self.places

    @property
    def any_hit(self) -> bool:
        """Whether any culprit is a right one."""
        return not self.places.isdisjoint(self.blamed)

    @property
    def causes(self) -> list[tuple[str, bool]]:
        """Code of the first cause of each culprit, and whether it was verified; most upstream first."""
        firsts = [culprit["causes"][0] for culprit in self.document["culprits"] if culprit["causes"]]
        return [(cause["code"], cause["verified"]) for cause in firsts]

    @property
    def cause_right(self) -> bool:
        """Whether the first culprit's first cause is an accepted one."""
        culprits = self.document["culprits"]
        causes = culprits[0]["causes"] if culprits else []
        return bool(causes) and causes[0]["code"] in self.mutant.codes

    @property
    def verified_right(self) -> bool:
        """Whether it is so and was verified."""
        return self.cause_right and bool(self.document["culprits"][0]["causes"][0]["verified"])

    @property
    def verified_wrong(self) -> bool:
        """Whether any culprit's first cause was verified, and is no accepted one."""
        return any(verified and code not in self.mutant.codes for code, verified in self.causes)

    def to_dict(self) -> dict[str, Any]:
        """One row of the benchmark."""
        return {
            "pair": self.mutant.pair,
            "mutant": self.mutant.name,
            "path": self.mutant.path,
            "accepted_codes": list(self.mutant.codes),
            "difference": self.difference,
            "verdict": self.verdict,
            "culprits": self.blamed,
            "causes": [list(cause) for cause in self.causes],
            "first_hit": self.first_hit,
            "any_hit": self.any_hit,
            "cause_right": self.cause_right,
            "verified_right": self.verified_right,
            "verified_wrong": self.verified_wrong,
            "seconds": self.seconds,
        }


def verify_mutant(mutant: Mutant) -> Outcome:
    """Seed a bug into a fresh pair and verify it without any map."""
    return verify_together([mutant])[0]


def verify_together(mutants: Sequence[Mutant]) -> list[Outcome]:
    """Seed several bugs into one fresh pair and verify it once: an outcome for each, of one document."""
    pair = build(mutants[0].pair)
    places = [seed(mutant, pair.ported) for mutant in mutants]
    torch.manual_seed(0)
    with preserved(pair.ported):  # a run may change the port, as batch norm does in training
        difference = pair.difference()
    start = time.perf_counter()
    document = pair.verify().to_dict()
    seconds = time.perf_counter() - start
    return [Outcome(mutant, difference, own, document, seconds) for mutant, own in zip(mutants, places, strict=True)]


def seed(mutant: Mutant, ported: nn.Module) -> frozenset[str]:
    """Seed a bug; the paths that may be blamed for it."""
    before = {name: tensor.detach().clone() for name, tensor in _tensors(ported).items()}
    mutant.put_into(ported)
    changed = _owners_of_changes(before, _tensors(ported))
    below = {path for path in changed if mutant.path == "" or path.startswith(f"{mutant.path}.")}
    return frozenset({mutant.path, *mutant.also, *below})


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}


def _owners_of_changes(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    names = [name for name, tensor in before.items() if name not in after or not torch.equal(tensor, after[name])]
    return {name.rpartition(".")[0].removesuffix(".parametrizations.weight") for name in names}


def share(outcomes: Sequence[Outcome], what: str) -> float:
    """The part of the outcomes of which a property holds; 1 of none."""
    return sum(getattr(outcome, what) for outcome in outcomes) / len(outcomes) if outcomes else 1.0
