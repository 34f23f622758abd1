"""The asserts of a conversion script: after loading, each weight is the checkpoint's, in value too."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from porting.weights.matching import Matching, ModelTensors, match
from porting.weights.report import Finding, WeightsReport, by_gravity, describe, folded
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint, Source, source_of, spec
from porting.weights.values import difference, look_alikes, on_meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


def assert_loaded(
    model: torch.nn.Module, state_dict: Checkpoint, rules: Rules | None = None, *, strict: bool = False
) -> WeightsReport:
    """Assert that a model holds a checkpoint: every name, shape and value; print what was not used.

    Values are compared exactly, after a cast to the model's dtype (which is reported). A weight that the
    checkpoint lacks must be tied to one that it has, and equal it.

    Args:
        model: after your own loading code ran.
        state_dict: what was loaded, before it was changed: a state dict, or the path of a checkpoint, whose
            tensors are then read one at a time.
        rules: as for `porting.check_weights`.
        strict: also fail on checkpoint tensors that were not used.

    Returns:
        The report, which is ok.

    Raises:
        MismatchError: an AssertionError that lists every problem, the gravest first.
        CheckpointError: the checkpoint cannot be read.
        PortingError: the rules or the model cannot be used.
    """
    __tracebackhide__ = True
    report = audit_loaded(model, state_dict, rules, strict=strict)
    _print_unused(report)
    report.assert_ok()
    return report


def audit_loaded(
    model: torch.nn.Module, state_dict: Checkpoint, rules: Rules | None = None, *, strict: bool = False
) -> WeightsReport:
    """Find out what `assert_loaded` asserts, and print and raise nothing about it.

    Takes the same arguments.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        PortingError: the rules or the model cannot be used.
    """
    source = source_of(state_dict)
    tensors = ModelTensors.of(model)
    found = match(source.specs, tensors, rules)
    empty = [Finding("META", name, model=spec(name, tensor)) for name, tensor in on_meta(model)]
    wrong = _wrong_values(tensors.tensors, found, source)
    bad = {finding.name for finding in (*empty, *wrong)}
    by_name = (each for each in found.findings if each.status != "TIED" or each.name not in bad)
    return WeightsReport(
        checkpoint=source.label,
        total=len(tensors.tensors),
        matched=sum(name not in bad for name in found.made),
        findings=by_gravity((*empty, *wrong, *by_name)),
        warnings=(*source.remarks, *found.warnings),
        values=True,
        strict=strict,
    )


def _wrong_values(tensors: Mapping[str, torch.Tensor], found: Matching, source: Source) -> list[Finding]:
    wrong = []
    for step in found.steps:
        for target, result in step.run(source.read).items():
            for name in (target, *(name for name, partner in found.tied.items() if partner == target)):
                held = tensors.get(name)
                if held is not None and not held.is_meta and (note := difference(held, result)):
                    made = spec(target, result)
                    wrong.append(Finding("VALUE", name, made, spec(name, held), note=note))
    alike = look_alikes({finding.name: tensors[finding.name] for finding in wrong}, source)
    return [dataclasses.replace(finding, other=alike.get(finding.name, ())) for finding in wrong]


def _print_unused(report: WeightsReport) -> None:
    console = Console()
    rows = [describe(finding, name) for finding, name in folded((*report.of("UNUSED"), *report.of("UNEXPECTED")))]
    for line in (report.summary(), *rows, *(remark.message for remark in report.warnings)):
        console.print(Text(line), soft_wrap=True)
