"""Tokenizer parity: the port's ids held against the original's, and which stage of the port differs first."""

from __future__ import annotations

from porting.tokenizers.both import BothTokenizers, compare_tokenizers
from porting.tokenizers.corpus import Sample, samples_of, samples_of_file
from porting.tokenizers.parity import Difference, TokenizerParity
from porting.tokenizers.sides import OriginalTokenizer, PortedTokenizer

__all__ = [
    "BothTokenizers",
    "Difference",
    "OriginalTokenizer",
    "PortedTokenizer",
    "Sample",
    "TokenizerParity",
    "compare_tokenizers",
    "samples_of",
    "samples_of_file",
]
