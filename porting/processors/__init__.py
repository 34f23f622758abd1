"""Processors: what the port makes of images and sounds, held against the original's own preprocessing; and which stage
of the port's differs, found by changing one of its settings at a time until the two agree.
"""

from __future__ import annotations

from porting.processors.finding import Finding, find_stage
from porting.processors.pairing import ArrayPair, pair_arrays
from porting.processors.running import Processor, processors_of
from porting.processors.samples import Kind, Sample, given_samples, samples_of

__all__ = [
    "ArrayPair",
    "Finding",
    "Kind",
    "Processor",
    "Sample",
    "find_stage",
    "given_samples",
    "pair_arrays",
    "processors_of",
    "samples_of",
]
