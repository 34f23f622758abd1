"""One audit from beginning to end: what is compared, sought and computed, gathered into a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import torch

from porting.weights.audit.absent import absent
from porting.weights.audit.comparing import difference
from porting.weights.audit.computed import Computed, wrong_values
from porting.weights.audit.elsewhere import Held, Sought, search
from porting.weights.audit.explaining import explain, held_words, mistakes
from porting.weights.audit.judging import candidates, judge
from porting.weights.audit.live import others
from porting.weights.audit.names import layers_off
from porting.weights.audit.relation import Place
from porting.weights.audit.ties import broken_ties
from porting.weights.matching import Matching, ModelTensors
from porting.weights.report import Finding, Remark, WeightsReport, by_gravity
from porting.weights.rules.steps import listing
from porting.weights.source import Source, spec


class Audit:
    """A live model held against a checkpoint."""

    def __init__(self, model: ModelTensors, found: Matching, source: Source, made: Computed) -> None:
        """Take the sides.

        Args:
            model: the live model.
            found: which step makes which of its tensors.
            source: the checkpoint.
            made: what the model's class computes.
        """
        self._model, self._found, self._source, self._made = model, found, source, made
        self._tensors: Mapping[str, torch.Tensor] = model.tensors
        self._unsaved = others(model.model)
        self._mistakes: list[tuple[str, str]] = []
        missing = [finding.name for finding in found.findings if finding.status == "MISSING"]
        self._named = missing + [finding.name for finding in found.findings if finding.status == "COLLISION"]
        self._buffers = {name: self._tensors[name] for name in missing if not _is_parameter(self._tensors[name])}

    def report(self, *, strict: bool) -> WeightsReport:
        """Compare everything, and say what is not right."""
        broken = broken_ties(self._model.model, self._tensors)
        wrong, close, held = self._compared(broken)
        wrong += [*self._empty(), *wrong_values({**self._unsaved, **self._buffers}, self._made)]
        bad = {finding.name for finding in wrong}
        loose = [self._loose(*tie) for tie in broken.items() if bad.isdisjoint(tie)]
        gone = dict(absent(self._model.model, self._found, self._source.read))
        right = {name for name in self._buffers if name not in bad and self._made.values(name)}
        known = {*bad, *gone, *right, *(finding.name for finding in loose)}
        rest = (_with_held(each, held) for each in self._found.findings if not _is_told(each, known, gone))
        return WeightsReport(
            checkpoint=self._source.label,
            total=len(self._tensors),
            matched=sum(name not in bad for name in self._found.made),
            findings=by_gravity((*wrong, *loose, *gone.values(), *rest)),
            warnings=(*self._source.remarks, *self._found.warnings, *self._remarks(close, right)),
            values=True,
            strict=strict,
        )

    def _compared(self, broken: Mapping[str, str]) -> tuple[list[Finding], list[str], dict[str, Held]]:
        """What the checkpoint's steps give, held against the model; then what was found in names that none gives."""
        read = self._source.read
        judged = judge(self._tensors, self._found, read)
        named = [_sought(name, self._tensors[name]) for name in self._named if not self._tensors[name].is_meta]
        inside = [wrong.sought for wrong in judged.wrong if wrong.sought]
        search([*inside, *named], candidates(self._found, self._source), read)
        held = {each.place.name: each.found[0] for each in named if each.found}
        self._mistakes = mistakes(judged.wrong)
        return explain(judged.wrong, self._tensors, broken, read), judged.computed, held

    def _empty(self) -> Iterator[Finding]:
        for name, tensor in {**self._tensors, **self._unsaved}.items():
            if tensor.is_meta:
                cause = "not-loaded" if _is_parameter(tensor) else "buffer-wrong"
                yield Finding("META", name, model=spec(name, tensor), cause=cause)

    def _loose(self, name: str, partner: str) -> Finding:
        """The finding on a tie that is declared, and not made, between tensors that hold what they should."""
        apart = difference(self._tensors[name], self._tensors[partner])
        state = f"of other values: {apart}" if apart else "equal now, and will part in training"
        note = f"the config ties it, and it is a tensor of its own, {state}"
        own = spec(name, self._tensors[name])
        return Finding("UNTIED", name, model=own, other=(partner,), note=note, cause="untied")

    def _remarks(self, close: list[str], right: Iterable[str]) -> Iterator[Remark]:
        yield from layers_off(self._mistakes)
        if close:
            message = f"equal within the rounding of what the rules compute, not bit for bit: {listing(close)}"
            yield Remark("rounding", message)
        if names := sorted(right):
            message = f"not in the checkpoint, and as the model's class computes them: {listing(names)}"
            yield Remark("computed", message)
        if self._made.failure:
            names = sorted({**self._unsaved, **self._buffers})
            message = f"the model's class was not built anew ({self._made.failure}); not judged: {listing(names)}"
            yield Remark("not-rebuilt", message)


def _is_parameter(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter)


def _sought(name: str, tensor: torch.Tensor) -> Sought:
    return Sought(Place(name), tensor, torch.arange(len(tensor) if tensor.dim() else 0))


def _is_told(finding: Finding, known: set[str], gone: Mapping[str, Finding]) -> bool:
    """Whether a finding by name is already said by one on values."""
    left_over = finding.status in ("UNEXPECTED", "UNUSED")
    return finding.name in (gone if left_over else known) and finding.status in (
        "TIED",
        "MISSING",
        "UNEXPECTED",
        "UNUSED",
    )


def _with_held(finding: Finding, held: Mapping[str, Held]) -> Finding:
    if finding.status not in ("MISSING", "COLLISION"):
        return finding
    words = held_words(held[finding.name]) if finding.name in held else ""
    cause = "not-loaded" if finding.status == "MISSING" and not words else ""
    note = "; ".join(part for part in (finding.note, words) if part)
    return dataclasses.replace(finding, note=note, cause=cause)
