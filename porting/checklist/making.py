"""Put the evidence of today beside every claim of the recipe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from porting.checklist.following import what_follows
from porting.checklist.judging import judge
from porting.checklist.leftover import find_parts
from porting.checklist.listed import ListedClaim, ListedStep
from porting.checklist.origin import Origin
from porting.checklist.result import Checklist
from porting.evidence import changes, records_by_claim
from porting.recipe import STEPS, all_claims

if TYPE_CHECKING:
    from porting.evidence import Record
    from porting.portfile import Portfile


def make_checklist(portfile: Portfile) -> Checklist:
    """What the evidence says of a port today; nothing is run.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    records = records_by_claim(portfile)
    claims = listed_claims(portfile, records)
    deciding = [claim.record for claim in claims.values() if claim.record is not None]
    files = find_parts(portfile.folder, _named(portfile, deciding))
    steps = tuple(
        ListedStep(
            step,
            tuple(claim for claim in claims.values() if claim.claim.step == step.number),
            tuple(file for file in files if file.step == step.number),
        )
        for step in STEPS
    )
    name = os.path.relpath(portfile.path)
    unknown = tuple(name for name in records if name not in claims)
    return Checklist(portfile.model_name, name, steps, what_follows(steps, name), Origin.of(deciding), unknown)


def listed_claims(portfile: Portfile, records: Mapping[str, Sequence[Record]]) -> dict[str, ListedClaim]:
    """Every claim of the recipe by its name, with its state; records of others count for nothing."""
    changed = partial(changes, portfile=portfile)
    listed = {claim.name: judge(claim, records.get(claim.name, ()), changed) for claim in all_claims()}
    return {name: _unless_spared(claim, listed) for name, claim in listed.items()}


def _unless_spared(claim: ListedClaim, listed: Mapping[str, ListedClaim]) -> ListedClaim:
    """A person's claim that nobody ticked and that has nothing to be about does not apply."""
    person = claim.claim.person
    if claim.record is not None or person is None or person.spared_by is None:
        return claim
    check, figure = person.spared_by
    other = listed.get(check)
    if other is None:
        return claim
    if other.state == "not applicable":
        return replace(claim, state="not applicable", spared=f"{check} does not apply: {other.why}")
    if other.state == "done" and other.figures.get(figure) == 0:
        return replace(claim, state="not applicable", spared=f"{check}: {figure.replace('_', ' ')} 0")
    return claim


def _named(portfile: Portfile, records: Sequence[Record]) -> Iterator[Path]:
    """The files that records speak of."""
    for record in records:
        for subject in record.about:
            kind, _, name = subject.partition(" ")
            if kind == "file" and name.endswith((".py", ".md", ".ipynb")):
                yield portfile.folder / name
