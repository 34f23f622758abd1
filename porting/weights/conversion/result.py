"""What became of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.results import Result
from porting.text import show, size_words
from porting.weights.conversion.words import Line
from porting.weights.report import Remark, WeightsReport


@dataclass(frozen=True, repr=False)
class Conversion(Result):
    """A checkpoint that was converted, could be, or was refused.

    Attributes:
        checkpoint: where the source is, in words.
        folder: where the result is, or would be.
        weights: whether the rules use every source and make every tensor of the port once, in its shape.
        steps: what is done, in words.
        bytes: of the weights' files.
        free: bytes that were free on the disk before.
        hashes: sha256 of each file that was written, by name; empty if nothing was.
        dropped: checkpoint names that the rules leave out, and why.
        tied: names that are not written, each with the one that stands for it.
        audit: what the result holds when it is loaded again, against the source; None if that was not tried.
        problems: what loading it again reported.
        dry_run: whether writing was not asked for.
    """

    renderer: ClassVar[str] = "porting.report.conversion:render_conversion"

    checkpoint: str
    folder: Path
    weights: WeightsReport
    steps: tuple[Line, ...]
    bytes: int
    free: int
    hashes: Mapping[str, str]
    dropped: Mapping[str, str]
    tied: Mapping[str, str]
    audit: WeightsReport | None = None
    problems: tuple[Remark, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether the folder is there and proven, or, on a dry run, nothing speaks against it."""
        audited = self.audit is None or self.audit.ok
        fits = not self.dry_run or self.bytes <= self.free
        return self.weights.ok and audited and fits and not self.problems

    @property
    def written(self) -> bool:
        """Whether the folder is there."""
        return bool(self.hashes)

    @property
    def tensors(self) -> int:
        """How many tensors the result holds."""
        return sum(line.tensors for line in self.steps)

    def summary(self) -> str:
        """The verdict in one line."""
        amount = f"{self.tensors:,} tensors, {size_words(self.bytes)}"
        if not self.weights.ok:
            return f"not converted: {self.weights.summary()}"
        if self.problems or (self.audit is not None and not self.audit.ok):
            said = self.audit.summary() if self.audit is not None and not self.audit.ok else self.problems[0].message
            return f"not converted, as the result is not right when it is loaded again: {said}"
        if self.dry_run and not self.ok:
            return f"cannot be converted here: {amount} to write, {size_words(self.free)} free"
        if self.dry_run:
            return f"can be converted: {amount} to write, {size_words(self.free)} free"
        proof = "" if self.audit is None else ", loaded again and equal to the source"
        return f"converted: {amount} in {show(self.folder)}{proof}"

    def failure_message(self) -> str:
        """The summary, then every tensor that fails, the gravest first, equal rows folded."""
        reports = [report for report in (self.weights, self.audit) if report is not None and not report.ok]
        rows = [line for report in reports for line in report.failure_message().splitlines()[1:]]
        return "\n".join([self.summary(), *(f"  {show(each.message, 500)}" for each in self.problems), *rows])

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": 1,
            "ok": self.ok,
            "checkpoint": self.checkpoint,
            "folder": str(self.folder),
            "dry_run": self.dry_run,
            "written": self.written,
            "tensors": self.tensors,
            "bytes": self.bytes,
            "free": self.free,
            "steps": [line.to_dict() for line in self.steps],
            "files": dict(self.hashes),
            "dropped": dict(self.dropped),
            "tied": dict(self.tied),
            "weights": self.weights.to_dict(),
            "audit": self.audit.to_dict() if self.audit is not None else None,
            "problems": [remark._asdict() for remark in self.problems],
        }
