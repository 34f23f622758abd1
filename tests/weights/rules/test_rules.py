"""Rules: what is well formed, how they print, and which lead back."""

from __future__ import annotations

import pytest

from porting import weights
from porting.errors import RuleError
from porting.weights import (
    At,
    Concatenate,
    Convert,
    Drop,
    Rename,
    Reshape,
    Scale,
    Slice,
    Split,
    Stack,
    Transpose,
    Unstack,
)
from porting.weights.rules.operation import Operation
from porting.weights.rules.rule import Rule

Sides = tuple[str | list[str], str | list[str]]

MALFORMED: list[tuple[Sides, tuple[Operation, ...], str]] = [
    ((["a", "b"], "c"), (), "need an operation"),
    (("a", ["b", "c"]), (), "need an operation"),
    (("a.{e:d}", "b"), (), "need an operation"),
    (("a.{x}", "b"), (Stack(),), "no target has {x}"),
    (("a.{x:d}.{y:d}", "b"), (Stack(),), "no target has {x:d}, {y:d}"),
    (("a", "b.{i}"), (), "no source has the field i"),
    (("a", "b.{i}.{j}"), (Unstack(),), "more than one field"),
    (("a.{i:d}", ["b.{i}", "c"]), (Split(),), "c lacks the field i"),
    ((["a.{i:d}", "b"], "c.{i}"), (Concatenate(),), "b lacks the field i"),
    ((["b", "a.{i:d}"], "c.{i}"), (Concatenate(),), "b lacks the field i"),
    (("a", "b"), (Split(),), "one piece"),
    (("a", ["b", "c"]), (Split(count=3),), "3 tensors for 2 targets"),
    (("a", ["b", "c"]), (Split((1, 2, 3)),), "3 tensors for 2 targets"),
    ((["a", "b"], "c"), (Transpose(),), "2 tensors for 1 targets"),
    ((["a", "a"], "c"), (Concatenate(),), "given twice"),
    (("a", ["b", "b"]), (Split(),), "given twice"),
]


@pytest.mark.parametrize(("sides", "operations", "why"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_rule_that_is_not_well_formed_is_refused_with_the_reason(
    sides: Sides, operations: tuple[Operation, ...], why: str
) -> None:
    with pytest.raises(RuleError, match="not well formed") as caught:
        Convert(*sides, *operations)
    assert why in caught.value.message


@pytest.mark.parametrize("given", [[], ()])
def test_a_rule_has_two_sides(given: list[str]) -> None:
    with pytest.raises(RuleError, match="at least one"):
        Convert(given, "a")
    with pytest.raises(RuleError, match="at least one"):
        Convert("a", given)


def test_only_operations_are_operations() -> None:
    for given in (Transpose, "transpose", None):
        with pytest.raises(RuleError, match="no operation"):
            Convert("a", "b", given)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_nothing_is_dropped_without_a_reason(reason: str) -> None:
    with pytest.raises(RuleError, match="no reason"):
        Drop("a", reason)


def test_sources_cannot_shift_numbers() -> None:
    for make in (lambda: Rename("a.{i+1}", "b.{i}"), lambda: Drop("a.{i-1}", "why")):
        with pytest.raises(RuleError, match="offset"):
            make()


RULES: list[Rule] = [
    Rename("a", "b"),
    Rename("a.{i:d}.{leaf}", "b.{i+1}.{leaf}"),
    Rename("a", "b", "c"),
    Rename("a{{x}}", "b\n"),
    Drop("a.{rest:*}", "not used: \x1b[31m"),
    Convert("a", ["b", "c"], Split()),
    Convert("a", ["b", "c"], Split((2, 1), groups="num_key_value_heads")),
    Convert("a", "b", Split(count=3), Concatenate(groups=4)),
    Convert("a", "b", Split(count=3), Concatenate(groups=4), Split(count=2), Concatenate(1)),
    Convert(["a.{e:d}", "b.{e:d}"], "c", Stack(), Concatenate(1)),
    Convert("a", ["b", "c"], Split(("n*d", "d")), At(0, Scale(0.5)), At(1, Reshape("n", -1))),
]


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_a_rule_prints_the_python_that_makes_it(rule: Rule) -> None:
    read = eval(repr(rule), vars(weights))
    assert read == rule
    assert repr(read) == repr(rule)
    assert str(rule).isprintable()


def test_a_rule_is_read_in_words() -> None:
    rule = Convert("a.{i:d}.qkv", ["b.{i}.q", "b.{i}.k"], Split(groups=4), At(0, Scale(0.5)))
    assert str(rule) == (
        "a.{i:d}.qkv -> b.{i}.q + b.{i}.k: split dimension 0 into equal pieces, in each of 4 groups; "
        "of tensor 0: times 0.5"
    )
    assert str(Drop("a", "computed by the port")) == "a is left out: computed by the port"


INVERSES: list[tuple[Convert, Convert | None]] = [
    (Rename("l{s:d}.{i:d}.x", "m.{s-1}.{i}.y"), Convert("m.{s:d}.{i:d}.y", "l{s+1}.{i}.x")),
    (Rename("{rest:*}.g", "{rest}.weight"), Convert("{rest:*}.weight", "{rest}.g")),
    (Rename("a", "b", "c"), None),
    (Rename("{a}.{i:d}", "{a}{i}"), None),
    (Rename("a.{i:d}", "b.{i}.{i+1}"), None),
    (Convert("a", ["b", "c"], Split()), Convert(["b", "c"], "a", Concatenate())),
    (Convert(["b", "c"], "a", Transpose(), Concatenate()), Convert("a", ["b", "c"], Split(), Transpose())),
    (
        Convert("a", "b", Split(count=3), Concatenate(groups=4)),
        Convert("b", "a", Split(groups=4, count=3), Concatenate()),
    ),
    (Convert("a.{e:d}.w", "b", Stack()), Convert("b", "a.{e:d}.w", Unstack())),
    (Convert("b.{i:d}", "a.{i}.{e}.w", Unstack()), Convert("a.{i:d}.{e:d}.w", "b.{i}", Stack())),
    (Convert("rank{r:d}.w", "w", Concatenate()), None),
    (
        Convert(["a.{e:d}", "b.{e:d}"], "c", Stack(), Concatenate(1)),
        Convert("c", ["a.{e:d}", "b.{e:d}"], Split(dim=1), Unstack()),
    ),
    (Convert("a", "b", Slice(2)), None),
    (Convert("a", ["b", "c"], Split(), At(1, Slice(2))), None),
]


@pytest.mark.parametrize(("rule", "inverse"), INVERSES, ids=range(len(INVERSES)))
def test_a_rule_leads_back_where_nothing_is_lost(rule: Convert, inverse: Convert | None) -> None:
    found = rule.inverse()
    assert repr(found) == repr(inverse)
    if found is not None:
        again = found.inverse()
        assert again is not None
        assert repr(again.inverse()) == repr(found)


def test_rules_are_values() -> None:
    assert Rename("a", "b") == Rename("a", "b")
    assert len({Rename("a", "b"), Rename("a", "b"), Rename("a", "c"), Drop("a", "why")}) == 3
