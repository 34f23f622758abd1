from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair
from tracing import content, edited, forward_of, returned, small

from porting import Trace, capture, open_trace
from porting.trace import save_trace, store
from porting.trace.call_changes import _longest_rise
from porting.trace.difference import TraceDifference


def pair(tmp_path: Path, one: Trace, other: Trace) -> list[tuple[Trace, Trace]]:
    """In memory, on disk, and one of each."""
    stored = [open_trace(save_trace(each, tmp_path / name)) for each, name in ((one, "one"), (other, "other"))]
    return [(one, other), (stored[0], stored[1]), (one, stored[1])]


def places(difference: TraceDifference) -> dict[str, list[tuple[str, str]]]:
    return {name: [(c.place, c.what) for c in found] for name, found in difference.sections.items() if found}


def test_a_model_captured_twice_is_equal(tmp_path: Path) -> None:
    model, _ = make_pair()
    inputs, _ = make_inputs()
    traces = [capture(model, inputs, valid_positions=inputs["mask"].bool()) for _ in range(2)]
    for one, other in pair(tmp_path, *traces):
        difference = one.diff(other)
        assert difference.ok, difference
        assert (difference.exit_code, difference.first, places(difference)) == (0, None, {})
        assert difference.summary() == "the traces are equal"


def test_nothing_but_checksums_is_read_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair(tmp_path, returned(it=torch.ones(3)), returned(it=torch.zeros(3)))[1]
    monkeypatch.setattr(store, "read_tensor", None)
    assert places(one.diff(other))["tensors"] == [(":run.outputs.it", "content"), (":outputs.it", "content")]


def model(eps: float = 1e-5, bias: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    first = nn.Linear(2, 2)
    first.bias.data += bias
    return nn.Sequential(first, nn.LayerNorm(2, eps=eps), nn.Tanh())


def test_a_changed_weight_and_setting_and_what_follows_are_found(tmp_path: Path) -> None:
    x = (torch.tensor([[1.0, 2.0]]),)
    one, other = capture(model(), x), capture(model(eps=1e-3, bias=1.0), x, side="ported", seed=3)
    for mine, theirs in pair(tmp_path, one, other):
        difference = mine.diff(theirs)
        found = places(difference)
        assert found["run"] == [("side", "fact"), ("seed", "fact")]
        assert found["modules"] == [("1", "setting eps")]
        assert found["parameters"] == [("0.bias", "content")]
        assert ("0:outputs", "content") in found["tensors"]
        assert ("0:inputs.input", "content") not in found["tensors"]
        assert (difference.first, difference.ok, difference.exit_code) == ("0", False, 1)
        assert difference.summary().startswith("the traces differ: 2 in run, 1 in modules, 1 in parameters")
        json.dumps(difference.to_dict(), allow_nan=False)


def test_facts_alone_are_a_difference_of_equal_content() -> None:
    difference = small().diff(replace(small(), run={"side": "ported"}))
    assert (difference.ok, difference.same_content) == (False, True)
    assert "the content is equal" in difference.summary()


def ordered(*names: str) -> Trace:
    parts = {name: nn.Tanh() for name in ("a", "b", "c", "d")}

    def forward(model: Any, x: torch.Tensor) -> Any:
        return [getattr(model, name)(x) for name in names]

    return capture(forward_of(forward, **parts), (torch.ones(1),))


@pytest.mark.parametrize(
    ("one", "other", "changes", "first"),
    [
        ("abcd", "abcd", [], None),
        ("abcd", "bcda", [("a", "order")], "a"),
        ("abcd", "abd", [("c", "removed")], "c"),
        ("abd", "abcd", [("c", "added")], "c"),
        ("abcd", "abcdb", [("b#1", "added")], "b#1"),
    ],
)
def test_calls_removed_added_and_moved_are_found(one: str, other: str, changes: list[Any], first: str | None) -> None:
    difference = ordered(*one).diff(ordered(*other))
    assert places(difference).get("calls", []) == changes
    assert difference.first == first


def test_the_longest_rise_is_the_longest() -> None:
    assert _longest_rise([]) == []
    assert _longest_rise([2, 0, 1]) == [1, 0]
    assert len(_longest_rise([3, 0, 4, 1, 5, 2])) == 3


CHANGES: dict[str, tuple[Any, Any, str]] = {
    "dtype": (torch.ones(2), torch.ones(2).half(), "dtype"),
    "shape": (torch.ones(2), torch.ones(2, 1), "shape"),
    "content": (torch.ones(2), torch.zeros(2), "content"),
    "sign of zero": (torch.zeros(1), -torch.zeros(1), "content"),
    "strides": (torch.ones(2, 3), torch.ones(3, 2).T, "strides"),
    "value": (1, 2, "value"),
    "kind of value": (1, True, "value"),
    "recorded": (torch.ones(2), torch.ones(2, device="meta"), "recorded as"),
    "structure": ([torch.ones(1)], (torch.ones(1),), "structure"),
    "more": ([1], [1, 2], "added"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_a_leaf_is_found(name: str, tmp_path: Path) -> None:
    one, other, what = CHANGES[name]
    for mine, theirs in pair(tmp_path, returned(it=one), returned(it=other)):
        assert {change.what for change in mine.diff(theirs).tensors} == {what}
        assert not mine.diff(theirs).ok


def coverage(document: dict[str, Any]) -> None:
    document["unobserved"] = ["1"]


def valid(document: dict[str, Any]) -> None:
    document["valid"] = None


def parent(document: dict[str, Any]) -> None:
    document["calls"][2]["parent"] = 1


def tied(document: dict[str, Any]) -> None:
    document["modules"][1]["parameters"][0]["tied_to"] = "1.weight"


def module(document: dict[str, Any]) -> None:
    document["modules"].append({**document["modules"][1], "path": "2"})


EDITS: list[tuple[Callable[[dict[str, Any]], None], str, tuple[str, str]]] = [
    (coverage, "coverage", ("1", "observed")),
    (valid, "tensors", (":run.valid", "recorded as")),
    (parent, "calls", ("1", "parent")),
    (tied, "parameters", ("0.weight", "tied to")),
    (module, "modules", ("2", "added")),
]


@pytest.mark.parametrize(("edit", "section", "change"), EDITS)
def test_changes_of_the_manifest_are_found(edit: Any, section: str, change: Any, tmp_path: Path) -> None:
    one = open_trace(save_trace(small(), tmp_path / "one"))
    other = open_trace(edited(save_trace(small(), tmp_path / "other"), edit))
    assert change in places(one.diff(other))[section]
    assert not one.diff(other).ok
    assert content(one) == content(small())
