from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tracing import forward_of, returned

from porting import capture, open_trace
from porting.errors import CaptureError
from porting.trace.tree import Branch


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(2, width)
        self.back = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.back(self.inner(x))


def names(branches: tuple[Branch, ...]) -> list[Any]:
    return [(branch.name, names(branch.children)) if branch.children else branch.name for branch in branches]


BELOW = ["inner", "back"]


def test_calls_are_nested_and_alike_ones_folded() -> None:
    trace = capture(nn.Sequential(*[Block(3) for _ in range(12)]), (torch.ones(1, 2),))
    assert names(trace.tree().branches) == [("(model)", [("{0...11}", BELOW)])]
    assert names(trace.tree(full=True).branches) == [("(model)", [(str(n), BELOW) for n in range(12)])]
    (model,) = trace.tree().branches
    assert (model.children[0].count, model.children[0].class_name) == (12, "Block")


def test_what_differs_is_not_folded() -> None:
    blocks = [Block(3), Block(3), Block(4), Block(3), nn.Identity(), Block(3), Block(3)]
    trace = capture(nn.Sequential(*blocks), (torch.ones(1, 2),))
    found = names(trace.tree().branches[0].children)
    assert found == [("{0, 1}", BELOW), ("2", BELOW), ("3", BELOW), "4", ("{5, 6}", BELOW)]


def test_layers_in_another_order_are_not_folded() -> None:
    def backwards(model: Any, x: torch.Tensor) -> Any:
        for index in (2, 1, 0):
            x = model.layers[index](x)
        return x

    trace = capture(forward_of(backwards, layers=nn.ModuleList(nn.Tanh() for _ in range(3))), (torch.ones(1),))
    assert names(trace.tree().branches[0].children) == ["layers.2", "layers.1", "layers.0"]


def test_repeats_and_steps_are_folded() -> None:
    def forward(model: Any, x: torch.Tensor) -> Any:
        for _ in range(4):
            x = model.cell(x)
        return x

    def run(model: Any, given: Any) -> Any:
        return [model(*given.args) for _ in range(3)]

    trace = capture(forward_of(forward, cell=nn.Tanh()), (torch.ones(1),), run=run)
    assert names(trace.tree().branches) == [("(model)@{0...2}", ["cell#{0...3}"])]


def test_the_failure_is_marked_where_it_happened(tmp_path: Path) -> None:
    with pytest.raises(CaptureError):
        capture(nn.Sequential(Block(3), nn.Linear(5, 5), nn.Tanh()), (torch.ones(1, 2),), folder=tmp_path / "trace")
    trace = open_trace(tmp_path / "trace", allow_failed=True)
    assert trace.failed_call is trace["1"]
    lines = str(trace.tree()).splitlines()
    (marked,) = [line for line in lines if "RAISED RuntimeError" in line]
    assert marked.split()[:2] == ["1", "Linear"]
    assert "nothing: it raised" in lines[1]


def test_the_text_shows_shapes_dtypes_and_hostile_names_harmlessly() -> None:
    model = nn.ModuleDict({"[/b]\x1b": nn.Linear(2, 3), "no": nn.Tanh()})
    trace = capture(model, (torch.ones(1, 2),), run=lambda model, given: model.get_submodule("[/b]\x1b")(*given.args))
    text = str(trace.tree())
    assert r"[/b]\x1b" in text
    assert "\x1b" not in text
    assert "input float32 (1, 2)" in text
    assert "float32 (1, 3)" in text
    assert "[/b]" in trace.tree()._repr_html_()


def test_what_is_not_recorded_is_said() -> None:
    text = str(returned(it=torch.ones(2, device="meta")).tree())
    assert "it not recorded: no data (on meta)" in text


def test_a_long_list_is_cut_and_counted_unless_in_full() -> None:
    trace = capture(nn.Sequential(*[nn.Tanh() if n % 2 else nn.Identity() for n in range(100)]), (torch.ones(1),))
    text, full = str(trace.tree()), str(trace.tree(full=True))
    assert "… 60 more calls (--full)" in text
    assert (len(text.splitlines()), len(full.splitlines())) == (1 + 1 + 41, 1 + 1 + 100)
    assert "  99 " in text


def test_deep_nesting_is_no_obstacle() -> None:
    model: nn.Module = nn.Tanh()
    for _ in range(150):
        model = nn.Sequential(model)
    assert len(str(capture(model, (torch.ones(1),)).tree()).splitlines()) == 152
