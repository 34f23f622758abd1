"""Alignment: which original module corresponds to which ported one, and on what evidence.

Three kinds of evidence, strongest first: equal weights (``weights``), the aligned weights below a container
(``containers``), and call order, shapes, classes and names below an aligned parent (``siblings``). The user's map
overrules them all. Only traces are read, never a live model.
"""

from __future__ import annotations

from porting.alignment.model import Alignment, Group
from porting.alignment.solving import align

__all__ = ["Alignment", "Group", "align"]
