"""Step 6 of the recipe: the checkpoint is converted, and every weight of the port is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.text import show

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from porting.alignment import Group
    from porting.checks.context import CheckContext
    from porting.trace import ModuleInfo, ParameterInfo
    from porting.verification import Verification
    from porting.weights import Rules

STEP = 6
WHOLE = 0.95
"""Share of a tensor's rows that must be found in its counterpart; equal rows of a few may hide."""
MOST_LINES = 10
"""Weights that a message lists."""


def check_weights_loaded(context: CheckContext) -> Figures:
    """Every parameter of the port that the checkpoint or the original holds has the value that it has there.

    Recipe step 6, "every target tensor named, shaped and valued". By name against ``checkpoint()``, where its
    names are the port's or ``rules()`` translates them; else module by module against the original that ran.

    Raises:
        ClaimRefuted: a weight has another value or shape, or none.
        Inconclusive: there is nothing to hold some weight against.
        Skip: the port has no parameters.
    """
    model = context.ported_model
    if not any(True for _ in model.parameters()):
        raise Skip("the port has no parameters")
    checkpoint = context.portfile.checkpoint()
    rules = context.portfile.rules()
    if checkpoint is not None and _decided_by_name(model, checkpoint, rules):
        return _as_in_checkpoint(context, checkpoint, rules)
    return _as_in_original(context)


CHECKS = (check_weights_loaded,)


def _decided_by_name(model: torch.nn.Module, checkpoint: Path, rules: Any) -> bool:
    """Whether names tell which tensor is which: they are translated, or the same on both sides."""
    from porting.weights import check_weights

    return rules is not None or not check_weights(checkpoint, model).of("MISSING")


def _as_in_checkpoint(context: CheckContext, checkpoint: Path, rules: Rules | None) -> Figures:
    from porting.weights import audit_loaded

    report = audit_loaded(context.ported_model, checkpoint, rules)
    figures: Figures = {"compared_weights": report.matched, "evidence": "checkpoint"}
    if report.ok:
        return figures
    failures = report.failures()
    head = f"{show(failures[0].name)}: " if failures else ""
    raise ClaimRefuted(head + report.failure_message(), hint=_next(context), figures=figures)


def _as_in_original(context: CheckContext) -> Figures:
    verification = context.verification
    wrong = list(_differences(verification))
    alone = list(_without_counterpart(verification))
    aligned = {path for group in verification.comparison.alignment.groups for path in group.ported}
    compared = sum(len(_persistent(verification.ported.modules[path])) for path in aligned)
    figures: Figures = {"compared_weights": compared, "evidence": "original"}
    if wrong:
        more = [f"and {len(wrong) - MOST_LINES} more"] if len(wrong) > MOST_LINES else []
        raise ClaimRefuted("\n".join(wrong[:MOST_LINES] + more), hint=_next(context), figures=figures)
    if alone or not compared:
        names = ", ".join(alone[:MOST_LINES]) + (" …" if len(alone) > MOST_LINES else "")
        raise Inconclusive(
            f"{len(alone)} weights have nothing in the original to be held against: {names}"
            if alone
            else "no weight could be held against one of the original",
            hint="give checkpoint() and rules() in the portfile, or pair the modules with MODULE_MAP",
            figures=figures,
        )
    return figures


def _module_pairs(verification: Verification) -> Iterator[tuple[ModuleInfo, ModuleInfo]]:
    """Original and ported modules that correspond one to one and hold their weights laid out alike."""
    for group in verification.comparison.alignment.groups:
        if len(group.original) == len(group.ported) == 1 and not group.layout:
            yield (
                verification.original.modules[group.original[0]],
                verification.ported.modules[group.ported[0]],
            )


def _differences(verification: Verification) -> Iterator[str]:
    from porting.diagnosis import differing_weights

    for one, other in _module_pairs(verification):
        for text in differing_weights(verification.original, one, other):
            yield f"{show(other.path or 'the model itself')}: {show(text, 400)}"
    for group in verification.comparison.alignment.groups:
        if len(group.original) != len(group.ported):
            yield from _strangers(verification, group)


def _strangers(verification: Verification, group: Group) -> Iterator[str]:
    """Tensors of fused or split projections whose rows are not those of their counterpart.

    Which part holds which rows is left to the outputs: the order is the port's own.
    """
    from porting.trace import shared_rows

    held = [p for path in group.original for p in _persistent(verification.original.modules[path])]
    for path in group.ported:
        for parameter in _persistent(verification.ported.modules[path]):
            sketches = [p.sketch for p in held if p.sketch and len(p.shape) == len(parameter.shape)]
            own = parameter.sketch
            shares = [max(shared_rows(each, own), shared_rows(own, each)) for each in sketches] if own else []
            if max(shares, default=0.0) < WHOLE:
                originals = ", ".join(show(each) for each in group.original)
                yield f"{show(path)}: {show(parameter.name)} does not hold what {originals} hold"


def _without_counterpart(verification: Verification) -> Iterator[str]:
    """Weights of ported modules that align with nothing, unless the original has one of the same content."""
    aligned = {path for group in verification.comparison.alignment.groups for path in group.ported}
    held = {
        (parameter.shape, parameter.sketch.crc32)
        for module in verification.original.modules.values()
        for parameter in _persistent(module)
        if parameter.sketch
    }
    for module in verification.ported.modules.values():
        for parameter in () if module.path in aligned else _persistent(module):
            if parameter.sketch is None or (parameter.shape, parameter.sketch.crc32) not in held:
                yield show(f"{module.path}.{parameter.name}" if module.path else parameter.name)


def _persistent(module: ModuleInfo) -> list[ParameterInfo]:
    return [parameter for parameter in module.parameters if parameter.kind != "non-persistent buffer"]


def _next(context: CheckContext) -> str:
    return f"load it in ported(), then: {context.command('verify --strict')}"
