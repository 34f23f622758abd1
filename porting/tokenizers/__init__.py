"""Tokenizer parity: the port's ids held against the original's, and which stage of the port differs first."""

from __future__ import annotations

from porting.tokenizers.comparing import Compared, Pair, compare
from porting.tokenizers.corpus import Sample, build_corpus, samples_of, samples_of_file
from porting.tokenizers.parity import Difference, TokenizerParity, compare_tokenizers, parity_of
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer
from porting.tokenizers.vocabulary import vocabulary_samples

__all__ = [
    "Compared",
    "Difference",
    "OriginalTokenizer",
    "Pair",
    "PortedTokenizer",
    "Sample",
    "TokenizerParity",
    "build_corpus",
    "compare",
    "compare_tokenizers",
    "parity_of",
    "samples_of",
    "samples_of_file",
    "vocabulary_samples",
]
