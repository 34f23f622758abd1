"""Alignments held against known maps."""

from __future__ import annotations

from pairs.alignments import check_alignment
from seeded import verified


def test_pairs_are_found_missed_or_wrong() -> None:
    verification = verified()
    first, second, third = verification.comparison.alignment.pairs[:3]
    assert check_alignment(verification, dict([first, second])).share == 1
    swapped = {first[0]: first[1], second[0]: third[1]}
    found = check_alignment(verification, swapped)
    assert found.found == (first,)
    assert found.missed == ((second[0], third[1]),)
    assert set(found.wrong) == {second, third}
    assert found.share == 0.5
