"""Measured numbers in print."""

from __future__ import annotations

import math

from rich.text import Text


def figure(value: float | None) -> Text:
    """A measured number in two digits; a dash where there is none."""
    return Text(digits(value))


def digits(value: float | None) -> str:
    """The text of `figure`."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.2g}" if abs(value) < 1e5 or math.isinf(value) else f"{value:.1e}"
