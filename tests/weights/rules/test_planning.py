"""Plans: which tensors belong to which rule, what becomes of them, and what cannot be."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from porting.errors import RuleError
from porting.weights import (
    Apply,
    Cast,
    Concatenate,
    Convert,
    Drop,
    PermuteRope,
    Rename,
    Reshape,
    Rules,
    Scale,
    Slice,
    Spec,
    Split,
    Stack,
    Transpose,
    Unstack,
)
from porting.weights.rules.patterns import Pattern
from porting.weights.rules.planning import plan
from porting.weights.rules.steps import Plan

EXPERTS = Convert("l.{i:d}.e.{e:d}.w", "m.{i}.experts", Stack())


def planned(rules: Rules, *names: str, shape: tuple[int, ...] = (4, 2), dtype: str = "float32", **config: Any) -> Plan:
    specs = {name: Spec(dtype, shape) for name in names}
    return plan(rules, specs, config=SimpleNamespace(**config) if config else None)


def made(found: Plan) -> dict[str, tuple[str, ...]]:
    """Targets to the sources of their step."""
    assert found.problems == ()
    return {target: step.sources for step in found.steps for target in step.targets}


def problem(rules: Rules, *names: str, **keywords: Any) -> str:
    found = planned(rules, *names, **keywords)
    assert len(found.problems) == 1
    return found.problems[0].message


def test_the_first_rule_that_matches_takes_a_name() -> None:
    rules = [Rename("a.norm.w", "first"), Drop("a.{x}.bias", "unused"), Rename("a.{x}.{y}", "{x}.{y}")]
    found = planned(rules, "a.norm.w", "a.norm.bias", "a.fc.w", "a.fc.bias")
    assert made(found) == {"first": ("a.norm.w",), "fc.w": ("a.fc.w",)}
    assert found.dropped == {"a.norm.bias": "unused", "a.fc.bias": "unused"}


def test_what_no_rule_takes_keeps_its_name_and_is_told() -> None:
    found = planned([Rename("a", "b")], "a", "c")
    assert made(found) == {"b": ("a",), "c": ("c",)}
    assert found.unmatched == {"c"}


def test_rules_that_take_nothing_are_told() -> None:
    found = planned([Rename("a", "b"), Rename("x.{i:d}", "y.{i}"), Drop("z", "why")], "a")
    assert [remark.code for remark in found.remarks] == ["unused-rule"] * 2
    assert "x.{i:d} -> y.{i}" in found.remarks[0].message


def test_a_list_is_gathered_by_number_in_any_order_of_names() -> None:
    names = [f"l.{i}.e.{e}.w" for i in (0, 1, 10, 2) for e in range(12)]
    random.Random(0).shuffle(names)
    found = planned([EXPERTS], *names)
    assert made(found) == {f"m.{i}.experts": tuple(f"l.{i}.e.{e}.w" for e in range(12)) for i in (0, 1, 2, 10)}
    assert {step.results for step in found.steps} == {(Spec("float32", (12, 4, 2)),)}


def test_a_list_may_start_anywhere_and_may_not_have_gaps() -> None:
    assert made(planned([EXPERTS], "l.0.e.3.w", "l.0.e.4.w")) == {"m.0.experts": ("l.0.e.3.w", "l.0.e.4.w")}
    found = planned([EXPERTS], "l.0.e.0.w", "l.0.e.2.w", "l.1.e.0.w")
    assert "there is no l.0.e.1.w" in found.problems[0].message
    assert found.problems[0].sources == ("l.0.e.0.w", "l.0.e.2.w")
    assert found.problems[0].targets == ("m.0.experts",)
    assert [step.targets for step in found.steps] == [("m.1.experts",)]


def test_one_number_written_twice_is_no_list() -> None:
    assert "one number" in problem([EXPERTS], "l.0.e.1.w", "l.0.e.01.w")


def test_lists_that_belong_together_are_equally_long() -> None:
    rules = [Convert(["e.{e:d}.a", "e.{e:d}.b"], "c", Stack(), Concatenate())]
    assert "there is no e.1.b" in problem(rules, "e.0.a", "e.1.a", "e.0.b")
    assert "there is no e.0.b" in problem(rules, "e.0.a")


def test_a_group_is_complete_or_a_problem() -> None:
    rules = [Convert(["l.{i:d}.q", "l.{i:d}.k"], "m.{i}.qk", Concatenate())]
    found = planned(rules, "l.0.q", "l.0.k", "l.1.k")
    assert [step.targets for step in found.steps] == [("m.0.qk",)]
    assert found.problems[0].message.startswith("there is no l.1.q, which belongs to l.1.k")


def test_a_single_tensor_goes_beside_a_list() -> None:
    rules = [Convert(["shared.w", "e.{e:d}.w"], ["a", "b"], Stack())]
    assert made(planned(rules, "e.1.w", "shared.w", "e.0.w")) == {
        "a": ("shared.w", "e.0.w", "e.1.w"),
        "b": ("shared.w", "e.0.w", "e.1.w"),
    }


def test_a_stacked_tensor_is_numbered_from_zero() -> None:
    rules = [Convert("l.{i:d}.gate_up", ["m.{i}.e.{e}.gate", "m.{i}.e.{e}.up"], Split(dim=1), Unstack())]
    found = planned(rules, "l.7.gate_up", shape=(3, 4, 2))
    assert found.steps[0].targets == tuple(f"m.7.e.{e}.{part}" for part in ("gate", "up") for e in range(3))
    assert {spec.shape for spec in found.steps[0].results} == {(2, 2)}


def test_an_empty_tensor_is_not_taken_apart_into_nothing() -> None:
    assert "no tensor" in problem([Convert("a", "b.{i}", Unstack())], "a", shape=(0, 2))


def test_numbers_are_shifted() -> None:
    rules = [Rename("layer{s:d}.{i:d}.{leaf}", "stages.{s-1}.{i+1}.{leaf}")]
    found = planned(rules, "layer1.0.w", "layer4.10.w")
    assert made(found) == {"stages.0.1.w": ("layer1.0.w",), "stages.3.11.w": ("layer4.10.w",)}
    assert "cannot be computed" in problem(rules, "layer0.0.w")


def test_names_may_hold_anything() -> None:
    names = ["{i:d}", "a\nb", "\u202egnp.exe", "a..b", "\ud800", "{}", "%s", "x" * 1000]
    found = planned([Rename("{all:*}", "{{{all}}}")], *names)
    assert set(made(found)) == {"{" + name + "}" for name in names}
    for problem_ in planned([Convert("{all:*}", "{all}", Split((9, 9)), Concatenate())], *names).problems:
        assert problem_.message.isprintable()


def test_numbers_come_from_the_config() -> None:
    text = SimpleNamespace(heads=4, groups=2)
    rules = [
        Convert("qkv", ["q", "k", "v"], Split(("text.heads*size", "text.groups*size", "6"))),
        Convert("o", "p", Slice(0, "text.heads * size"), Reshape("size", "text.heads", -1)),
    ]
    found = planned(rules, "qkv", "o", shape=(24, 5), text=text, size=3)
    assert [spec.shape for step in found.steps for spec in step.results] == [(12, 5), (6, 5), (6, 5), (3, 4, 5)]
    assert repr(found.steps[0].operations) == "(Split(sizes=(12, 6, 6)),)"


@pytest.mark.parametrize("value", [None, 0, -1, 2.0, True, "4", [4]])
def test_a_number_of_the_config_is_a_positive_whole_number(value: object) -> None:
    rules = [Convert("q", "p", PermuteRope("heads"))]
    assert "config's heads" in problem(rules, "q", heads=value)


def test_without_a_config_nothing_is_taken_from_it() -> None:
    assert "there is no config" in problem([Convert("q", "p", PermuteRope("heads"))], "q")


def test_what_does_not_fit_a_tensor_is_a_problem_of_that_tensor() -> None:
    found = plan(
        [Convert("{x}.w", ["{x}.a", "{x}.b"], Split((2, 2)))],
        {"good.w": Spec("float32", (4,)), "bad.w": Spec("float32", (5,)), "none.w": Spec("float32", ())},
    )
    assert [step.sources for step in found.steps] == [("good.w",)]
    assert [each.sources for each in found.problems] == [("bad.w",), ("none.w",)]
    assert found.problems[0].targets == ("bad.a", "bad.b")


def test_a_dtype_that_torch_lacks_can_be_renamed_only() -> None:
    assert planned([Rename("a", "b")], "a", dtype="float6_e3m2").steps[0].results == (Spec("float6_e3m2", (4, 2)),)
    assert "float6_e3m2" in problem([Convert("a", "b", Transpose())], "a", dtype="float6_e3m2")


def test_dtypes_are_known_before_data_is_read() -> None:
    found = planned([Convert("a", "b", Cast("bfloat16"), Scale(2))], "a")
    assert found.steps[0].results == (Spec("bfloat16", (4, 2)),)
    assert "int8 is not for" in problem([Convert("a", "b", Scale(2))], "a", dtype="int8")


def test_how_many_tensors_a_function_gives_is_known_before_data_is_read() -> None:
    rules = [Convert("a", ["b", "c"], Apply(lambda tensor: tensor.chunk(4)))]
    assert "4 tensors for 2 targets" in problem(rules, "a")


def test_a_step_runs_on_real_tensors_as_it_was_planned() -> None:
    found = planned([EXPERTS], "l.0.e.1.w", "l.0.e.0.w")
    tensors = {f"l.0.e.{e}.w": torch.full((4, 2), float(e)) for e in range(2)}
    result = found.steps[0].run(tensors.__getitem__)
    assert torch.equal(result["m.0.experts"], torch.stack(list(tensors.values())))


@pytest.mark.parametrize("rules", [Rename("a", "b"), "ab", 3, [3], [["a"]], [Rename], {"a"}])
def test_what_are_no_rules_is_refused(rules: Any) -> None:
    with pytest.raises(RuleError, match="rules"):
        planned(rules, "a")


def test_names_may_be_given_by_a_mapping_or_a_function() -> None:
    assert made(planned({"a": "b", "c": None}, "a", "c", "d")) == {"b": ("a",), "d": ("d",)}
    assert made(planned(lambda name: None if name == "c" else f"x.{name}", "a", "c")) == {"x.a": ("a",)}
    with pytest.raises(RuleError, match="ZeroDivisionError"):
        planned(lambda name: str(1 // 0), "a")


def test_a_hundred_thousand_names_are_held_against_few_patterns_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty rules begin as the names do; time is no measure on a machine with other work."""
    calls = []
    match = Pattern.match

    def counted(self: Pattern, name: str) -> dict[str, str] | None:
        calls.append(name)
        return match(self, name)

    monkeypatch.setattr(Pattern, "match", counted)
    names = [f"model.layers.{i}.mlp.experts.{e}.{p}.weight" for i in range(250) for e in range(200) for p in "ab"]
    other = [Rename(f"model.layers.{{i:d}}.part{n}.{{leaf}}", f"m.{{i}}.{n}.{{leaf}}") for n in range(40)]
    experts = Convert(
        [f"model.layers.{{i:d}}.mlp.experts.{{e:d}}.{p}.weight" for p in "ab"], "m.{i}", Stack(), Concatenate(1)
    )
    found = planned([*other, experts], *names)
    assert (len(names), len(found.steps), found.problems) == (100_000, 250, ())
    assert len(calls) <= 2 * len(names)
