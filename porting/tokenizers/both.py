"""Both tokenizers of a portfile with the texts for them, asked once for all that is claimed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from porting.errors import PortfileError
from porting.tokenizers.comparing import Compared, compare
from porting.tokenizers.corpus import NOTED, Sample, build_corpus
from porting.tokenizers.exchanged import renumbered
from porting.tokenizers.parity import TokenizerParity, parity_of
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer
from porting.tokenizers.stages import Stages
from porting.tokenizers.strings import HARD
from porting.tokenizers.vocabulary import vocabulary_samples

LONGEST = 2000


class BothTokenizers:
    """The original's tokenizer, the port's, and the corpus.

    Args:
        original: None where the portfile has none.
        ported: the port's.
        own: texts of the user, beside the built-in ones.
    """

    def __init__(
        self, original: OriginalTokenizer | None, ported: PortedTokenizer, own: Sequence[Sample] = ()
    ) -> None:
        self.original = original
        self.ported = ported
        self.own = tuple(own)

    @cached_property
    def samples(self) -> list[Sample]:
        """The whole corpus."""
        return build_corpus(list(self.ported.control_tokens), self.own, vocabulary_samples(self.ported))

    @property
    def texts(self) -> list[str]:
        """The hard texts and the user's own, without very long ones and those in which libraries differ."""
        hard = [text for category, texts in HARD.items() if category not in NOTED for text in texts]
        return list(dict.fromkeys(text for text in [*(each.text for each in self.own), *hard] if len(text) <= LONGEST))

    @cached_property
    def compared(self) -> Compared:
        """Both sides on the whole corpus.

        Raises:
            PortfileError: the original answered to none of it, or a side returned something else than ids.
        """
        assert self.original is not None
        compared = compare(self.original, self.ported, self.samples)
        if compared.pairs and len(compared.of("skipped")) == len(compared.pairs):
            said = compared.pairs[0].original.error
            raise PortfileError(
                f"original_tokenize() raised for each of {len(compared.pairs)} texts: {said}",
                hint="run it alone: python -c \"import portfile; print(portfile.original_tokenize('Hello'))\"",
            )
        return compared

    @cached_property
    def stages(self) -> Stages:
        """What names the stage in which a text differs first.

        Raises:
            PortfileError: as `compared`.
        """
        assert self.original is not None
        differs = bool(self.compared.of("different"))
        numbers = renumbered(self.compared, self.original, self.ported) if differs else {}
        return Stages(self.compared, self.ported, numbers)

    @cached_property
    def parity(self) -> TokenizerParity:
        """What follows from both sides' answers.

        Raises:
            PortfileError: as `compared`.
        """
        assert self.original is not None
        return parity_of(self.compared, self.stages, self.original, self.ported)


def compare_tokenizers(original: Callable[[str], Any], ported: Any, own: Sequence[Sample] = ()) -> TokenizerParity:
    """Hold a port's tokenizer against the original's on a corpus of hard texts.

    Args:
        original: text to ids.
        ported: a tokenizer of Transformers or of the tokenizers library.
        own: more texts.

    Raises:
        PortfileError: a side is no tokenizer, or the original answered to no text.
    """
    return BothTokenizers(OriginalTokenizer(original), PortedTokenizer(ported), own).parity
