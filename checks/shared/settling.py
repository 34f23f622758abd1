"""How a trial of the port ends: what the original does likewise is not held against the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Outcome, Skip
from porting.checks.shared.wording import head, require_agreement
from porting.errors import CaptureError

if TYPE_CHECKING:
    from porting.behaviour import Agreement, Trial
    from porting.checks.shared.context import CheckContext

LIVE = "give the original live: original() in the portfile, without ORIGINAL_TRACE and ORIGINAL_PYTHON"


def require_trial(
    context: CheckContext, trial: Trial, *, hint: str, unknown: type[Outcome] = Inconclusive
) -> Agreement:
    """Refute a claim that the port does not fulfil, unless the original does not fulfil it either.

    Args:
        context: of both models.
        trial: what the port is run on.
        hint: what to do next.
        unknown: what is raised where the port does not fulfil it and the original cannot be asked.

    Raises:
        ClaimRefuted: the port alone does not fulfil it.
        Inconclusive: nothing could be compared.
        Skip: the original does not fulfil it either, or the port cannot be run on this.
    """
    agreement = ported_agreement(context, trial, hint=hint)
    figures = figures_of(agreement)
    if not agreement.outputs:
        raise Skip(f"{trial.what}: nothing that the port returns can be told apart like that")
    if agreement.wrong:
        _excuse(context, trial, agreement, unknown, figures)
    require_agreement(agreement, trial.what, hint=hint, figures=figures)
    return agreement


def ported_agreement(context: CheckContext, trial: Trial, *, hint: str = "") -> Agreement:
    """How well a trial of the port ends.

    Raises:
        ClaimRefuted: the port's forward raises on what the original takes.
        Skip: it raises, and nothing says that it should not.
    """
    try:
        return trial.run_ported(context.ported, context.material)
    except CaptureError as error:
        agrees, why = original_agrees(context, trial)
        if agrees is None:
            text = f"{trial.what}: {error.message}; whether the original takes it is not known: {why}"
            raise Skip(text) from None
        raise ClaimRefuted(f"{trial.what}: {error.message}; the original takes these inputs", hint=hint) from None


def original_agrees(context: CheckContext, trial: Trial) -> tuple[bool | None, str]:
    """Whether a trial of the original ends well; None with the reason if it cannot be made."""
    from porting.probes.deriving import Underivable

    try:
        agreement = trial.run_original(context.original, context.material)
    except Underivable as error:
        return None, str(error)
    except Skip as skip:
        return None, skip.message
    if not agreement.compared:
        return None, "nothing that the original returns can be told apart like that"
    return not agreement.wrong, ""


def refuse_random(context: CheckContext, found: str) -> None:
    """Refuse a difference that the seed alone may make.

    Raises:
        Skip: it does.
    """
    from porting.behaviour import parting_by_seed

    if parting_by_seed(context.ported):
        raise Lacking(f"{found}; but runs with two seeds differ, too: see check_dropout_inactive")


def figures_of(*agreements: Agreement) -> Figures:
    """How much was compared, and the largest difference."""
    found = [agreement.max_abs for agreement in agreements if agreement.max_abs is not None]
    return {
        "compared_outputs": sum(len(agreement.outputs) - len(agreement.blind) for agreement in agreements),
        "max_abs": max(found, default=None),
    }


def _excuse(
    context: CheckContext, trial: Trial, agreement: Agreement, unknown: type[Outcome], figures: Figures
) -> None:
    agrees, why = original_agrees(context, trial)
    first = head(agreement.wrong[0])
    refuse_random(context, f"{trial.what}: {first}")
    if agrees is False:
        raise Skip(f"{trial.what}: {first}; the original's own results differ likewise", figures=figures)
    if agrees is None:
        text = f"{trial.what}: {first}; whether the original does the same is not known: {why}"
        raise unknown(text, hint=LIVE, figures=figures)
