"""The shortest text on which two tokenizers still differ."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 1.0
MOST_TRIES = 600


def shortest(text: str, differs: Callable[[str], bool]) -> str:
    """Take pieces out of a text, large ones first, as long as what is left still differs.

    Args:
        text: one that differs.
        differs: whether a text does.
    """
    until, tries = time.perf_counter() + SECONDS, 0
    size = len(text) // 2
    while size:
        at = 0
        while at < len(text):
            tries += 1
            if tries > MOST_TRIES or time.perf_counter() > until:
                return text
            shorter = text[:at] + text[at + size :]
            if shorter and differs(shorter):
                text = shorter
            else:
                at += size
        size //= 2
    return text
