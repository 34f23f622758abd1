"""What was found about the weights: one finding per name, in the words of Transformers' load report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from porting.folding import NUMBER, fold
from porting.results import Result
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

FAILING = ("META", "VALUE", "ABSENT", "UNTIED", "COLLISION", "CONVERSION", "MISMATCH", "MISSING", "UNUSED")
STATUSES = (*FAILING, "UNEXPECTED", "DTYPE", "TIED")
"""Every status, the gravest first.

META: still without data. VALUE: other data than the checkpoint's, or than the class computes. ABSENT: in the
checkpoint, and the model's module has None. UNTIED: tied by the config, and a tensor of its own in the model.
COLLISION: two checkpoint tensors for it.
CONVERSION: its rule cannot be applied. MISMATCH: another shape. MISSING: in the model, not in the checkpoint.
UNUSED: in the checkpoint, and no rule of a list takes it or leaves it out. UNEXPECTED: in the checkpoint, under a
name that the model lacks. DTYPE: another dtype. TIED: missing, and shared with one that is present.
"""

COUNTED = {
    "META": "without data",
    "VALUE": "of other values",
    "ABSENT": "absent from their module",
    "UNTIED": "untied",
    "COLLISION": "in collision",
    "CONVERSION": "not convertible",
    "MISMATCH": "of another shape",
    "MISSING": "missing",
    "UNUSED": "unused",
    "UNEXPECTED": "unexpected",
    "DTYPE": "of another dtype",
    "TIED": "tied",
}
"""The statuses as a sentence counts them."""


class Spec(NamedTuple):
    """What a tensor is, without its data."""

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Spec:
        """That of a tensor."""
        return cls(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))

    def __str__(self) -> str:
        """As in a table: ``float32 [30522, 384]``."""
        return f"{self.dtype} {list(self.shape)}"


class Remark(NamedTuple):
    """Something to know that is not about one tensor: a stable word and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One tensor that needs a word.

    Attributes:
        status: one of `STATUSES`.
        name: the model's name for it; the checkpoint's own where the model has none (UNEXPECTED).
        checkpoint: what the checkpoint holds for it.
        model: what the model has.
        other: names this is about: what it is tied to, the checkpoint tensors that collide or that it equals.
        note: the rest in words.
        cause: a cause code, where values were compared; empty where there is nothing to explain.
    """

    status: str
    name: str
    checkpoint: Spec | None = None
    model: Spec | None = None
    other: tuple[str, ...] = ()
    note: str = ""
    cause: str = ""


@dataclass(frozen=True, repr=False)
class WeightsReport(Result):
    """Whether a model and a checkpoint are about the same tensors.

    A report fails on every status of `FAILING`, and when no tensor matched at all. An UNEXPECTED tensor alone
    is shown and fails only a ``strict`` report: checkpoints rightly hold a head that the model lacks or a
    buffer that it computes, while nothing in the model is left without its weight. A list of rules promises more,
    so there a tensor that no rule mentions is UNUSED.

    Attributes:
        checkpoint: where the checkpoint is, in words.
        total: how many parameters and persistent buffers the model has.
        matched: how many of them the checkpoint has in name and shape, and in value where that was compared.
        findings: what is not plainly right, the gravest first.
        warnings: remarks on the whole.
        values: whether the tensors' data was compared, too.
        strict: whether UNEXPECTED fails.
    """

    renderer: ClassVar[str] = "porting.report.weights:render_weights"

    checkpoint: str
    total: int
    matched: int
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Remark, ...] = ()
    values: bool = False
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether every weight of the model is accounted for, and there is at least one."""
        return self.matched > 0 and not self.failures()

    def failures(self) -> tuple[Finding, ...]:
        """The findings that make the report fail."""
        failing = (*FAILING, "UNEXPECTED") if self.strict else FAILING
        return tuple(finding for finding in self.findings if finding.status in failing)

    def of(self, status: str) -> tuple[Finding, ...]:
        """The findings of one status."""
        return tuple(finding for finding in self.findings if finding.status == status)

    def summary(self) -> str:
        """The verdict and the counts in one line."""
        verdict = "weights match" if self.ok else "weights differ" if self.matched else "no weight matched"
        what = "name, shape and value" if self.values else "name and shape"
        counts = [f"{len(found)} {words}" for status, words in COUNTED.items() if (found := self.of(status))]
        return f"{verdict}: {self.matched} of {self.total} by {what}" + "".join(f", {text}" for text in counts)

    def failure_message(self) -> str:
        """The summary, then every failing tensor, the gravest first, equal rows folded."""
        rows = [describe(row, name) for row, name in folded(self.failures())]
        return "\n".join([self.summary(), *(f"  {row}" for row in rows)])

    def to_dict(self) -> dict[str, Any]:
        """The JSON document; names are given as they are, unescaped and unfolded."""
        return {
            "schema": 1,
            "ok": self.ok,
            "checkpoint": self.checkpoint,
            "compared": "values" if self.values else "shapes",
            "total": self.total,
            "matched": self.matched,
            "missing": [finding.name for finding in self.of("MISSING")],
            "unexpected": [finding.name for finding in self.of("UNEXPECTED")],
            "unused": [finding.name for finding in self.of("UNUSED")],
            "mismatched": [_shapes(finding) for finding in self.of("MISMATCH")],
            "dtype": [_dtypes(finding) for finding in self.of("DTYPE")],
            "tied": [{"name": finding.name, "tied_to": finding.other[0]} for finding in self.of("TIED")],
            "collisions": [{"name": finding.name, "sources": list(finding.other)} for finding in self.of("COLLISION")],
            "conversions": [
                {"name": finding.name, "sources": list(finding.other), "note": finding.note}
                for finding in self.of("CONVERSION")
            ],
            "values": [
                {"name": finding.name, "equals": list(finding.other), "note": finding.note, "cause": finding.cause}
                for finding in self.of("VALUE")
            ],
            "absent": [
                {"name": finding.name, "note": finding.note, "cause": finding.cause} for finding in self.of("ABSENT")
            ],
            "untied": [
                {"name": finding.name, "tied_to": finding.other[0], "note": finding.note, "cause": finding.cause}
                for finding in self.of("UNTIED")
            ],
            "causes": {finding.name: finding.cause for finding in self.findings if finding.cause},
            "meta": [finding.name for finding in self.of("META")],
            "warnings": [remark._asdict() for remark in self.warnings],
        }


