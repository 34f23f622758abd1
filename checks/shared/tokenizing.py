"""What the checks of the tokenizer share: both sides with the texts for them, and how findings are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.errors import PortfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checks.shared.context import CheckContext
    from porting.tokenizers import BothTokenizers, Sample
    from porting.tokenizers.comparing import Compared
    from porting.tokenizers.faults import Findings

TEXTS = "texts for the tokenizers"
"""Under which the context shares the texts that were given on the command line."""


def both_tokenizers(context: CheckContext, *, original: bool = True) -> BothTokenizers:
    """The original's tokenizer, the port's and the corpus.

    Args:
        context: of the checks.
        original: whether a check needs the original's.

    Raises:
        Lacking: the portfile has none that is needed.
        Skip: it has no need of them: the port takes nothing that a tokenizer makes.
        PortfileError: ``ported_tokenizer()`` or ``tokenizer_corpus()`` does not keep its contract.
    """
    if original and "original_tokenize" not in context.portfile.functions:
        context.refuse_needless("ported_tokenizer")
        raise Lacking("the portfile has no original_tokenize(text)")
    return context.shared("both tokenizers", lambda: _made(context))


def answered(context: CheckContext, both: BothTokenizers) -> Compared:
    """Both sides on the corpus.

    Raises:
        Skip: the original lives in another interpreter, and its tokenizer cannot be called in this one.
        PortfileError: the original answered to no text, or a side returned something else than ids.
    """
    try:
        return both.compared
    except PortfileError as error:
        if context.portfile.original_python is not None and "raised for each" in error.message:
            raise Lacking(
                f"original_tokenize() is called here, not by ORIGINAL_PYTHON, and {error.message}",
                hint="let it ask that interpreter by subprocess, or look up ids that were written there",
            ) from None
        raise


def require_none(found: Findings, what: str, hint: str) -> Figures:
    """Refute a claim with every fault that was found.

    Args:
        found: what was looked at, and what is wrong.
        what: what is wrong with the texts, as in "decode wrongly".
        hint: what to do next.

    Raises:
        ClaimRefuted: there is a fault.
        Skip: nothing was looked at.
    """
    figures: Figures = {"compared_texts": found.looked_at, "different_texts": len(found.faults)}
    if found.faults:
        raise ClaimRefuted(found.message(what), hint=hint, figures=figures)
    if not found.looked_at:
        raise Skip("no text applies", figures=figures)
    return figures


def remedy(context: CheckContext, repair: str) -> str:
    """What to do next about ids that differ: the repair that was tried, if there is one."""
    command = context.command("tokenizer")
    return f"{repair}; then: {command}" if repair else f"correct that stage of the port's tokenizer, then: {command}"


def embedding_rows(context: CheckContext) -> int:
    """Rows of the model's embedding of ids, else ``vocab_size`` of the config.

    Raises:
        Skip: there is neither.
    """
    from porting.weights.audit.ties import embeddings

    if not any(name in context.portfile.functions for name in ("ported", "config")):
        raise Lacking("the portfile has no ported() and no config() to hold the vocabulary against")
    weight = embeddings(context.ported_structure, "input") if "ported" in context.portfile.functions else None
    if weight is not None and weight.dim() == 2:
        return int(weight.shape[0])
    size = getattr(context.config, "vocab_size", None)
    if not isinstance(size, int):
        raise Skip("the model has no embedding of ids, and its config no vocab_size")
    return size


def _made(context: CheckContext) -> BothTokenizers:
    from porting.tokenizers import BothTokenizers, OriginalTokenizer, PortedTokenizer, samples_of

    portfile = context.portfile
    ported = PortedTokenizer(context.returned("ported_tokenizer"), portfile.running)
    tokenize = portfile.watched("original_tokenize")
    original = None if tokenize is None else OriginalTokenizer(tokenize, portfile.running)
    own: Sequence[Sample] = context.shared(TEXTS, list)
    if "tokenizer_corpus" in portfile.functions:
        given = portfile.call("tokenizer_corpus")
        own = [*own, *samples_of(portfile.folder / given if isinstance(given, str) else given)]
    return BothTokenizers(original, ported, own)
