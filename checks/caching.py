"""Step 8 of the recipe, what is special in a decoder: a text that is read in pieces gives what it gives whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.outcomes import ClaimRefuted, Figures, Skip
from porting.checks.wording import require_agreement

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from porting.behaviour import Subject
    from porting.behaviour.caching import Way
    from porting.behaviour.decoding import Reader
    from porting.checks.context import CheckContext

STEP = 8


def check_cache_equals_full_forward(context: CheckContext) -> Figures:
    """A text read piece after piece with the port's cache gives what the whole text gives, at every token.

    Reviewers' rule, and what generation rests on: prefill and single tokens, pieces of several, a cache of fixed size
    where the class supports one; on the given text, past the window of the attention, and padded on the left. The
    claim is about the port alone: its cache or states, of whatever class, against its own forward without.

    Raises:
        ClaimRefuted: a token's result differs by more than the port rounds, or the forward raises with a cache.
        Skip: the port keeps nothing between forwards, a later token changes the result of an earlier one, or the text
            has one token.
    """
    from porting.behaviour.caching import texts, ways
    from porting.behaviour.decoding import NotDecodable, Reader

    figures: dict[str, Any] = {"texts": 0, "readings": 0, "tokens": 0, "max_abs": 0.0}
    for words, inputs, window in texts(context.ported_model, context.ported.inputs):
        try:
            reader = Reader.of(context.ported_model, inputs)
            subject = _subject(context, reader)
            whole = _whole(reader, subject)
            for way in ways(reader, window):
                _compare(context, reader, subject, whole, way, words, figures)
        except NotDecodable as error:
            if figures["readings"]:
                continue
            raise Skip(error.message) from error
        figures["texts"] += 1
    if not figures["tokens"]:
        raise Skip("the text is read in one piece, so that nothing comes out of the cache: give inputs() a longer one")
    return figures


CHECKS = (check_cache_equals_full_forward,)


def _subject(context: CheckContext, reader: Reader) -> Subject:
    """The port with one text, for its rounding there."""
    from porting.behaviour import Subject
    from porting.runs import Inputs

    inputs = Inputs(kwargs=reader.inputs)
    return Subject("ported", context.ported_model, inputs, lambda model, given: given.forward(model), lambda _: None)


def _whole(reader: Reader, subject: Subject) -> Mapping[str, torch.Tensor]:
    """The text read at once.

    Raises:
        Skip: it cannot be, or the first half of it gives something else by itself.
    """
    from porting.behaviour import agree
    from porting.errors import CaptureError

    try:
        whole = reader.whole()
        half = max(1, reader.length // 2)
        part = reader.whole(half)
    except CaptureError as error:
        raise Skip(
            f"the port's forward does not take its inputs by name and without a cache: {error.message}"
        ) from error
    begun = {name: tensor[:, :half] for name, tensor in whole.items()}
    valid = None if reader.valid is None else reader.valid[:, :half]
    if agree(begun, part, subject.allowance, valid).wrong:
        raise Skip("a later token changes what the port returns for an earlier one, so it cannot be read in pieces")
    return whole


def _compare(
    context: CheckContext,
    reader: Reader,
    subject: Subject,
    whole: Mapping[str, torch.Tensor],
    way: Way,
    words: str,
    figures: dict[str, Any],
) -> None:
    from porting.behaviour import agree
    from porting.behaviour.caching import first_difference, likely_cause
    from porting.errors import CaptureError

    hint = f"mend the cache, its position ids or its mask in the port's forward, then: {context.command('check')}"
    what = f"{words}, read {way.words}, against the same read at once"
    try:
        found = reader.in_pieces(way.sizes, way.cache)
    except CaptureError as error:
        if way.cache is not None:
            figures["refused"] = way.words  # that a class takes a cache of fixed size is not claimed
            return
        raise ClaimRefuted(f"{what}: {error.message}", hint=hint, figures=figures) from error
    agreement = agree(whole, found, subject.allowance, reader.valid)
    figures["readings"] += 1
    figures["tokens"] += reader.length - way.sizes[0]
    figures["max_abs"] = max(figures["max_abs"], agreement.max_abs or 0.0)
    if agreement.wrong:
        (name, expected), (result,) = *whole.items(), found.values()
        token = first_difference(expected, result, subject.allowance(name, expected).atol, reader.valid)
        figures["first_token"] = token
        cause = likely_cause(reader, way, lambda other: not agree(whole, other, subject.allowance, reader.valid).wrong)
        what += f": differs from token {token} on, after {way.sizes[0]} were read first"
        what += f"; likely {cause}" if cause else ""
    require_agreement(agreement, what, hint=hint, figures=figures)
