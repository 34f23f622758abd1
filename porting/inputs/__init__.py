"""What the inputs, settings and weights of a verification cannot show, reported beside its verdict."""

from __future__ import annotations

from porting.inputs.linting import CODES, input_warnings

__all__ = ["CODES", "input_warnings"]
