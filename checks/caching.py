"""Step 8 of the recipe, what is special in a decoder: a text that is read in pieces gives what it gives whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.wording import require_agreement

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from porting.behaviour.caching import Way
    from porting.behaviour.decoding import Reader
    from porting.checks.shared.context import CheckContext

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
            whole = _whole(reader)
            for way in ways(reader, window):
                _compare(context, reader, whole, way, words, figures)
        except NotDecodable as error:
            if figures["readings"]:
                continue
            raise Skip(error.message) from error
        figures["texts"] += 1
    if not figures["tokens"]:
        raise Lacking(
            "the text is read in one piece, so that nothing comes out of the cache: give inputs() a longer one"
        )
    return figures


CHECKS = (check_cache_equals_full_forward,)


def _whole(reader: Reader) -> Mapping[str, torch.Tensor]:
    """The text read at once.

    Raises:
        Skip: it cannot be, or the first half of it gives something else by itself.
    """
    from porting.errors import CaptureError

    try:
        ahead = reader.looks_ahead()
    except CaptureError as error:
        text = f"the port's forward does not take its inputs by name and without a cache: {error.message}"
        raise Skip(text) from error
    if ahead:
        raise Skip("a later token changes what the port returns for an earlier one, so it cannot be read in pieces")
    return reader.whole()


def _compare(
    context: CheckContext,
    reader: Reader,
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
    agreement = agree(whole, found, reader.subject.allowance, reader.valid)
    figures["readings"] += 1
    figures["tokens"] += reader.length - way.sizes[0]
    figures["max_abs"] = max(figures["max_abs"], agreement.max_abs or 0.0)
    if agreement.wrong:
        (name, expected), (result,) = *whole.items(), found.values()
        token = first_difference(expected, result, reader.subject.allowance(name, expected).atol, reader.valid)
        figures["first_token"] = token
        cause = likely_cause(
            reader, way, lambda other: not agree(whole, other, reader.subject.allowance, reader.valid).wrong
        )
        what += f": differs from token {token} on, after {way.sizes[0]} were read first"
        what += f"; likely {cause}" if cause else ""
    require_agreement(agreement, what, hint=hint, figures=figures)
