"""One mistake made at several modules: said to be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from porting.diagnosis.culprits import Culprit

OF_CONFIG = frozenset(
    ("activation", "missing-activation", "norm-eps", "norm-type", "norm-formula", "head-count", "attention-window",
     "rope-theta", "softcap", "expert-routing", "attention-scale", "dropout-active")
)  # fmt: skip
"""Causes that the config decides for all modules of a kind."""


def told_together(culprits: Sequence[Culprit]) -> tuple[Culprit, ...]:
    """The culprits, where the same repair was proven at several with that said in what to change."""
    counts = Counter(_key(culprit) for culprit in culprits)
    return tuple(_told(culprit, counts[_key(culprit)]) for culprit in culprits)


def _key(culprit: Culprit) -> tuple[str, str] | None:
    cause = culprit.causes[0] if culprit.causes else None
    return (cause.code, cause.fix) if cause is not None and cause.verified and cause.code in OF_CONFIG else None


def _told(culprit: Culprit, count: int) -> Culprit:
    if count < 2 or _key(culprit) is None:
        return culprit
    first = culprit.causes[0]
    others = "another module" if count == 2 else f"{count - 1} other modules"
    text = f"{first.fix}; the same was proven at {others}, so look in the config"
    return replace(culprit, causes=(replace(first, fix=text), *culprit.causes[1:]))