def folded(findings: Sequence[Finding]) -> list[tuple[Finding, str]]:
    """The rows to show: a finding, and the name for it and all that equal it in everything else.

    Other names that it is about are equal if they differ by the numbers of its own name only; all are kept.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        others = tuple(_relative(other, finding.name) for other in finding.other)
        key = (finding.status, finding.checkpoint, finding.model, others, finding.note, finding.cause)
        groups.setdefault(key, []).append(finding)
    return [
        (_together([group[member] for member in row.members]), row.name)
        for group in groups.values()
        for row in fold([finding.name for finding in group])
    ]


def _relative(other: str, name: str) -> str:
    """A name with a mark for each number that another one has at the same place."""
    own = iter(NUMBER.findall(name))
    return NUMBER.sub(lambda number: "{}" if number[0] == next(own, None) else number[0], other)


def _together(findings: Sequence[Finding]) -> Finding:
    others = dict.fromkeys(other for finding in findings for other in finding.other)
    return dataclasses.replace(findings[0], other=tuple(others))


def describe(finding: Finding, name: str) -> str:
    """One row in words, safe to show."""
    specs = {"checkpoint": finding.checkpoint, "model": finding.model}
    parts = [f"{side} {spec}" for side, spec in specs.items() if spec is not None]
    if details := detail(finding):
        parts.append(details)
    return f"{finding.status} {show(name)}" + (f": {'; '.join(parts)}" if parts else "")


def detail(finding: Finding) -> str:
    """What a finding says besides the two tensors, safe to show."""
    others = ", ".join(show(row.name) for row in fold(list(finding.other)))
    words = {
        "TIED": "tied to {}",
        "COLLISION": "from both {}",
        "CONVERSION": "from {}",
        "MISMATCH": "from {}",
        "UNTIED": "to be tied to {}",
        "VALUE": "the model holds {} of the checkpoint",
    }
    about = words.get(finding.status, "{}").format(others) if others else ""
    parts = (about, finding.note) if finding.status in ("COLLISION", "VALUE") else (finding.note, about)
    said = "; ".join(part for part in parts if part)
    return f"{finding.cause}: {said}" if finding.cause and said else said or finding.cause


def by_gravity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of `STATUSES`, otherwise as they come."""
    return tuple(sorted(findings, key=lambda finding: STATUSES.index(finding.status)))


def _shapes(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "checkpoint_shape": list(finding.checkpoint.shape) if finding.checkpoint else None,
        "model_shape": list(finding.model.shape) if finding.model else None,
    }


def _dtypes(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "checkpoint_dtype": finding.checkpoint.dtype if finding.checkpoint else None,
        "model_dtype": finding.model.dtype if finding.model else None,
    }
