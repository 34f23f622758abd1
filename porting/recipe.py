"""The recipe of "How to add a model to Transformers": its 14 steps, and what a program has verified of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from porting.evidence import Figure, Outcome, record
from porting.portfile import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porting.portfile import Portfile
    from porting.recording import Recording
    from porting.stubs import GeneratedTests
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport
    from porting.weights.conversion import Conversion

Verified = Literal["program", "partly", "person"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is so or not, and that a program can find out.

    Attributes:
        name: unique in the recipe; evidence refers to it.
        text: what is claimed.
        command: the command of ``porting`` that finds out.
    """

    name: str
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recipe.

    Attributes:
        number: from 1 to 14.
        title: what is to be done.
        verified: by a ``program``, ``partly`` by one, or by a ``person``.
        claims: what a program verifies of it.
        left: what the claims leave to a person, for a step that is verified partly.
        optional: whether a port is complete without it.
    """

    number: int
    title: str
    verified: Verified = "person"
    claims: tuple[Claim, ...] = ()
    left: str = ""
    optional: bool = False


STEPS = (
    Step(1, "Understand the model, and what is new in it", optional=True),
    Step(2, "Set up the development environment of Transformers"),
    Step(3, "Set up the original repository so that it can be debugged"),
    Step(
        4,
        "Run the original's forward with its checkpoint",
        "program",
        (
            Claim("original-runs", "a trace of the original's forward exists", "verify"),
            Claim("original-in-eval-mode", "no module of the original is in training mode", "verify"),
            Claim("original-repeats", "a second run gives the same bits", "capture --side original --repeat 2"),
        ),
    ),
    Step(5, "Write the model's skeleton in Transformers"),
    Step(
        6,
        "Convert the checkpoint",
        "partly",
        (
            Claim("names-and-shapes", "every weight of the port is in the checkpoint, with its shape", "weights"),
            Claim("values", "every tensor of the port has the value that the rules give it", "weights --audit"),
            Claim("converted", "the converted checkpoint loads cleanly, with these values", "convert OUTPUT"),
        ),
        left="what the rules leave out is rightly left out",
    ),
    Step(
        7,
        "Get the original's output from the port's forward",
        "program",
        (
            Claim("outputs-equal", "the outputs equal the original's", "verify"),
            Claim("layers-equal", "every module equals its counterpart up to rounding", "verify"),
        ),
    ),
    Step(
        8,
        "Add the model's tests",
        "partly",
        (Claim("integration-test", "an integration test with the original's values is written", "tests"),),
        left="the common model tests, and tests of what is special in this model",
    ),
    Step(9, "Port the tokenizer"),
    Step(10, "Run end-to-end integration tests, also on a GPU"),
    Step(11, "Write docstrings and the doc page"),
    Step(12, "Upload the weights to the Hub, with a model card each"),
    Step(13, "Write a notebook", optional=True),
    Step(14, "Open the pull request"),
)


def record_verification(portfile: Portfile, verification: Verification) -> str | None:
    """Keep what a verification proved of steps 4 and 7; both claims of step 7 pass on the verdict ``match`` only.

    Returns:
        A warning if it could not be kept, else None.
    """
    outcomes = (*_original_ran(verification), *_forward_equals(verification))
    sources = {**_original_files(portfile, verification.original), **verification.ported.run.get("sources", {})}
    return record(portfile, outcomes, command_line(portfile.path.name, "verify"), sources)


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
    command = command_line(portfile.path.name, f"capture --side original --repeat {recording.repeats}")
    return record(portfile, [outcome], command, traces[0].run.get("sources", {}))


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


def _record(portfile: Portfile, command: str, *outcomes: Outcome) -> str | None:
    return record(portfile, outcomes, command_line(portfile.path.name, command))


def _original_files(portfile: Portfile, original: Trace) -> Mapping[str, str]:
    """What a claim about the original rests on: its code, or a recorded trace, as that may be from elsewhere."""
    if portfile.original_trace is None:
        return dict(original.run.get("sources", {}))
    from porting.trace.folders import MANIFEST

    manifest = portfile.original_trace / MANIFEST
    return {str(manifest): hashlib.sha256(manifest.read_bytes()).hexdigest()}


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
