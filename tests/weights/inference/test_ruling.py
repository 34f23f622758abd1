from __future__ import annotations

from porting.weights.inference.claims import Claim
from porting.weights.inference.ruling import ruled
from porting.weights.inference.units import Unit
from porting.weights.report import Spec
from porting.weights.rules.grouping import Split
from porting.weights.rules.planning import plan
from porting.weights.rules.steps import Plan


def unit(name: str) -> Unit:
    return Unit(name, (4, 4), (name,))


def rename(names: dict[str, str]) -> list[Claim]:
    return [Claim((unit(one),), (unit(other),)) for one, other in names.items()]


def planned(
    claims: list[Claim], left: dict[str, str] | None = None, also: tuple[str, ...] = ()
) -> tuple[list[str], Plan]:
    names = {name for claim in claims for name in claim.source_names} | set(left or {}) | set(also)
    specs = {name: Spec("float32", (4, 4)) for name in sorted(names)}
    rules = [each.rule for each in ruled(claims, left or {}, specs)]
    return [repr(rule) for rule in rules], plan(rules, specs)


def test_layers_are_one_rule_and_offsets_are_kept() -> None:
    rules, made = planned(rename({f"layer{i}.{j}.w": f"stages.{i - 1}.{j}.w" for i in (1, 2, 3) for j in (0, 1)}))
    assert rules == ["Rename('layer{i:d}.{j:d}.w', 'stages.{i-1}.{j}.w')"]
    assert {step.sources[0]: step.targets[0] for step in made.steps}["layer3.1.w"] == "stages.2.1.w"


def test_numbers_that_go_elsewhere_are_rules_of_their_own_and_come_first() -> None:
    names = {f"h.{i}.w": f"layers.{i}.w" for i in range(3)} | {"h.3.w": "last.w"}
    rules, made = planned(rename(names))
    assert rules == ["Rename('h.3.w', 'last.w')", "Rename('h.{i:d}.w', 'layers.{i}.w')"]
    assert {step.sources[0]: step.targets[0] for step in made.steps} == names


def test_a_permutation_of_layers_is_a_rule_for_each() -> None:
    names = {"h.0.w": "l.2.w", "h.1.w": "l.0.w", "h.2.w": "l.1.w"}
    rules, made = planned(rename(names))
    assert len(rules) == 3
    assert {step.sources[0]: step.targets[0] for step in made.steps} == names


def test_a_kept_name_that_a_wider_rule_takes_is_kept_by_a_rule() -> None:
    names = {f"a.{i}.w": f"b.{i}.w" for i in range(3)} | {"a.7.w": "a.7.w"}
    rules, made = planned(rename(names))
    assert {step.sources[0]: step.targets[0] for step in made.steps} == names
    assert "Rename('a.7.w', 'a.7.w')" in rules


def test_what_is_left_out_is_left_out_although_a_wider_rule_takes_it() -> None:
    claims = rename({f"a.{i}.w": f"b.{i}.w" for i in range(3)})
    _, made = planned(claims, {"a.9.w": "nothing in the port takes it"})
    assert dict(made.dropped) == {"a.9.w": "nothing in the port takes it"}


def test_weights_and_biases_that_go_alike_are_one_rule() -> None:
    claims = [
        Claim((unit(f"h.{i}.qkv.{leaf}"),), tuple(unit(f"l.{i}.{p}.{leaf}") for p in "qk"), (Split((2, 2)),))
        for i in range(2)
        for leaf in ("bias", "weight")
    ]
    rules, _ = planned(claims)
    target = "['l.{i}.q.{leaf}', 'l.{i}.k.{leaf}']"
    assert rules == [f"Convert('h.{{i:d}}.qkv.{{leaf:weight|bias}}', {target}, Split(sizes=(2, 2)))"]


def test_what_is_left_out_is_left_out_although_an_earlier_rule_of_as_many_fields_takes_it() -> None:
    left = dict.fromkeys(("a.0.3", "a.1.3"), "nothing in the port takes it")
    _, made = planned(rename({f"a.0.{i}": f"b.{i}" for i in range(3)}), left)
    assert made.dropped == left
    assert {step.targets[0] for step in made.steps} == {"b.0", "b.1", "b.2"}
