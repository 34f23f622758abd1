"""Diagnosis: for each culprit, which cause explains it, proven by running the repair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from porting.alignment import Alignment
from porting.diagnosis.cause import Case, Cause, Finding, Repair, Weights
from porting.diagnosis.causes import all_causes
from porting.diagnosis.changes import together
from porting.diagnosis.culprits import Culprit
from porting.diagnosis.glue.clues import clues
from porting.diagnosis.glue.terms import child_at_fault
from porting.diagnosis.modules.everywhere import told_together
from porting.diagnosis.scene import Scene, scenes_of
from porting.diagnosis.source import source_of
from porting.diagnosis.trial import Outcome, Stage
from porting.isolation.isolating import Isolation
from porting.progress import Progress, silent
from porting.reruns.feeding import plans_for
from porting.runs import Inputs, Run
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Trace

MOST_CULPRITS = 24
"""Culprits that are diagnosed, the most upstream first: a wrong config can make one of every layer."""
MOST_TRIALS = 64
"""Repairs that are tried at one culprit."""
MOST_UNPROVEN = 3
"""Causes that are named without proof at one culprit."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found out about culprits.

    Attributes:
        culprits: with their causes, most upstream first.
        warnings: code and message of what went wrong in the search itself.
    """

    culprits: tuple[Culprit, ...]
    warnings: tuple[tuple[str, str], ...] = ()


def diagnose(
    model: torch.nn.Module,
    inputs: Inputs,
    culprits: Sequence[Culprit],
    isolation: Isolation,
    original: Trace,
    ported: Trace,
    alignment: Alignment,
    *,
    weights: Weights,
    run: Run | None = None,
    tolerance: Tolerance | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Diagnosis:
    """Find the causes of culprits: propose repairs, try each on the live port, name what was proven first.

    Args:
        model: the live port; left as it was found.
        inputs: what it runs on.
        culprits: most upstream first.
        isolation: the reference-fed run that showed them.
        original: the original's trace, live or recorded.
        ported: the port's trace.
        alignment: between the two.
        weights: contents of original tensors, where they are at hand.
        run: how to run the port, when that is not ``model(*args, **kwargs)``.
        tolerance: of the comparisons; 1e-3 if None.
        seed: of the random generators, as in the runs before.
        progress: called as culprits are done.
    """
    looked_at, rest = culprits[:MOST_CULPRITS], culprits[MOST_CULPRITS:]
    if not looked_at:
        return Diagnosis(())
    plans = plans_for(original, ported, alignment)
    scenes = scenes_of(model, inputs, looked_at, isolation, original, ported, plans, run=run, seed=seed)
    causes = _InTurn(all_causes())
    done: list[Culprit] = []
    for scene in scenes:
        progress("diagnosing", len(done), len(scenes))
        stage = Stage(
            model, inputs, scene, isolation, original, ported, plans,
            run=run, seed=seed, tolerance=tolerance or Tolerance(),
        )  # fmt: skip
        case = _case(scene, model, original, ported, alignment, weights)
        found = scene.culprit if case is None else _diagnosed(case, stage, causes)
        taken = {culprit.ported for culprit in culprits}
        pinned = _pinned(found, alignment, taken)
        if case is not None and pinned is found:
            pinned = _made_below(replace(case, culprit=found), stage, taken)
        done.append(pinned)
    told = told_together(done)
    return Diagnosis(
        tuple(replace(culprit, source=source_of(model.get_submodule(culprit.ported))) for culprit in (*told, *rest)),
        causes.warnings(),
    )


def _pinned(culprit: Culprit, alignment: Alignment, taken: set[str]) -> Culprit:
    """The culprit moved to the module whose tensors were proven to be at fault, if that is another."""
    owner = culprit.causes[0].owner if culprit.causes and culprit.causes[0].verified else None
    if owner is None or owner in taken - {culprit.ported}:
        return culprit
    return replace(culprit, ported=owner, original=alignment.original_of.get(owner), where="weights")


def _made_below(case: Case, stage: Stage, taken: set[str]) -> Culprit:
    """The culprit moved to the child that made the wrong term of a sum, if that is shown by a run."""
    child = child_at_fault(case, stage)
    if child is None or child in taken:
        return case.culprit
    return replace(case.culprit, ported=child, original=None, where="output")


class _InTurn:
    """The causes by rank; what explained an earlier culprit comes first: one mistake is often made in every layer."""

    def __init__(self, causes: Iterable[Cause]) -> None:
        self._causes = sorted(causes, key=lambda cause: cause.rank)
        self._failed: dict[str, str] = {}

    def repairs(self, case: Case) -> Iterator[tuple[Cause, Repair]]:
        """What each cause proposes; one that raises is left at that, and the others go on."""
        for cause in tuple(self._causes):
            try:
                for repair in cause.repairs(case):
                    yield cause, repair
            except Exception as error:
                at = case.path or "the model itself"
                self._failed.setdefault(type(cause).__name__, f"at {at}: {type(error).__name__}: {error}")

    def warnings(self) -> tuple[tuple[str, str], ...]:
        """A warning for each cause that raised."""
        return tuple(
            ("cause-failed", f"the cause {name} could not be looked for {show(text, 300)}; this is a bug in porting")
            for name, text in self._failed.items()
        )

    def explained(self, cause: Cause) -> None:
        """Try this cause first from now on."""
        self._causes.remove(cause)
        self._causes.insert(0, cause)


def _case(
    scene: Scene, model: torch.nn.Module, original: Trace, ported: Trace, alignment: Alignment, weights: Weights
) -> Case | None:
    if not scene.gaps or not scene.moments:
        return None
    return Case(
        culprit=scene.culprit,
        model=model,
        module=model.get_submodule(scene.culprit.ported),
        moments=tuple(scene.moments),
        gaps=tuple(scene.gaps),
        original=original,
        ported=ported,
        alignment=alignment,
        weights=weights,
    )


def _diagnosed(case: Case, stage: Stage, causes: _InTurn) -> Culprit:
    """The culprit with its causes, and with clues where none was proven."""
    found = replace(case.culprit, causes=_found(case, stage, causes))
    return found if found.proven else replace(found, differences=(*found.differences, *clues(case)))


def _found(case: Case, stage: Stage, causes: _InTurn) -> tuple[Finding, ...]:
    """The first proven cause, or several that only together close every gap, and then those without proof."""
    unproven: list[Finding] = []
    partial: list[tuple[Repair, Outcome]] = []
    for cause, repair in islice(causes.repairs(case), MOST_TRIALS):
        if repair.apply is None:
            unproven.append(_finding(repair, None))
            continue
        outcome = stage.tried(repair.apply, repair.follows, whole=repair.whole)
        if outcome.proven:
            causes.explained(cause)
            return (_finding(repair, outcome), *unproven[:MOST_UNPROVEN])
        if outcome.cleared and not outcome.broken:
            partial.append((repair, outcome))
        elif repair.recognised:
            unproven.append(_finding(repair, outcome))
    proven, left = _together(partial, stage)
    return (*proven, *left, *unproven)[: max(MOST_UNPROVEN, len(proven))]


def _together(
    partial: Sequence[tuple[Repair, Outcome]], stage: Stage
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Repairs that each close a part of the gaps: proven if all of them in place close the whole."""
    chosen: list[Repair] = []
    closed: set[object] = set()
    for repair, outcome in partial:
        if not outcome.cleared <= closed:
            chosen.append(repair)
            closed |= outcome.cleared
    if len(chosen) > 1:
        follows = {path: other for repair in chosen for path, other in repair.follows.items()}
        apply = together(*(repair.apply for repair in chosen if repair.apply))
        both = stage.tried(apply, follows, whole=any(repair.whole for repair in chosen))
        if both.proven:
            return tuple(_finding(repair, both) for repair in chosen), ()
    return (), tuple(_finding(repair, outcome) for repair, outcome in partial if repair.recognised)


def _finding(repair: Repair, outcome: Outcome | None) -> Finding:
    proven = outcome is not None and outcome.proven
    max_abs = None if outcome is None else outcome.max_abs
    return Finding(repair.code, repair.summary, repair.fix, proven, max_abs, repair.owner)


def _no_weights(_path: str, _name: str) -> torch.Tensor | None:
    return None


def live_weights(original: torch.nn.Module | Trace) -> Weights:
    """The contents of a live original's tensors; of a trace there are none."""
    if isinstance(original, Trace):
        return _no_weights
    state: Mapping[str, torch.Tensor] = {
        name: tensor.detach()
        for named in (original.named_parameters, original.named_buffers)
        for name, tensor in named(remove_duplicate=False)
    }
    return lambda path, name: state.get(f"{path}.{name}" if path else name)
