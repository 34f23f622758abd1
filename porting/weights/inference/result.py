"""What an inference gives: rules with their evidence, what stays open, and the verdict on the converted model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from porting.folding import fold
from porting.results import Result
from porting.text import show
from porting.weights.inference.claims import CERTAIN, GUESS, LIKELY, confidence_word
from porting.weights.inference.listing import as_python

if TYPE_CHECKING:
    from porting.verification import Verification
    from porting.weights.rules.rule import Rule

WORDS = (CERTAIN, LIKELY, GUESS)


@dataclass(frozen=True, slots=True)
class Proposed:
    """One rule, or what is known of names that no rule needs to change.

    Attributes:
        rule: the rule; None for tensors that keep their names.
        targets: names of the port that it makes; of a `Drop`, the checkpoint's names that it leaves out.
        scores: confidence in each, 0 to 1.
        evidence: why, the weightiest first.
        verified: those that running the converted port showed to be right.
    """

    rule: Rule | None
    targets: tuple[str, ...]
    scores: tuple[float, ...]
    evidence: tuple[str, ...]
    verified: frozenset[str] = frozenset()

    @property
    def score(self) -> float:
        """The least of its scores."""
        return min(self.scores, default=1.0)

    @property
    def leaves_out(self) -> bool:
        """Whether it is a `Drop`."""
        from porting.weights.rules.rule import Drop

        return isinstance(self.rule, Drop)

    @property
    def confidence(self) -> str:
        """``certain``, ``likely`` or ``guess``."""
        return confidence_word(self.score)

    @property
    def text(self) -> str:
        """The rule as Python; the names where there is none."""
        return repr(self.rule) if self.rule is not None else ", ".join(show(row.name) for row in fold(self.targets))

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {
            "rule": None if self.rule is None else repr(self.rule),
            "targets": list(self.targets),
            "confidence": self.confidence,
            "score": round(self.score, 3),
            "evidence": list(self.evidence),
            "verified": sorted(self.verified),
        }


@dataclass(frozen=True, repr=False)
class Inference(Result):
    """The rules that are proposed for a checkpoint and a port.

    Attributes:
        checkpoint: where it is, in words.
        total: how many tensors the port has.
        proposed: the rules in their order, then the names that are kept.
        missing: tensors of the port that nothing makes.
        verification: of the converted port against the original; None if they were not run.
        trials: how often a converted port was run.
    """

    renderer: ClassVar[str] = "porting.report.inference:render_inference"

    checkpoint: str
    total: int
    proposed: tuple[Proposed, ...]
    missing: tuple[str, ...] = ()
    verification: Verification | None = None
    trials: int = 0

    @cached_property
    def rules(self) -> list[Rule]:
        """The rules, as a portfile's ``rules()`` gives them."""
        return [each.rule for each in self.proposed if each.rule is not None]

    @property
    def ambiguous(self) -> tuple[Proposed, ...]:
        """What is less than certain."""
        return tuple(each for each in self.proposed if each.confidence != CERTAIN)

    @property
    def verdict(self) -> str | None:
        """Of the verification of the converted port; None if it was not run."""
        return None if self.verification is None else self.verification.verdict

    @property
    def ok(self) -> bool:
        """Whether all tensors are made, and running the port or the names leave no doubt."""
        if self.missing:
            return False
        return not self.ambiguous if self.verification is None else self.verification.ok

    @property
    def exit_code(self) -> int:
        """0 without doubt, 1 if tensors are missing or the converted port differs, 3 if something stays open."""
        if self.ok:
            return 0
        return 1 if self.missing or (self.verification and self.verification.exit_code == 1) else 3

    @property
    def counts(self) -> dict[str, int]:
        """How many of the port's tensors are certain, likely and guessed."""
        found = Counter(self.words.values())
        return {word: found[word] for word in WORDS}

    @cached_property
    def words(self) -> dict[str, str]:
        """``certain``, ``likely`` or ``guess`` by name of the port's tensor."""
        making = [each for each in self.proposed if not each.leaves_out]
        return {
            name: confidence_word(score)
            for each in making
            for name, score in zip(each.targets, each.scores, strict=True)
        }

    def summary(self) -> str:
        """The counts, and the verdict if there is one, in one line."""
        sure = ", ".join(f"{count} {word}" for word, count in self.counts.items() if count)
        head = f"rules {'verified' if self.verdict == 'match' else 'proposed'}: {len(self.rules)} rules"
        missing = f", {len(self.missing)} made by nothing" if self.missing else ""
        ran = f"; converted port: {self.verdict}" if self.verdict else ""
        return f"{head} for {self.total} tensors of the port ({sure or 'none'}{missing}){ran}"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting weights --infer --json``."""
        return {
            "schema": 1,
            "checkpoint": self.checkpoint,
            "ok": self.ok,
            "total": self.total,
            "counts": self.counts,
            "rules": [each.to_dict() for each in self.proposed if each.rule is not None],
            "kept": [each.to_dict() for each in self.proposed if each.rule is None],
            "ambiguous": [each.text for each in self.ambiguous],
            "missing": list(self.missing),
            "verdict": self.verdict,
            "trials": self.trials,
            "python": self.python(),
        }

    def python(self) -> str:
        """The rules as a function for the portfile; what is not certain says so in a comment."""
        return as_python(self.proposed)
