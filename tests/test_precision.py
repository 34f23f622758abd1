"""Running a model in float64, for the rounding error of its own precision."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from porting.precision import in_float64, to_float64

grouped_mm = getattr(nn.functional, "grouped_mm", None) or torch._grouped_mm


class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 16, 8))

    def forward(self, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = grouped_mm(rows, self.weight, offs=ends)
        return result


def test_casts_to_float32_become_casts_to_float64_and_lower_ones_stay() -> None:
    with in_float64(nn.Linear(2, 2)) as promotion:
        half = torch.ones(2, dtype=torch.bfloat16)
        assert half.float().dtype == half.to(torch.float32).dtype == torch.float64
        assert torch.ones(2, dtype=torch.float64).bfloat16().dtype == torch.bfloat16
        with promotion.paused():
            assert half.float().dtype == torch.float32


def test_new_tensors_are_float64_while_it_lasts() -> None:
    with in_float64(nn.Linear(2, 2)):
        assert torch.zeros(2).dtype == torch.float64
        assert (torch.arange(2) / 3).dtype == torch.float64
    assert torch.zeros(2).dtype == torch.float32


def test_tensors_that_an_object_holds_are_converted_too() -> None:
    state = SimpleNamespace(keys=[torch.ones(2)], length=torch.tensor(2))
    exact = to_float64({"state": state})["state"]
    assert exact.keys[0].dtype == torch.float64
    assert exact.length.dtype == torch.int64
    assert state.keys[0].dtype == torch.float32


@pytest.mark.parametrize("ends", [[2, 5, 9], [0, 9, 9], [4, 4, 4]])
def test_the_product_of_groups_of_rows_is_exact_to_float64(ends: list[int]) -> None:
    torch.manual_seed(0)
    model, rows, offsets = Experts(), torch.randn(9, 16), torch.tensor(ends, dtype=torch.int32)
    with torch.no_grad(), in_float64(model):
        exact = model(to_float64(rows), offsets)
    groups = zip([0, *ends], ends, model.weight.double(), strict=False)
    expected = torch.cat([rows[start:end].double() @ matrix for start, end, matrix in groups])
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact[: ends[-1]], expected, rtol=1e-14, atol=1e-14)
