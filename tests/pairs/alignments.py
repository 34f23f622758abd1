"""What alignment says of a pair, held against its known module map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from porting import Verification

Paths = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Found:
    """The pairs of a known module map that alignment found, those it missed, and others that it made instead."""

    found: Paths
    missed: Paths
    wrong: Paths

    @property
    def share(self) -> float:
        """The part of the known pairs that was found."""
        return len(self.found) / (len(self.found) + len(self.missed))


def check_alignment(verification: Verification, module_map: Mapping[str, str]) -> Found:
    """Hold an alignment against the map; a pair is wrong if either of its modules is known to belong to another."""
    known, pairs = set(module_map.items()), set(verification.comparison.alignment.pairs)
    originals, ported = set(module_map), set(module_map.values())
    wrong = {pair for pair in pairs - known if pair[0] in originals or pair[1] in ported}
    return Found(tuple(sorted(known & pairs)), tuple(sorted(known - pairs)), tuple(sorted(wrong)))
