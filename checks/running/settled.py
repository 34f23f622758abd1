"""What other commands than ``porting check`` prove becomes evidence, too."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from porting.evidence import Figure, Outcome, record
from porting.evidence.subjects import about_files
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from porting.portfile import Portfile
    from porting.recording import Recording
    from porting.stubs import GeneratedTests
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport
    from porting.weights.conversion import Conversion


def record_verification(portfile: Portfile, verification: Verification) -> str | None:
    """Keep what a verification proved of steps 4 and 7; both claims of step 7 pass on the verdict ``match`` only.

    Returns:
        A warning if it could not be kept, else None.
    """
    outcomes = (*_original_ran(verification), *_forward_equals(verification))
    sources = [*_original_files(portfile, verification.original), *map(Path, _sources(verification.ported))]
    return _record(portfile, "verify", *outcomes, sources=sources)


def record_capture(portfile: Portfile, recording: Recording) -> str | None:
    """Keep whether the original gave the same bits when it ran again, for step 4; nothing if it ran once.

    Returns:
        A warning if it could not be kept, else None.
    """
    traces = [trace for _, trace in recording.traces if trace.run.get("side") == "original"]
    if recording.repeats < 2 or not traces:
        return None
    differing = [label for folder, labels in recording.differing if folder.name == "original" for label in labels]
    figures: dict[str, Figure] = {
        "runs": recording.repeats,
        "calls": len(traces[0].calls),
        "differing": len(differing),
    }
    outcome = Outcome("original-repeats", 4, "failed" if differing else "passed", figures)
    command = f"capture --side original --repeat {recording.repeats}"
    return _record(portfile, command, outcome, sources=map(Path, _sources(traces[0])))


def record_weights(portfile: Portfile, report: WeightsReport) -> str | None:
    """Keep what a check of names and shapes, or an audit of values, proved of step 6.

    Returns:
        A warning if it could not be kept, else None.
    """
    result = "passed" if report.ok else "failed"
    figures: dict[str, Figure] = {
        "matched": report.matched,
        "weights": report.total,
        "failures": len(report.failures()),
        "unexpected": len(report.of("UNEXPECTED")),
        "checkpoint": report.checkpoint,
    }
    if report.values:
        return _record(portfile, "weights --audit", Outcome("values", 6, result, figures))
    return _record(portfile, "weights", Outcome("names-and-shapes", 6, result, figures))


def record_conversion(portfile: Portfile, conversion: Conversion) -> str | None:
    """Keep what a conversion proved of step 6; nothing of a dry run, or of one whose result was not loaded again.

    Returns:
        A warning if it could not be kept, else None.
    """
    if conversion.dry_run or (conversion.ok and conversion.audit is None):
        return None
    figures: dict[str, Figure] = {
        "tensors": conversion.tensors,
        "bytes": conversion.bytes,
        "left out": len(conversion.dropped),
        "problems": len(conversion.problems),
        "checkpoint": conversion.checkpoint,
    }
    outcome = Outcome("converted", 6, "passed" if conversion.ok else "failed", figures)
    return _record(portfile, "convert OUTPUT", outcome)


def record_tests(portfile: Portfile, generated: GeneratedTests) -> str | None:
    """Keep that an integration test was written, for step 8; nothing of a dry run.

    Returns:
        A warning if it could not be kept, else None.
    """
    if generated.dry_run:
        return None
    file = os.path.relpath(generated.path, portfile.folder)
    figures: dict[str, Figure] = {"file": file, "outputs": len(generated.outputs), "atol": generated.atol}
    return _record(portfile, "tests", Outcome("integration-test", 8, "passed", figures))


def _record(portfile: Portfile, command: str, *outcomes: Outcome, sources: Iterable[Path] = ()) -> str | None:
    about = about_files(portfile, (portfile.path, *sources))
    spoken = [replace(outcome, about=about) for outcome in outcomes]
    return record(portfile, spoken, command_line(portfile.path.name, command))


def _sources(trace: Trace) -> Iterable[str]:
    return dict(trace.run.get("sources", {}))


def _original_files(portfile: Portfile, original: Trace) -> Iterable[Path]:
    """What a claim about the original rests on: its code, or a recorded trace, as that may be from elsewhere."""
    if portfile.original_trace is None:
        return map(Path, _sources(original))
    from porting.trace.folders import MANIFEST

    return [portfile.original_trace / MANIFEST]


def _original_ran(verification: Verification) -> tuple[Outcome, ...]:
    trace = verification.original
    training = trace.run.get("training")
    known = isinstance(training, int)
    mode = "inconclusive" if not known else "failed" if training else "passed"
    model = str(trace.run.get("model", "unknown"))
    return (
        Outcome("original-runs", 4, "passed", {"model": model, "calls": len(trace.calls)}),
        Outcome("original-in-eval-mode", 4, mode, {"in training": training if known else None}),
    )


def _forward_equals(verification: Verification) -> tuple[Outcome, ...]:
    comparison, isolation = verification.comparison, verification.isolation
    outputs = {"match": "passed", "mismatch": "failed"}.get(comparison.verdict, "inconclusive")
    covered = isolation.observations and not verification.uncovered and not comparison.blind
    layers = "failed" if verification.culprits else "passed" if covered else "inconclusive"
    ratios = [each.floor.ratio(each.numbers) for each in isolation.observations]
    return (
        Outcome(
            "outputs-equal",
            7,
            outputs,
            {
                "max abs": max((output.numbers.max_abs for output in comparison.outputs), default=None),
                "outputs": len(comparison.outputs),
                "atol": comparison.tolerance.atol,
                "rtol": comparison.tolerance.rtol,
                "verdict": verification.verdict,
            },
        ),
        Outcome(
            "layers-equal",
            7,
            layers,
            {
                "modules judged": len({each.ported.path for each in isolation.observations}),
                "worst noise ratio": max((ratio for ratio in ratios if ratio is not None), default=None),
                "culprits": len(verification.culprits),
                "uncovered": len(verification.uncovered),
            },
        ),
    )
