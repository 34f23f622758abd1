"""Names that a registered conversion of Transformers reads."""

from __future__ import annotations

from nearest.named import experts

from porting.nearest.converting import converted_kinds


def test_names_of_checkpoints_that_a_conversion_was_written_for_are_counted() -> None:
    found, of = converted_kinds("mixtral", experts())
    assert found > 0
    assert of == len({name.replace("layers.1", "layers.0") for name in experts(count=1, layers=1)})


def test_where_nothing_is_registered_nothing_is_counted() -> None:
    assert converted_kinds("no-such-model", experts()) == (0, 0)


def test_names_that_it_does_not_read_are_not_counted() -> None:
    found, of = converted_kinds("mixtral", ["stem.weight", "x" * 10_000])
    assert (found, of) == (0, 2)
