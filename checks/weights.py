"""Step 6 of the recipe: the checkpoint is converted, and every weight of the port is loaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from porting.checks.shared.loading import as_in_original, built_again, loading_hint
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import listed
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from porting.checks.shared.context import CheckContext
    from porting.weights import Finding, WeightsReport

STEP = 6
BY_NAME = ("COLLISION", "CONVERSION", "MISSING")
LEFT_OVER = ("UNUSED", "ABSENT", "UNEXPECTED")
ELSEWHERE = ("UNTIED", "UNUSED")
"""What an audit finds that says nothing about a value."""


def check_weight_names(context: CheckContext) -> Figures:
    """Every weight of the port is in the checkpoint, under the name that the rules give it.

    Recipe step 6, "names match exactly": none is missing, no two tensors go to one name, and every rule that makes
    one can be applied. What the port shares with another of its weights, or computes itself, need not be there.

    Raises:
        ClaimRefuted: a weight is missing, made twice or not to be made.
        Skip: there is no checkpoint, or nothing says which of its tensors is which.
    """
    report = _report(context)
    _refute(context, report, _of(report, BY_NAME), "is not in the checkpoint, or not once", "weights")
    return {"weights": report.total, "matched": report.matched, "shared": len(report.of("TIED"))}


def check_weight_shapes(context: CheckContext) -> Figures:
    """Every weight of the port has the shape that the rules make of the checkpoint's tensor.

    Usual mistake, "weights whose name matches but whose shape does not": found only by asserting shapes.

    Raises:
        ClaimRefuted: a weight has another shape.
        Inconclusive: no weight was found in the checkpoint.
        Skip: there is no checkpoint, or nothing says which of its tensors is which.
    """
    report = _report(context)
    _refute(context, report, report.of("MISMATCH"), "has another shape than the checkpoint's", "weights")
    return {"weights": report.total, "matched": report.matched}


def check_weights_loaded(context: CheckContext) -> Figures:
    """Every parameter of the port that the checkpoint or the original holds has the value that it has there.

    Recipe step 6, "every target tensor named, shaped and valued". By name against ``checkpoint()``, where its
    names are the port's or ``rules()`` translates them; else module by module against the original that ran: by
    values, and where weights are laid out otherwise by what the module computes of the original's own tensors.

    Raises:
        ClaimRefuted: a weight has another value or shape, or none.
        Inconclusive: there is nothing to hold some weight against.
        Skip: the port has no parameters.
    """
    if not any(True for _ in context.ported_model.parameters()):
        raise Skip("the port has no parameters")
    report = context.audit
    if report is None:
        return as_in_original(context)
    failing = [finding for finding in report.failures() if finding.status not in ELSEWHERE]
    figures: Figures = {"compared_weights": report.matched, "evidence": "checkpoint"}
    if failing or not report.matched:
        head = f"{show(failing[0].name)}: " if failing else ""
        raise ClaimRefuted(head + report.failure_message(), hint=loading_hint(context), figures=figures)
    return figures


def check_weights_tied(context: CheckContext) -> Figures:
    """What the port's class and config tie is one tensor, and the checkpoint has one value for it.

    Usual mistake, "word embeddings not tied". A config that ties and a checkpoint with another head make Transformers
    leave both as they are, with a warning alone.

    Raises:
        ClaimRefuted: two weights that should be one are two, or the checkpoint has two values for one.
        Skip: nothing of the port is tied.
    """
    from porting.weights.audit.ties import broken_ties, shared_names, untied_head, wanted_ties

    model = context.ported_model
    wanted, shared, head = wanted_ties(model), shared_names(model), untied_head(model)
    apart = broken_ties(model, dict(model.state_dict(keep_vars=True)))
    if not (wanted or shared or head):
        raise Skip("no weight of the port is tied to another: neither its class nor its config says so")
    figures: Figures = {"declared": len(wanted), "shared": sum(len(names) - 1 for names in shared)}
    lines = [f"{show(name)} should be {show(partner)}, and is a tensor of its own" for name, partner in apart.items()]
    if head and not lines and not _is_shipped(model):
        lines.append(f"tie_word_embeddings is set, and {show(head)} is not the input embeddings' tensor")
    names = {name for group in shared for name in group}
    values = context.audit.of("VALUE") if context.audit else ()
    lines += [_row(finding, finding.name) for finding in values if finding.name in names and finding.cause == "untied"]
    if lines:
        raise ClaimRefuted(
            listed(lines),
            hint="tie them in the class (_tied_weights_keys, and post_init() in the constructor), or set "
            f"tie_word_embeddings=False where the original does not tie; then: {context.command('weights --audit')}",
            figures=figures,
        )
    return figures


def check_weights_used(context: CheckContext) -> Figures:
    """Every tensor of the checkpoint is used by the port, or left out by a rule that says why.

    Usual mistake, "weights of the checkpoint that were never used": print them.

    Raises:
        ClaimRefuted: one goes nowhere, and nothing says why.
        Skip: there is no checkpoint, or nothing says which of its tensors is which.
    """
    report = _report(context)
    dropped = sum(remark.code == "dropped" for remark in report.warnings)
    wrong = [finding for finding in _of(report, LEFT_OVER) if not _left_out_by_class(context, finding)]
    _refute(
        context,
        report,
        wrong,
        "is in the checkpoint, and nothing in the port uses it",
        "weights",
        'give the port what it lacks, or leave it out in rules() with the reason: Drop("name", "why")',
    )
    return {"weights": report.total, "reasons_to_leave_out": dropped}


def check_no_random_weights(context: CheckContext) -> Figures:
    """Nothing in the port is left at its random start or without data: no parameter, buffer or plain tensor.

    Recipe step 6, "nothing left at its random init". Against ``checkpoint()`` where its names are known; else
    ``ported()`` is called once more, with other random numbers and other rubbish in its memory: what differs then
    was not loaded. Buffers that are not saved must be what the class computes.

    Raises:
        ClaimRefuted: a tensor is random, rubbish or on the meta device.
        Skip: the port holds no tensor, or nothing says what it should hold: it is the same model when it is built
            again, and the original does not have all of its weights.
    """
    model = context.ported_model
    if not any(True for _ in (*model.parameters(), *model.buffers())):
        raise Skip("the port holds no tensors")
    report = context.audit
    if report is not None:
        _refute(context, report, list(filter(_is_random, report.findings)), "is not loaded", "weights --audit")
        return {"weights": report.total, "evidence": "checkpoint"}
    return built_again(context)


CHECKS = (
    check_weight_names,
    check_weight_shapes,
    check_weights_loaded,
    check_weights_tied,
    check_weights_used,
    check_no_random_weights,
)


def _report(context: CheckContext) -> WeightsReport:
    """The audit against the checkpoint, for a claim about names or shapes.

    Raises:
        Lacking: there is no checkpoint, or nothing says which of its tensors is which.
    """
    with context.whatever_values():
        return _audit(context)


def _audit(context: CheckContext) -> WeightsReport:
    if context.portfile.checkpoint() is None:
        raise Lacking("the portfile has no checkpoint()")
    if (report := context.audit) is None:
        raise Lacking(
            "names do not tell which tensor of the checkpoint is which of the port's, "
            f"and the portfile has no rules(); to have some proposed: {context.command('weights --infer')}"
        )
    return report


def _of(report: WeightsReport, statuses: Sequence[str]) -> list[Finding]:
    return [finding for finding in report.findings if finding.status in statuses]


def _refute(
    context: CheckContext, report: WeightsReport, wrong: Sequence[Finding], what: str, command: str, hint: str = ""
) -> None:
    """Refute a claim with every finding that speaks against it, the gravest first.

    Raises:
        ClaimRefuted: there is one.
        Inconclusive: the report is on no weight at all.
    """
    from porting.weights.report import folded

    figures: Figures = {"weights": report.total, "matched": report.matched, "wrong": len(wrong)}
    hint = hint or "mend rules(), or how ported() loads"
    if wrong:
        lines = [_row(finding, name) for finding, name in folded(wrong)]
        head = f"{show(wrong[0].name)} {what}: {report.summary()}"
        raise ClaimRefuted(
            f"{head}\n{listed(lines)}", hint=f"{hint}; then: {context.command(command)}", figures=figures
        )
    if len(_of(report, BY_NAME)) == report.total:
        raise Inconclusive(f"no weight of the port is in {show(report.checkpoint)}", hint=hint, figures=figures)


def _row(finding: Finding, name: str) -> str:
    from porting.weights.report import describe

    return f"  {describe(finding, name)}"


def _is_shipped(model: torch.nn.Module) -> bool:
    """Whether the port's class came with Transformers, which has accepted that it ties nothing."""
    from porting.conventions.files import is_shipped, modeling_file

    path = modeling_file(type(model))
    return path is not None and is_shipped(path)


def _is_random(finding: Finding) -> bool:
    """Whether a finding says that a tensor was left as it began, or began anew."""
    if finding.status == "VALUE":
        return finding.checkpoint is None or finding.cause == "not-loaded"
    return finding.status == "META" or (finding.status == "MISSING" and finding.cause == "not-loaded")


def _left_out_by_class(context: CheckContext, finding: Finding) -> bool:
    """Whether the port's class says itself that it does not use such a tensor, as for ``from_pretrained``."""
    patterns = getattr(context.ported_structure, "_keys_to_ignore_on_load_unexpected", None) or ()
    return any(re.search(pattern, finding.name) for pattern in patterns)
