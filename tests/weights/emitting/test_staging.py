"""Patterns of converters."""

from __future__ import annotations

from difficult_rules import more_experts_than_ten

from porting.weights.emitting.prepared import prepare
from porting.weights.emitting.renaming import GENERAL, LITERAL
from porting.weights.emitting.staging import Converter, staged


def test_a_converter_knows_one_part_of_the_names_or_each_name_whole() -> None:
    model, state, rules = more_experts_than_ten()
    (rule,) = prepare(state, model, rules).applied
    general = staged(rule, GENERAL, lambda sources, names: True)
    assert general.converters == (Converter(("ex*.w",), ("e",)),)
    assert [(line.source, line.target) for line in general.renamings] == [
        (r"^o\.(\d+\.ex\d+)\.w", r"^l\.\1\.w"),
    ]
    literal = staged(rule, LITERAL, lambda sources, names: True)
    assert literal.converters == tuple(Converter((rf"^o\.{i}\.ex*.w",), (rf"^l\.{i}\.e",)) for i in range(2))
    assert literal.renamings == ()


def test_words_are_marked_where_the_plain_ones_are_taken() -> None:
    model, state, rules = more_experts_than_ten()
    (rule,) = prepare(state, model, rules).applied
    taken = staged(rule, GENERAL, lambda sources, names: sources[0].startswith("original"))
    assert taken.converters[0].sources[0].startswith("original.*.")
