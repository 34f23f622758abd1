from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from porting.reruns.precision import in_float64, to_float64

grouped_mm = getattr(F, "grouped_mm", None) or torch._grouped_mm
Cast = Callable[[torch.Tensor], torch.Tensor]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.embed.weight
        self.low = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
        self.absent = nn.Parameter(torch.ones(3, device="meta"))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("count", torch.ones(1, dtype=torch.int64))


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_very_same_tensors_are_back_afterwards(error: type[BaseException] | None) -> None:
    model = Tied()
    before = tensors(model)
    places = {name: (tensor.data_ptr(), tensor.dtype) for name, tensor in before.items()}
    values = {name: tensor.clone() for name, tensor in before.items() if not tensor.is_meta}
    with pytest.raises(error) if error else nullcontext(), in_float64(model):
        assert model.head.weight is model.embed.weight
        model.scale.add_(1)  # type: ignore[operator]
        if error:
            raise error
    after = tensors(model)
    assert all(after[name] is before[name] for name in before)
    assert {name: (tensor.data_ptr(), tensor.dtype) for name, tensor in after.items()} == places
    assert all(torch.equal(after[name], value) for name, value in values.items())
    assert torch.get_default_dtype() == torch.float32


def test_floats_are_held_in_float64_and_nothing_else_is() -> None:
    model = Tied()
    with in_float64(model):
        dtypes = {name: tensor.dtype for name, tensor in tensors(model).items()}
    doubled = {name for name, dtype in dtypes.items() if dtype == torch.float64}
    assert doubled == {"embed.weight", "head.weight", "head.bias", "low", "scale"}
    assert dtypes["count"] == torch.int64
    assert dtypes["absent"] == torch.float32


PROMOTED: dict[str, Cast] = {
    "float": lambda x: x.half().float(),
    "float of integers": lambda x: x.long().float(),
    "to": lambda x: x.to(torch.float32),
    "to by keyword": lambda x: x.to(dtype=torch.float32),
    "type": lambda x: x.type(torch.float32),
    "softmax": lambda x: F.softmax(x, dim=-1, dtype=torch.float32),
    "softmax method": lambda x: x.softmax(-1, torch.float32),
    "sum": lambda x: x.sum(dtype=torch.float32),
    "arange": lambda x: torch.arange(3, dtype=torch.float32),
    "zeros": lambda x: torch.zeros(3, dtype=torch.float32),
    "tensor": lambda x: torch.tensor([0.5]),
    "division of integers": lambda x: torch.arange(3) / 3,
    "matrix product with a new tensor": lambda x: torch.ones(3, 3) @ x,
}


@pytest.mark.parametrize("name", PROMOTED)
def test_float32_becomes_float64(name: str) -> None:
    with in_float64(nn.Identity()):
        assert PROMOTED[name](torch.ones(3, dtype=torch.float64)).dtype == torch.float64
    assert torch.ones(1).half().float().dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64])
def test_other_casts_stay(dtype: torch.dtype) -> None:
    x = torch.full((3,), 1.0001, dtype=torch.float64)
    with in_float64(nn.Identity()):
        assert x.to(dtype).dtype == dtype
        assert x.to(dtype).double().tolist() == [1.0, 1.0, 1.0]


def test_a_pause_lets_torch_do_as_it_is_asked() -> None:
    with in_float64(nn.Identity()) as promotion:
        with promotion.paused():
            assert torch.ones(1, dtype=torch.float64).float().dtype == torch.float32
        assert torch.ones(1, dtype=torch.float64).float().dtype == torch.float64


def test_the_result_is_that_of_a_float64_model() -> None:
    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x.to(torch.float32)
            h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
            result: torch.Tensor = self.weight * h.to(x.dtype)
            return result

    model, x = Norm(), torch.randn(4, 8, dtype=torch.float64)
    with in_float64(model):
        found = model(x)
    exact = model.weight.double() * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    assert torch.allclose(found, exact, rtol=1e-14, atol=0)


def test_nested_floats_are_converted_and_the_rest_is_kept() -> None:
    ids = torch.ones(2, dtype=torch.int64)
    value: Any = to_float64(({"x": torch.ones(2)}, [ids, torch.ones(1).half()], "text", None))
    assert value[0]["x"].dtype == value[1][1].dtype == torch.float64
    assert value[1][0] is ids
    assert value[2:] == ("text", None)


def test_tensors_that_an_object_holds_are_converted_too() -> None:
    state = SimpleNamespace(keys=[torch.ones(2)], length=torch.tensor(2))
    exact = to_float64({"state": state})["state"]
    assert exact.keys[0].dtype == torch.float64
    assert exact.length.dtype == torch.int64
    assert state.keys[0].dtype == torch.float32


class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 16, 8))

    def forward(self, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = grouped_mm(rows, self.weight, offs=ends)
        return result


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
