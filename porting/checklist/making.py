"""Put the evidence of today beside every claim of the recipe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from porting.checklist.following import what_follows
from porting.checklist.judging import judge
from porting.checklist.leftover import SUFFIXES, find_parts
from porting.checklist.listed import ListedClaim, ListedStep
from porting.checklist.origin import Origin
from porting.checklist.result import Checklist
from porting.evidence import changes, records_by_claim
from porting.evidence.naming import path_of
from porting.recipe import STEPS, all_claims

if TYPE_CHECKING:
    from porting.evidence import Record
    from porting.portfile import Portfile
    from porting.recipe.claims import Finding

MOST_NAMED = 2000
"""Files elsewhere than in the portfile's folder that are looked into."""


def make_checklist(portfile: Portfile) -> Checklist:
    """What the evidence says of a port today; nothing is run.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    records = records_by_claim(portfile)
    claims = listed_claims(portfile, records)
    deciding = [claim.record for claim in claims.values() if claim.record is not None]
    files = find_parts(portfile.path, islice(_named(portfile, deciding), MOST_NAMED))
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
    return {name: _beside(claim, listed) for name, claim in listed.items()}


def _beside(claim: ListedClaim, listed: Mapping[str, ListedClaim]) -> ListedClaim:
    """A person's claim beside what checks say of it."""
    person = claim.claim.person
    if person is None:
        return claim
    if person.first is not None:
        check, figure = person.first
        ready = check in listed and listed[check].state == "done"
        claim = replace(claim, first=str(listed[check].figures.get(figure) or "") if ready else "")
    return _found(claim, person.found_by, listed) if claim.open and person.found_by is not None else claim


def _found(claim: ListedClaim, finding: Finding, listed: Mapping[str, ListedClaim]) -> ListedClaim:
    """An open claim of a person, as a figure of a check settles it."""
    check = listed.get(finding.check)
    if check is None:
        return claim
    if check.state == "not applicable" == finding.state:
        words = f"{finding.check} does not apply: {check.why}"
        return replace(claim, state="not applicable", found=words, record=None, changed=())
    value = check.figures.get(finding.figure)
    if check.state != "done" or value is None or not finding.settles(value):
        return claim
    words = f"{finding.check}: {finding.figure.replace('_', ' ')} {value}"
    record = check.record if finding.state == "done" else None
    return replace(claim, state=finding.state, found=words, record=record, changed=())


def _named(portfile: Portfile, records: Sequence[Record]) -> Iterator[Path]:
    """The files of a person that records speak of."""
    for record in records:
        for subject in record.about:
            path = path_of(subject, portfile.folder) if subject.startswith("file ") else None
            if path is not None and path.name.endswith(SUFFIXES):
                yield path
