"""Comparing two recorded traces, without either model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair

from porting import Trace, capture, compare, open_trace


def traces(break_port: Any = None) -> tuple[Trace, Trace]:
    original, ported = make_pair()
    if break_port:
        break_port(ported)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    return capture(original, first, valid_positions=valid), capture(ported, second, valid_positions=valid, seed=1)


def test_a_right_port_matches() -> None:
    comparison = compare(*traces())
    assert comparison.verdict == "match"
    assert comparison.first_divergence is None
    assert comparison.outputs[0].numbers.masked == 3 * 61


def test_the_first_divergence_is_the_first_module_that_is_off() -> None:
    def break_port(model: nn.Module) -> None:
        nn.init.normal_(model.get_parameter("model.layers.1.mlp.up.weight"))

    comparison = compare(*traces(break_port))
    assert comparison.verdict == "mismatch"
    assert comparison.first_divergence is not None
    assert comparison.first_divergence.ported.label == "model.layers.1.mlp.up"
    assert comparison.exit_code == 1


def test_traces_from_disk_compare_as_those_in_memory(tmp_path: Path) -> None:
    one, other = traces()
    from porting.trace import save_trace

    reopened = [open_trace(save_trace(trace, tmp_path / name)) for trace, name in ((one, "one"), (other, "other"))]
    assert compare(*reopened).to_dict() == compare(one, other).to_dict()


def test_a_wrong_shape_of_the_output_is_a_mismatch() -> None:
    x = (torch.randn(2, 5),)
    comparison = compare(capture(nn.Linear(5, 3), x), capture(nn.Linear(5, 1), x))
    assert comparison.verdict == "mismatch"


def test_results_without_tensors_are_inconclusive() -> None:
    class Silent(nn.Module):
        def forward(self, x: torch.Tensor) -> None:
            return None

    x = (torch.randn(2, 5),)
    comparison = compare(capture(Silent(), x), capture(Silent(), x))
    assert comparison.verdict == "inconclusive"
    assert comparison.exit_code == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_results_without_a_finite_element_are_inconclusive(value: float) -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, value)

    x = (torch.randn(2, 5),)
    assert compare(capture(Broken(), x), capture(Broken(), x)).verdict == "inconclusive"


def test_results_of_another_dtype_are_said() -> None:
    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.bfloat16()

    x = (torch.ones(2, 5),)
    comparison = compare(capture(nn.Identity(), x), capture(Half(), x))
    assert comparison.verdict == "match"
    assert dict(comparison.warnings)["dtype-differs"] == "output is bfloat16, the original's is float32"


def test_outputs_that_only_one_side_has_are_named() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"a": x, "b": x + 1}

    class One(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"b": x + 1}

    x = (torch.randn(2, 5),)
    comparison = compare(capture(Two(), x), capture(One(), x))
    assert comparison.verdict == "match"
    assert comparison.unpaired == ("original a",)
    assert comparison.warnings[0][0] == "outputs-unpaired"
