"""Step 9 of the recipe: the port's tokenizer gives what the original's gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.tokenizing import answered, both_tokenizers, embedding_rows, remedy, require_none
from porting.checks.shared.wording import MOST_LINES, more
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 9


def check_token_ids_equal(context: CheckContext) -> Figures:
    """The port's tokenizer gives the original's ids for every text of a corpus of hard ones.

    Recipe step 9, "ids equal on a corpus of hard strings". Held against a plain call of the port; against one without
    added special tokens where the original adds none to any text.

    Raises:
        ClaimRefuted: the ids of a text differ; the stage that differs first is named, and what mends it, if tried.
        Inconclusive: no text could be compared.
    """
    both = both_tokenizers(context)
    answered(context, both)
    parity = both.parity
    figures: Figures = {
        "compared_texts": parity.compared,
        "different_texts": parity.total("different"),
        "skipped_texts": parity.total("skipped"),
        "noted_texts": parity.total("noted"),
        "special_tokens": "compared" if parity.special else "left out, as the original adds none",
        "stage": parity.stage,
        "repair": parity.repair or None,
    }
    if not parity.compared:
        raise Inconclusive(parity.summary(), hint="see what original_tokenize() raises", figures=figures)
    if not parity.ok:
        raise ClaimRefuted(parity.failure_message(), hint=remedy(context, parity.repair), figures=figures)
    return figures


def check_special_tokens_equal(context: CheckContext) -> Figures:
    """The port adds the special tokens that the original adds, and finds those in a text that the original finds.

    Recipe step 9, "special tokens", and the neighbour "control tokens never split".

    Raises:
        ClaimRefuted: others are added, or one that is written in a text is taken apart on one side only.
        Skip: the original adds none and takes those in a text for plain text: it leaves that to its caller.
    """
    from porting.tokenizers.corpus import CONTROL, OTHERS
    from porting.tokenizers.parity import difference_of

    both = both_tokenizers(context)
    compared = answered(context, both)
    original, ported = both.parity.added
    written = [pair for pair in compared.counted if pair.sample.category in (CONTROL, OTHERS)]
    wrong = [pair for pair in written if pair.status == "different" and both.stages.of(pair) == "special tokens"]
    figures: Figures = {
        "original_adds": original or "nothing",
        "ported_adds": ported or "nothing",
        "texts_with_control_tokens": len(written),
    }
    if compared.special and compared.original_added != compared.ported_added:
        raise ClaimRefuted(
            f"the original adds {original or 'nothing'} to a text, and the port {ported or 'nothing'}",
            hint=remedy(context, both.parity.repair),
            figures=figures,
        )
    if wrong:
        lines = [f"  {difference_of(pair, both.stages, both.ported).line()}" for pair in wrong[:MOST_LINES]]
        head = f"{len(wrong)} of {len(written)} texts with a control token differ; the first: {lines[0].strip()}"
        text = "\n".join([head, *lines[1:], *more(len(wrong))])
        raise ClaimRefuted(text, hint=remedy(context, both.parity.repair), figures=figures)
    if not compared.special:
        raise Lacking(
            f"original_tokenize() adds nothing to any text, so that it cannot be seen whether {ported} is right: "
            "return the ids that the original's model gets",
            figures=figures,
        )
    return figures


def check_token_offsets(context: CheckContext) -> Figures:
    """Every offset pair of the port points into the text, never back, and at what its id spells.

    Recipe step 9, "offsets".

    Raises:
        ClaimRefuted: one does not.
        Skip: the tokenizer has no offsets.
    """
    from porting.tokenizers.offsets import check_offsets

    both = both_tokenizers(context, original=False)
    if both.ported.backend is None:
        raise Skip(f"{both.ported.name} has no offsets: only tokenizers with a backend of the tokenizers library do")
    return require_none(
        check_offsets(both.ported, both.texts),
        "have wrong offsets",
        "mend the normalizer and the pre-tokenizer of the port: each keeps track of where its text comes from",
    )


def check_decoding_round_trip(context: CheckContext) -> Figures:
    """Ids decode to the text that the original makes of them; without an original_decode(), to one of the same ids.

    Recipe step 9, "decode round trip". Without ``original_decode(ids)`` in the portfile, plain words are decoded and
    encoded again, and special tokens that are left out must leave nothing behind.

    Raises:
        ClaimRefuted: a text comes back otherwise.
        Skip: there is no text to decode.
    """
    from porting.tokenizers.decoding import decode_and_encode, decode_as_original

    tokenizes = "original_tokenize" in context.portfile.functions
    decode = context.portfile.watched("original_decode") if tokenizes else None
    both = both_tokenizers(context, original=decode is not None)
    if decode is not None:
        with context.portfile.running():
            found = decode_as_original(both.ported, answered(context, both), decode)
    else:
        found = decode_and_encode(both.ported)
    hint = "mend the decoder of the port (backend_tokenizer.decoder), or its clean_up_tokenization_spaces"
    return require_none(found, "decode wrongly", hint)


def check_tokenizer_batches(context: CheckContext) -> Figures:
    """A text has the same ids alone, in a batch, padded on either side and in a pair.

    Recipe, neighbours: "padding and batch composition must not change a row".

    Raises:
        ClaimRefuted: it has others.
        Skip: the tokenizer takes one text at a time.
    """
    from porting.tokenizers.batching import check_batches, check_pairs

    both = both_tokenizers(context, original=False)
    if not both.ported.of_transformers:
        raise Skip(f"{both.ported.name} is no tokenizer of Transformers, which alone pads and pairs")
    texts = both.texts
    require_none(check_batches(both.ported, texts), "change in a batch", "mend what the port does when it pads")
    return require_none(check_pairs(both.ported, texts), "change in a pair", "mend the template for pairs of the port")


def check_slow_and_fast_agree(context: CheckContext) -> Figures:
    """The fast tokenizer and the slow one of the same class give the same ids, where Transformers has both.

    Recipe step 9. Transformers 5 has one backend for most classes.

    Raises:
        ClaimRefuted: they differ.
        Skip: there is one backend.
    """
    from porting.tokenizers.again import held_against, made_slow, slow_class_of

    both = both_tokenizers(context, original=False)
    slow = slow_class_of(both.ported.tokenizer)
    if slow is None:
        raise Skip(f"Transformers has one backend for {both.ported.name}")
    try:
        other = made_slow(both.ported, slow)
    except Exception as error:
        raise Skip(f"{slow.__name__} cannot be made from the files of {both.ported.name}: {show(error)}") from None
    if other.vocabulary != both.ported.vocabulary:
        raise Skip(f"the files of {both.ported.name} give {slow.__name__} another vocabulary")
    return require_none(
        held_against(both.ported, other, both.texts),
        f"have other ids with {slow.__name__}",
        f"correct the settings that {slow.__name__} and {both.ported.name} read, so that both do the same",
    )


def check_tokenizer_saved_and_loaded(context: CheckContext) -> Figures:
    """The tokenizer gives the same ids after it was saved and loaded.

    Usual mistake: a stage is set in the live tokenizer, and the class makes its own when it is loaded.

    Raises:
        ClaimRefuted: it gives others, or cannot be loaded.
        Skip: it cannot be saved.
    """
    from porting.tokenizers.again import held_against, saved_and_loaded

    both = both_tokenizers(context, original=False)
    try:
        again = saved_and_loaded(both.ported)
    except Exception as error:
        raise ClaimRefuted(
            f"the tokenizer does not survive saving and loading: {type(error).__name__}: {show(error, 400)}",
            hint="have save_pretrained() write all that from_pretrained() needs",
        ) from None
    if again is None:
        raise Skip(f"{both.ported.name} has no save_pretrained()")
    hint = "set it where the class builds it (an argument of its __init__), not in the live tokenizer alone"
    return require_none(held_against(both.ported, again, both.texts), "have other ids once saved and loaded", hint)


def check_vocabulary_fits_model(context: CheckContext) -> Figures:
    """Every id that the tokenizer can give has a row in the model's embedding.

    Recipe, usual mistakes: a vocabulary of another size than the embedding.

    Raises:
        ClaimRefuted: an id is out of range.
        Skip: the model has no embedding of ids, or the tokenizer does not tell its vocabulary.
    """
    both = both_tokenizers(context, original=False)
    vocabulary = both.ported.vocabulary
    if not vocabulary:
        raise Skip(f"{both.ported.name} does not tell its vocabulary")
    rows = embedding_rows(context)
    above = sorted(number for number in vocabulary if number >= rows)
    figures: Figures = {"vocabulary": len(vocabulary), "largest_id": max(vocabulary), "embedding_rows": rows}
    if above:
        raise ClaimRefuted(
            f"{len(above)} ids have no row in the embedding of {rows} rows; the first: "
            f"{above[0]} ({both.ported.piece(above[0])})",
            hint="convert the embedding with all its rows, or take the added tokens out of the tokenizer",
            figures=figures,
        )
    return figures


CHECKS = (
    check_token_ids_equal,
    check_special_tokens_equal,
    check_token_offsets,
    check_decoding_round_trip,
    check_tokenizer_batches,
    check_slow_and_fast_agree,
    check_tokenizer_saved_and_loaded,
    check_vocabulary_fits_model,
)
