"""Alignment: which original module corresponds to which ported one, and on what evidence.

Only traces are read, never a live model. ``sides`` lists the modules that ran; ``contents`` finds the weights that
both sides hold, ``activations`` the values that run through both, ``placing`` the place of a module among known pairs.
``scoring`` puts these into one matrix and ``solving`` assigns, again and again, until nothing changes; ``disputes``
withdraws weights that were loaded into another's place. ``reasons`` says what each pair stands on.
"""

from __future__ import annotations

from porting.alignment.model import Alignment, Group
from porting.alignment.solving import align

__all__ = ["Alignment", "Group", "align"]
