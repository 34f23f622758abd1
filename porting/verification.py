"""Verification: the main path put together, from two models to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch

from porting.comparison import CallComparison, Comparison, NamedComparison, compare
from porting.comparison.traces import divergence_dict, summarise
from porting.coverage import coverage_warnings, uncovered_parameters
from porting.diagnosis import Culprit, find_culprits
from porting.diagnosis.diagnosing import diagnose, live_weights
from porting.errors import PortfileError
from porting.extending import Positions, extended, further_summary, guarded, require_live
from porting.hooks.capturing import capture
from porting.inputs import input_warnings
from porting.isolation.boundaries import isolate_apart
from porting.isolation.entries import entered_apart
from porting.isolation.isolating import Isolation, isolate
from porting.noise.floor import noise_warnings
from porting.original.recorded import recorded_inputs, require_accepted, require_same
from porting.probes import Probe
from porting.probes.result import worst
from porting.progress import Progress, silent
from porting.reinit import Reinitialisation
from porting.results import Result
from porting.runs import Inputs, OutputPairs, Run
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Trace

Warnings = tuple[tuple[str, str], ...]
Given = Mapping[str, Any] | tuple[Any, ...] | Inputs


@dataclass(frozen=True, repr=False)
class Verification(Result):
    """Whether a port is the same model as its original, and if not, which modules are at fault.

    Attributes:
        comparison: both models run freely.
        isolation: every aligned ported module judged on its own.
        culprits: modules with a fault of their own, most upstream first.
        uncovered: executed ported parameters that lie under no compared call.
        original: the original's trace.
        ported: the port's trace.
        warnings: code and message of what weakens the verdict.
        strict: whether ``suspicious`` is a failure.
        probes: both models on generated inputs, if that was asked for.
        reinit: both models with new weights, if that was asked for.
    """

    renderer: ClassVar[str] = "porting.report.verification:render_verification"

    comparison: Comparison
    isolation: Isolation
    culprits: tuple[Culprit, ...]
    uncovered: tuple[str, ...]
    original: Trace
    ported: Trace
    warnings: Warnings
    strict: bool = False
    probes: tuple[Probe, ...] = ()
    reinit: Reinitialisation | None = None

    @property
    def verdict(self) -> str:
        """``mismatch``, ``inconclusive``, ``suspicious`` or ``match``: the worst of all runs."""
        more = [run.verdict for run in (*self.probes, self.reinit) if run is not None]
        return worst(self.given_verdict, *more)

    @property
    def given_verdict(self) -> str:
        """The verdict on the given inputs and weights alone, in the same order of precedence."""
        if self.comparison.verdict == "mismatch":
            return "mismatch"
        if self.comparison.verdict == "inconclusive" or self.uncovered or not self.isolation.observations:
            return "inconclusive"
        if self.culprits:
            return "suspicious"
        return "inconclusive" if self.isolation.stopped else "match"

    @property
    def outputs(self) -> tuple[NamedComparison, ...]:
        """The final outputs compared."""
        return self.comparison.outputs

    @property
    def ok(self) -> bool:
        """``match``, and ``suspicious`` unless `strict`."""
        return self.verdict == "match" or (self.verdict == "suspicious" and not self.strict)

    @property
    def exit_code(self) -> int:
        """0 verified, 1 a difference, 3 inconclusive."""
        return 0 if self.ok else 3 if self.verdict == "inconclusive" else 1

    @property
    def first_divergence(self) -> CallComparison | None:
        """The first ported call, as they returned, whose accumulated error fails the tolerance."""
        return self.comparison.first_divergence

    def summary(self) -> str:
        """Verdict, the figures behind it, and the first culprit."""
        text = summarise(self.given_verdict, self.comparison.outputs, self.comparison.tolerance, self.first_divergence)
        text = further_summary(self, text)
        if self.culprits:
            more = f" and {len(self.culprits) - 1} more" if len(self.culprits) > 1 else ""
            cause = self.culprits[0].proven
            because = f" ({cause.code})" if cause else ""
            text += f"; culprit: {show(self.culprits[0].ported or 'the model itself')}{because}{more}"
        if self.uncovered:
            text += f"; {len(self.uncovered)} executed parameters lie under no compared module"
        return text

    def failure_message(self) -> str:
        """The summary, then each culprit with what differs there."""
        lines = [self.summary()]
        for culprit in self.culprits[:5]:
            lines.append(f"  {show(culprit.ported or 'the model itself')} ({culprit.where})")
            lines += [f"    {show(text)}" for text in culprit.differences]
            if culprit.proven:
                lines += [f"    {show(culprit.proven.summary)} ({culprit.proven.code}, proven)"]
                lines += [f"    {show(culprit.proven.fix)}"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The document of ``porting verify --json``."""
        first = self.first_divergence
        return {
            **self.comparison.to_dict(),
            "verdict": self.verdict,
            "given_verdict": self.given_verdict,
            "strict": self.strict,
            "first_divergence": None if first is None else divergence_dict(first),
            "culprits": [culprit.to_dict() for culprit in self.culprits],
            "isolation": {
                "judged": len({observation.ported.key for observation in self.isolation.observations}),
                "noise_measured": self.isolation.noise_measured,
                "unfed": [list(item) for item in self.isolation.unfed],
            },
            "uncovered": list(self.uncovered),
            "probes": [probe.to_dict() for probe in self.probes],
            "reinit": self.reinit and self.reinit.to_dict(),
            "warnings": [{"code": code, "message": message} for code, message in self.warnings],
        }


