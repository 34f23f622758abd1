"""Which patterns a converter may have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from porting.weights.emitting.prepared import Prepared
from porting.weights.emitting.proving import transforms_with
from porting.weights.emitting.staging import Accepted


class FreePatterns:
    """Says which patterns a converter may have: they match no name of the port, and none of another converter."""

    def __init__(self, prepared: Prepared) -> None:
        self._own = list(prepared.tensors.tensors)
        self._foreign = transforms_with("", [], prepared.model)
        self._taken: dict[tuple[tuple[str, ...], str], tuple[list[re.Pattern[str]], list[str]]] = {}

    def of(self, operations: str) -> Accepted:
        """The judge of patterns for a converter with these operations."""
        return lambda sources, names: self._accept(sources, names, operations)

    def _accept(self, sources: Sequence[str], names: Sequence[str], operations: str) -> bool:
        from transformers.core_model_loading import WeightRenaming, apply_renamings

        patterns = [WeightRenaming(source, "x").compiled_sources for source in sources]
        foreign = [each for each in self._foreign if isinstance(each, WeightRenaming)]
        key = (tuple(sources), operations)
        others = [taken for other, taken in self._taken.items() if other != key]
        busy = [*self._own, *(name for _, taken in others for name in taken)]
        if (
            len(set(sources)) < len(sources)
            or not all(any(pattern.search(name) for pattern in patterns) for name in names)
            or any(pattern.search(name) for pattern in patterns for name in busy)
            or any(pattern.search(name) for taken, _ in others for pattern in taken for name in names)
            or any(apply_renamings(name, foreign) != name for name in names)
        ):
            return False
        self._taken.setdefault(key, (patterns, []))[1].extend(names)
        return True
