"""Models of Transformers' own kind."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard


def is_pretrained(model: object) -> TypeGuard[Any]:
    """Whether a model is a ``PreTrainedModel``; found out without importing Transformers, which takes seconds."""
    library = sys.modules.get("transformers.modeling_utils")
    return library is not None and isinstance(model, library.PreTrainedModel)
