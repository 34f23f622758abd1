"""Step 8 of the recipe: a row gives the same whatever stands beside it, rows and padding alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.checks.shared.settling import figures_of, original_agrees, ported_agreement, require_trial

if TYPE_CHECKING:
    import torch

    from porting.behaviour import Text, Trial
    from porting.checks.shared.context import CheckContext

STEP = 8
PADDING = 3
"""Tokens of padding that are added to a text."""
SHORTEST = 4
"""Tokens of a text in which a position can be left out and others remain."""


def check_batch_invariance(context: CheckContext) -> Figures:
    """A row gives the same alone as in its batch, and in every order of the rows.

    Recipe, "pipelines and serving": batch composition must not change a row. Within the measured rounding.

    Raises:
        ClaimRefuted: a row changes, and not in the original.
        Inconclusive: a row changes, and the original cannot be asked.
        Skip: there are no rows to take apart, or the original's rows change, too.
    """
    from porting.behaviour import batch_of, row_trials

    batch, obstacle = batch_of(context.material, context.ported)
    if obstacle:
        raise Skip(obstacle)
    hint = "keep to the row: no mean, sort or maximum over the batch, and no reshape that mixes its axis with another"
    trials = row_trials(context.material, context.ported, batch)
    agreements = [require_trial(context, trial, hint=hint) for trial in trials]
    return {**figures_of(*agreements), "rows": len(agreements) - 1}


def check_padding_right(context: CheckContext) -> Figures:
    """Padding on the right, left out by the mask, changes nothing at the positions that count.

    Recipe, "pipelines and serving": padding must not change a row. Within the measured rounding.

    Raises:
        ClaimRefuted: a position that counts changes, and not in the original.
        Skip: there is no text or no mask, or the original changes, too, or cannot be asked.
    """
    hint = "add the mask to the scores of every attention, and zero masked positions before what mixes them otherwise"
    return figures_of(require_trial(context, _padding(context, "right"), hint=hint, unknown=Skip))


def check_padding_left(context: CheckContext) -> Figures:
    """Padding on the left changes nothing either, if positions are counted from the mask.

    Recipe, "pipelines and serving": generation pads on the left. Position ids are passed where the port takes them
    and does not count from the mask by itself.

    Raises:
        ClaimRefuted: a position that counts changes, and not in the original.
        Skip: there is no text or no mask, or the original changes, too, or cannot be asked.
    """
    from porting.behaviour import PositionIds

    trial = _padding(context, "left")
    positions = PositionIds.of(context.material)
    if positions is not None:
        plain = ported_agreement(context, trial)
        if plain.wrong:
            explicit = positions.from_mask(trial, context.ported, context.material)
            agreement = None if explicit is None else ported_agreement(context, explicit)
            if agreement is not None and agreement.compared and not agreement.wrong:
                return {**figures_of(agreement), "positions": "passed"}
    hint = "count positions from the mask: position_ids = attention_mask.cumsum(-1) - 1"
    return {**figures_of(require_trial(context, trial, hint=hint, unknown=Skip)), "positions": "the port's own"}


def check_masked_positions_ignored(context: CheckContext) -> Figures:
    """What stands at masked positions changes nothing at those that count.

    Recipe, "usual mistakes": a mask that does not reach every attention, or has the wrong sign or axis.

    Raises:
        ClaimRefuted: a position that counts changes, and not in the original.
        Skip: there is no text or no mask, or the original changes, too, or cannot be asked.
    """
    from porting.behaviour import Trial, same_places

    padding = _padding(context, "right")
    text, _ = _text(context)
    padded = padding.other
    trial = Trial(
        "other tokens at masked positions against padding there",
        padded,
        text.overwritten(padded),
        same_places,
        text.counted(padded),
        padding.told_by,
    )
    hint = "add the mask to the scores of every attention, with the masked keys in the last axis"
    return figures_of(require_trial(context, trial, hint=hint, unknown=Skip))


def check_mask_used(context: CheckContext) -> Figures:
    """Masking a position that counted changes what comes for the others.

    Recipe, "usual mistakes": an ``attention_mask`` that is taken and not used.

    Raises:
        ClaimRefuted: nothing changes, and in the original something does.
        Inconclusive: nothing changes, and the original cannot be asked.
        Skip: there is no text or no mask, or nothing changes in the original either.
    """
    from porting.behaviour import Trial, same_places

    text, tensors = _text(context)
    mask = _mask(text)
    everything = text.counted(tensors)
    counted = everything.clone()
    counted[:, : text.length // 2] = False
    base = text.masked(tensors, everything)
    what = "a text with its first half masked against all of it"
    trial = Trial(what, base, text.masked(tensors, counted), same_places, counted, mask)
    agreement = ported_agreement(context, trial)
    figures = figures_of(agreement)
    if not agreement.compared:
        raise Skip("nothing that the port returns can be told apart by position")
    if agreement.max_abs:
        return figures
    agrees, why = original_agrees(context, trial)
    nothing = "masking the first half of a text changes nothing, to the last bit, in the second"
    if agrees:
        raise Skip(f"{nothing}, nor does it in the original")
    if agrees is None:
        raise Inconclusive(f"{nothing}; whether the original uses its mask is not known: {why}", figures=figures)
    raise ClaimRefuted(f"{nothing}, and in the original it does", hint=f"use {mask} in the forward", figures=figures)


CHECKS = (
    check_batch_invariance,
    check_padding_right,
    check_padding_left,
    check_masked_positions_ignored,
    check_mask_used,
)


def _text(context: CheckContext) -> tuple[Text, dict[str, torch.Tensor]]:
    """The text without padding, with room for some."""
    from porting.behaviour import plain_text

    found = plain_text(context.material, room=PADDING, least=SHORTEST)
    if isinstance(found, str):
        raise Skip(found)
    return found


def _mask(text: Text) -> str:
    if text.mask is None:
        raise Skip("the port takes no attention mask")
    return text.mask


def _padding(context: CheckContext, side: Literal["left", "right"]) -> Trial:
    from porting.behaviour import Trial, part_of

    text, tensors = _text(context)
    mask = _mask(text)
    left = side == "left"  # a pooler that takes the first position takes padding then
    match = part_of(text.length, text.length + PADDING, PADDING if left else 0, whole=not left)
    what = f"a text with {PADDING} tokens of padding on the {side} against the text alone"
    return Trial(what, tensors, text.padded(tensors, PADDING, side), match, told_by=mask)
