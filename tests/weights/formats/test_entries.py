from __future__ import annotations

from porting.weights.formats.entries import MOST_ALIKE, Notes


def test_a_remark_is_kept_once_and_few_of_one_code_are() -> None:
    notes = Notes()
    for number in range(3 * MOST_ALIKE):
        notes.add("many", f"number {number // 2}")
    notes.add("other", "kept")
    assert [remark.message for remark in notes] == [*(f"number {number}" for number in range(MOST_ALIKE)), "kept"]
