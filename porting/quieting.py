"""What libraries say of a model that is run in unusual ways on purpose is nobody's news."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Have nothing warned of meanwhile, neither by logging nor by Python, and Transformers draw no bars."""
    with unlogged(logging.WARNING), _without_bars(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def unlogged(level: int) -> Iterator[None]:
    """Have nothing logged meanwhile, up to a level of `logging`."""
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _without_bars() -> Iterator[None]:
    if "transformers" not in sys.modules:
        yield
        return
    from transformers.utils import logging as of_transformers

    bars = of_transformers.is_progress_bar_enabled()
    of_transformers.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            of_transformers.enable_progress_bar()
