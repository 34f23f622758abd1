"""Whether the originals of the pairs are installed."""

from __future__ import annotations

import os

import pytest
from pairs.catalogue import import_pair


def require_original(name: str) -> None:
    """Skip the test where the original of a pair is not installed; fail where ``PORTING_ORIGINALS=required``."""
    try:
        import_pair(name)
    except ModuleNotFoundError as error:
        if os.environ.get("PORTING_ORIGINALS") == "required":
            raise
        pytest.skip(f"{error}: pip install --no-deps -r tests/pairs/requirements.txt")
