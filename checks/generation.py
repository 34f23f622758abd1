"""Step 10 of the recipe: end to end, the port goes on with a text as the original does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.living import require_live
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from porting.behaviour.decoding import Reader
    from porting.behaviour.greedy import Choice
    from porting.checks.shared.context import CheckContext

STEP = 10


def check_generate_equals_greedy_loop(context: CheckContext) -> Figures:
    """The port's ``generate`` gives the tokens that its own forward makes the likeliest, one after another.

    What ``generate`` adds to the forward must change nothing: the cache, position ids and masks that it prepares. Up
    to the first step whose margin is within rounding. Settings of the generation config that choose otherwise are
    left out, and said.

    Raises:
        ClaimRefuted: a token is another one, or ``generate`` raises.
        Inconclusive: the first step already has a low margin.
        Skip: the port generates no text.
    """
    from porting.behaviour.following import own_logits
    from porting.behaviour.greedy import TOKENS, generated, greedy

    reader, _ = _prompt(context)
    choices = greedy(lambda tokens: own_logits(reader, tokens), reader.inputs[reader.text], TOKENS)
    tokens = _unless_raised(context, lambda: generated(context.ported_model, reader, TOKENS))
    return _equal(context, reader, choices, tokens, "the port's generate", "its own forward")


def check_greedy_tokens_equal(context: CheckContext) -> Figures:
    """The port's greedy tokens are the original's, until the first step with a low margin.

    Recipe step 10. The original's come from ``original_generate()`` in the portfile, against the port's own
    ``generate`` with its generation config; without that function from forwards of the live original, one for each
    token, against ``generate`` without settings that choose otherwise. A margin within rounding decides nothing.

    Raises:
        ClaimRefuted: a token is another one, or ``generate`` raises.
        Inconclusive: the first step already has a low margin.
        Skip: the port generates no text, or the original's tokens cannot be had.
    """
    from porting.behaviour.decoding import NotDecodable
    from porting.behaviour.following import followed
    from porting.behaviour.greedy import TOKENS, generated

    reader, row = _prompt(context)
    require_live(
        context, "check_greedy_tokens_equal", "let the original generate there, and hold its tokens against the port's"
    )
    own = "original_generate" in context.portfile.functions
    try:
        choices = followed(context.portfile, context.original, context.ported, reader, row, TOKENS)
    except NotDecodable as error:
        raise Skip(error.message) from error
    tokens = _unless_raised(context, lambda: generated(context.ported_model, reader, TOKENS, own=own))
    return _equal(context, reader, choices, tokens, "the port's generate", "the original")


CHECKS = (check_generate_equals_greedy_loop, check_greedy_tokens_equal)


def _prompt(context: CheckContext) -> tuple[Reader, int]:
    from porting.behaviour.decoding import NotDecodable
    from porting.behaviour.following import own_logits
    from porting.behaviour.greedy import prompt_of
    from porting.errors import CaptureError
    from porting.pretrained import is_pretrained

    model = context.ported_model
    if not is_pretrained(model) or not model.can_generate():
        raise Skip("the port has no generate: it is no PreTrainedModel with a head that generates")
    try:
        reader, row = prompt_of(model, context.ported.inputs)
        own_logits(reader, reader.inputs[reader.text])
    except (NotDecodable, CaptureError) as error:
        raise Skip(error.message) from error
    return reader, row


def _unless_raised(context: CheckContext, run: Callable[[], list[int]]) -> list[int]:
    from porting.errors import CaptureError

    try:
        return run()
    except CaptureError as error:
        raise ClaimRefuted(error.message, hint=_mend(context)) from error


def _equal(
    context: CheckContext, reader: Reader, choices: Sequence[Choice], tokens: list[int], what: str, reference: str
) -> Figures:
    from porting.behaviour.following import least_margin
    from porting.behaviour.greedy import choosing_settings, race

    least = least_margin(reader)
    found = race(choices, tokens, least)
    unsure = None if found.unsure is None else choices[found.unsure]
    figures: dict[str, Any] = {
        "compared_tokens": found.compared,
        "smallest_margin": found.smallest,
        "low_margin_step": found.unsure,
        "low_margin": None if unsure is None else unsure.margin,
        "low_margin_tokens": None if unsure is None else f"{unsure.token}, {unsure.second}",
        "least_margin": least,
        "left_out": ", ".join(choosing_settings(context.ported_model)),
    }
    if found.differs is not None:
        step, choice = found.differs, choices[found.differs]
        raise ClaimRefuted(
            f"{what} differs from {reference} at new token {step}: {tokens[step]}, expected {choice.token} "
            f"(by a margin of {choice.margin:.3g} over {choice.second}; rounding explains {least:.2g})\n"
            f"  found:    {show(tokens)}\n  expected: {show([each.token for each in choices])}",
            hint=_mend(context),
            figures=figures,
        )
    if not found.compared:
        why = "it gives no new token" if unsure is None else f"the first token has a margin of {unsure.margin:.3g}"
        raise Inconclusive(
            f"{what} cannot be held against {reference}: {why}",
            hint="give inputs() a text after which the next token is plain",
            figures=figures,
        )
    return figures


def _mend(context: CheckContext) -> str:
    return f"mend prepare_inputs_for_generation, the cache or the generation config, then: {context.command('check')}"