def verify(
    original: torch.nn.Module | Trace,
    ported: torch.nn.Module,
    inputs: Given | None = None,
    *,
    original_inputs: Given | None = None,
    run_original: Run | None = None,
    run_ported: Run | None = None,
    outputs: Callable[[Any, Any], OutputPairs | None] | None = None,
    valid_positions: Positions = "attended",
    tolerance: Tolerance | None = None,
    module_map: Mapping[str, str] | None = None,
    strict: bool = False,
    probe: bool = False,
    reinit: int | None = None,
    causes: bool = True,
    progress: Progress = silent,
) -> Verification:
    """Prove that a port is the same model as its original, or name the modules that differ.

    Args:
        original: the original model, in the mode it is to be judged in, or its recorded trace.
        ported: the port.
        inputs: of the port, and of the original unless it has its own; None for those that a trace was recorded on.
        original_inputs: where the two forwards take different arguments.
        run_original: how to run the original, when that is not ``model(*args, **kwargs)``.
        run_ported: the same for the port.
        outputs: ``outputs(original_out, ported_out)`` gives (name, original, ported) of the final outputs; else they
            are paired by name or position.
        valid_positions: bool over (batch, sequence) of what counts, None for everything; by default what was
            recorded with recorded inputs, else a 2-D ``attention_mask`` of the inputs, else what a trace says; a
            function is asked for those of some `Inputs`.
        tolerance: 1e-3 absolute and relative, if None.
        module_map: original path to ported path, to overrule the alignment.
        strict: make ``suspicious`` a failure.
        probe: also run both models on generated inputs that see more than the given ones may.
        reinit: also run both models with the same new weights, made from this seed; they get their own back.
        causes: try to prove what causes a fault; without, a port that differs is verified faster.
        progress: called as the work goes on.

    Raises:
        CaptureError: a forward raised, or a model cannot be captured.
        PortfileError: ``module_map`` names a module that does not exist, there are no inputs that the port takes, or
            probes or new weights are asked for with a recorded original.
        TraceError: the trace was recorded on other inputs, or is damaged.
    """
    require_live(not isinstance(original, Trace), probe=probe, reinit=reinit)
    given = _given(original, inputs)
    if inputs is None and run_ported is None:
        require_accepted(ported, given)
    tolerance = tolerance or Tolerance()
    valid = _valid(original, inputs, given, valid_positions)
    results: dict[str, Any] = {}
    if isinstance(original, Trace):
        require_same(original, _inputs(given if original_inputs is None else original_inputs))
        reference = original
        results["original"] = original.value(original.outputs)
    else:
        first = given if original_inputs is None else original_inputs
        reference = capture(
            original,
            first,
            run=_keeping(results, "original", run_original),
            valid_positions=valid,
            side="original",
            progress=progress,
        )
    trace = capture(
        ported,
        given,
        run=_keeping(results, "ported", run_ported),
        valid_positions=valid,
        side="ported",
        seed=1,
        progress=progress,
    )
    pairs = outputs(results["original"], results["ported"]) if outputs else None
    comparison = compare(reference, trace, tolerance=tolerance, module_map=module_map, outputs=pairs)
    judged = partial(
        isolate, ported, given, reference, trace, run=run_ported, tolerance=tolerance, seed=1, progress=progress
    )
    alignment, isolation = isolate_apart(judged, entered_apart(comparison.alignment, reference, trace))
    comparison = comparison.realigned(alignment)
    faults = find_culprits(isolation, reference, trace, alignment)
    diagnosis = diagnose(
        ported,
        given,
        faults if causes else (),
        isolation,
        reference,
        trace,
        comparison.alignment,
        weights=live_weights(original),
        run=run_ported,
        tolerance=tolerance,
        seed=1,
        progress=progress,
    )
    verification = Verification(
        comparison=comparison,
        isolation=isolation,
        culprits=diagnosis.culprits if causes else faults,
        uncovered=uncovered_parameters(comparison, trace),
        original=reference,
        ported=trace,
        warnings=(
            *comparison.warnings,
            *coverage_warnings(reference, trace, comparison, isolation),
            *input_warnings(reference, trace, comparison, ported),
            *noise_warnings(reference, tolerance),
            *diagnosis.warnings,
        ),
        strict=strict,
    )
    if isinstance(original, Trace) or not (probe or reinit is not None):
        return verification

    def again(inputs: Inputs, original_inputs: Inputs | None, positions: Positions) -> Verification:
        return verify(
            original,
            ported,
            inputs,
            original_inputs=original_inputs,
            run_original=run_original,
            run_ported=run_ported,
            outputs=guarded(outputs),
            valid_positions=positions,
            tolerance=tolerance,
            module_map=module_map,
            causes=not verification.culprits,  # else they are known from the given run
            progress=progress,
        )

    return extended(
        verification,
        again,
        original,
        ported,
        given,
        None if original_inputs is None else _inputs(original_inputs),
        valid_positions,
        probe=probe,
        reinit=reinit,
        progress=progress,
    )


