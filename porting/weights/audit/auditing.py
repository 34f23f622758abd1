"""The asserts of a conversion script: after loading, each tensor is the checkpoint's, in value too."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from porting.weights.audit.computed import Computed
from porting.weights.audit.gathering import Audit
from porting.weights.matching import ModelTensors, match
from porting.weights.report import WeightsReport, describe, folded
from porting.weights.rules.planning import Rules
from porting.weights.source import Checkpoint, source_of


def assert_loaded(
    model: torch.nn.Module, state_dict: Checkpoint, rules: Rules | None = None, *, strict: bool = False
) -> WeightsReport:
    """Assert that a model holds a checkpoint: every name, shape and value; print what was not used.

    Values are compared exactly, after a cast to the model's dtype (which is reported); where the rules compute, as
    in folding a weight norm, within the rounding of that (which is said). A weight that the checkpoint lacks must
    be tied to one that it has, and equal it. What no checkpoint brings, as non-persistent buffers, must be what the
    model's class computes from its config.

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
    model: torch.nn.Module,
    state_dict: Checkpoint,
    rules: Rules | None = None,
    *,
    strict: bool = False,
    ported_class: type[torch.nn.Module] | None = None,
    config: Any = None,
    allow_pickle_code: str | None = None,
) -> WeightsReport:
    """Find out what `assert_loaded` asserts, and print and raise nothing about it.

    Args:
        model: see `assert_loaded`, as for the next three.
        state_dict: as there.
        rules: as there.
        strict: as there.
        ported_class: the class to build anew for what it computes, by default the model's.
        config: what it is built from, by default ``model.config``.
        allow_pickle_code: the sha256 of a pickle that may run any code when it is loaded.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        PortingError: the rules or the model cannot be used.
    """
    source = source_of(state_dict, allow_pickle_code=allow_pickle_code)
    tensors = ModelTensors.of(model)
    found = match(source.specs, tensors, rules)
    return Audit(tensors, found, source, Computed(model, ported_class, config)).report(strict=strict)


def _print_unused(report: WeightsReport) -> None:
    console = Console()
    rows = [describe(finding, name) for finding, name in folded((*report.of("UNUSED"), *report.of("UNEXPECTED")))]
    for line in (report.summary(), *rows, *(remark.message for remark in report.warnings)):
        console.print(Text(line), soft_wrap=True)
