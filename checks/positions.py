"""Step 8 of the recipe: positions are counted as the original counts them, and no text reaches back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.settling import figures_of, original_agrees, ported_agreement, refuse_random
from porting.checks.shared.wording import head, require_agreement

if TYPE_CHECKING:
    import torch

    from porting.behaviour import Text, Trial
    from porting.checks.shared.context import CheckContext

STEP = 8
SHORTEST = 6
"""Tokens of a text in which two can be exchanged and others remain around them."""


def check_position_ids(context: CheckContext) -> Figures:
    """Position ids that are passed as the port counts them change nothing, and others do.

    Recipe, "usual mistakes": position embeddings with an offset. What ``generate`` passes, counted from the mask, has
    to be what the forward counts by itself.

    Raises:
        ClaimRefuted: no start gives what the port counts by itself, or other positions change nothing though they
            do in the original.
        Skip: the port takes no position ids, or counts in a way of its own.
    """
    from porting.behaviour import PositionIds, Trial, same_places

    positions = PositionIds.of(context.material)
    if positions is None:
        raise Skip("the port takes no position ids, or is given some")
    _, tensors = _text(context)
    start = positions.start(tensors, context.ported, context.material)
    if start is None:
        what = f"{positions.name} counted from 0 against those that the port counts by itself"
        _refuse_count(context, Trial(what, tensors, positions.explicit(tensors), same_places))
    turned = positions.reversed(tensors, start or 0)
    trial = Trial(f"{positions.name} turned round against those in order", tensors, turned, same_places)
    agreement = ported_agreement(context, trial)
    figures = {**figures_of(agreement), "start": start}
    if not agreement.wrong and original_agrees(context, trial)[0] is False:
        raise ClaimRefuted(
            f"{trial.what}: nothing changes in the port, and in the original something does",
            hint=f"pass {positions.name} on to the embeddings or rotations",
            figures=figures,
        )
    return figures


def check_token_order(context: CheckContext) -> Figures:
    """Exchanging two tokens changes what comes for the others if it does in the original, and else nothing.

    Recipe, "usual mistakes": a layer forgotten; without position embeddings a text is a bag of words.

    Raises:
        ClaimRefuted: the port and the original are not alike in this.
        Skip: there is no text in which two tokens can be exchanged, or it changes nothing and the original cannot be
            asked.
    """
    trial = _exchange(context)
    agreement = ported_agreement(context, trial)
    if not agreement.compared:
        raise Skip("nothing that the port returns can be told apart by position")
    matters = bool(agreement.wrong)
    figures: Figures = {**figures_of(agreement), "matters": "yes" if matters else "no"}
    agrees, why = original_agrees(context, trial)
    if agrees is None and not matters:
        text = f"{trial.what}: nothing changes; whether something does in the original is not known: {why}"
        raise Skip(text, figures=figures)
    if agrees is matters:
        raise ClaimRefuted(
            f"{trial.what}: {_unlike(matters)}",
            hint="add the positions that the original adds, and no others",
            figures=figures,
        )
    return figures


def check_appended_text(context: CheckContext) -> Figures:
    """Text that is appended, past every window, changes nothing before it in a causal model, and something in others.

    Reviewers' rule for a decoder: no position sees what follows. Whether the model is causal, the original says.

    Raises:
        ClaimRefuted: the port and the original are not alike in this.
        Inconclusive: nothing could be compared.
        Skip: there is no text, or the port is not causal and the original cannot be asked.
    """
    trial = _appended(context)
    agreement = ported_agreement(context, trial)
    if not agreement.outputs:
        raise Skip("nothing that the port returns has an axis of the text's length")
    changed = bool(agreement.wrong)
    figures: Figures = {**figures_of(agreement), "causal": "no" if changed else "yes"}
    agrees, why = original_agrees(context, trial)
    if agrees is False and not changed:
        raise ClaimRefuted(
            f"{trial.what}: {_unlike(changed)}",
            hint="the original sees what follows: use no causal mask",
            figures=figures,
        )
    if agrees is None and changed:
        text = f"{trial.what}: {head(agreement.wrong[0])}; whether the original is causal is not known: {why}"
        raise Skip(text, figures=figures)
    if changed and agrees:
        refuse_random(context, f"{trial.what}: {head(agreement.wrong[0])}")
    if agrees is not False:
        hint = "the original is causal: mask what follows in every attention, and pad convolutions on the left only"
        require_agreement(agreement, trial.what, hint=hint, figures=figures)
    return figures


CHECKS = (check_position_ids, check_token_order, check_appended_text)


def _text(context: CheckContext) -> tuple[Text, dict[str, torch.Tensor]]:
    from porting.behaviour import plain_text

    found = plain_text(context.material, room=0, least=SHORTEST)
    if isinstance(found, str):
        raise Skip(found)
    return found


def _unlike(changed: bool) -> str:
    found = ("something", "nothing") if changed else ("nothing", "something")
    return f"{found[0]} changes in the port, and in the original {found[1]} does"


def _refuse_count(context: CheckContext, trial: Trial) -> None:
    """Refute that the port counts from 0, unless it may count as it likes."""
    agrees, _ = original_agrees(context, trial)
    generates = getattr(context.ported_model, "can_generate", None)
    if agrees is False or not (agrees or (callable(generates) and generates())):
        raise Skip(f"{trial.what}: they differ, and nothing says that they have to agree")
    agreement = ported_agreement(context, trial)
    if not agreement.outputs:
        raise Skip("nothing that the port returns can be told apart by position")
    hint = "count positions from 0, plus the length of the cache, where none are passed"
    require_agreement(agreement, trial.what, hint=hint, figures=figures_of(agreement))


def _exchange(context: CheckContext) -> Trial:
    """Two tokens exchanged; what comes at their own places does not count."""
    from porting.behaviour import Trial, same_places

    text, tensors = _text(context)
    ids = tensors[text.tokens[0]]
    pairs = [(one, other) for one in range(1, text.length - 1) for other in range(one + 1, text.length - 1)]
    places = next((pair for pair in pairs if bool((ids[:, pair[0]] != ids[:, pair[1]]).all())), None)
    if places is None:
        raise Lacking("the text has no two different tokens to exchange")
    counts = text.counted(tensors).clone().fill_(True)
    counts[:, list(places)] = False
    what = f"a text with tokens {places[0]} and {places[1]} exchanged against the text, at other places"
    return Trial(what, tensors, text.exchanged(tensors, *places), same_places, counts)


def _appended(context: CheckContext) -> Trial:
    from porting.behaviour import Trial, long_text, part_of

    found = long_text(context.material)
    if isinstance(found, str):
        raise Skip(found)
    text, tensors = found
    length = text.length // 2
    what = f"the first {length} of {text.length} tokens against these alone"
    return Trial(what, text.cut(tensors, length), tensors, part_of(length, text.length, 0, whole=False))