def _valid(
    original: torch.nn.Module | Trace, inputs: Given | None, given: Inputs, positions: Positions
) -> torch.Tensor | None:
    if isinstance(positions, str):
        return _attended(original, inputs, given)
    return positions(given) if callable(positions) else positions


def _given(original: torch.nn.Module | Trace, inputs: Given | None) -> Inputs:
    """The inputs of the port: those that were passed, else those of the trace."""
    if inputs is None:
        if isinstance(original, Trace):
            return recorded_inputs(original)
        raise PortfileError("there are no inputs", hint="pass inputs, or the original as a trace that has its own")
    return _inputs(inputs)


def _inputs(given: Given) -> Inputs:
    return given if isinstance(given, Inputs) else Inputs.of(given, "inputs")


def _attended(original: torch.nn.Module | Trace, inputs: Given | None, given: Inputs) -> torch.Tensor | None:
    recorded = original.valid_positions() if isinstance(original, Trace) else None
    attended = given.attended()
    return attended if recorded is None or (inputs is not None and attended is not None) else recorded


def _keeping(results: dict[str, Any], side: str, run: Run | None) -> Run:
    def kept(model: torch.nn.Module, inputs: Inputs) -> Any:
        results[side] = run(model, inputs) if run else inputs.forward(model)
        return results[side]

    return kept
