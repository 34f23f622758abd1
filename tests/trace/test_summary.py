from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tracing import returned

from porting.errors import TraceError
from porting.trace import open_trace, save_trace, summary
from porting.trace.summary import summarise

NAN, INF = math.nan, math.inf
TENSORS: dict[str, tuple[torch.Tensor, Any, Any, float | None, float | None, int, int, int]] = {
    "float32": (torch.tensor([1.0, 2.0, 3.0, 0.0]), 0.0, 3.0, 1.5, math.sqrt(1.25), 0, 0, 1),
    "bfloat16": (torch.tensor([1.5, -0.5]).bfloat16(), -0.5, 1.5, 0.5, 1.0, 0, 0, 0),
    "float8_e4m3fn": (torch.tensor([1.0, 448.0]).to(torch.float8_e4m3fn), 1.0, 448.0, 224.5, 223.5, 0, 0, 0),
    "float8_e5m2": (torch.tensor([2.0, INF]).to(torch.float8_e5m2), 2.0, 2.0, 2.0, 0.0, 0, 1, 0),
    "float8_e8m0fnu": (torch.tensor([2.0, 4.0]).to(torch.float8_e8m0fnu), 2.0, 4.0, 3.0, 1.0, 0, 0, 0),
    "bool": (torch.tensor([True, False, False, False]), False, True, 0.25, math.sqrt(0.1875), 0, 0, 3),
    "int64": (torch.tensor([2**63 - 1, -(2**63)]), -(2**63), 2**63 - 1, 0.0, 2.0**63, 0, 0, 0),
    "uint64": (torch.tensor([2**64 - 1], dtype=torch.uint64), 2**64 - 1, 2**64 - 1, 2.0**64, 0.0, 0, 0, 0),
    "uint8": (torch.tensor([255, 1], dtype=torch.uint8), 1, 255, 128.0, 127.0, 0, 0, 0),
    "complex64": (torch.tensor([3 + 4j, 0j, complex(NAN, 1)]), 0.0, 5.0, 2.5, 2.5, 1, 0, 1),
    "mixed": (torch.tensor([NAN, INF, -INF, 2.0]), 2.0, 2.0, 2.0, 0.0, 1, 2, 0),
    "nothing finite": (torch.tensor([NAN, INF]), None, None, None, None, 1, 1, 0),
    "empty": (torch.zeros(0, 3), None, None, None, None, 0, 0, 0),
    "scalar": (torch.tensor(7.0), 7.0, 7.0, 7.0, 0.0, 0, 0, 0),
    "transposed": (torch.tensor([[1.0, 2.0], [3.0, 4.0]]).T, 1.0, 4.0, 2.5, math.sqrt(1.25), 0, 0, 0),
}


@pytest.mark.parametrize("name", TENSORS)
def test_figures_of_every_kind_of_tensor(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor, smallest, largest, mean, std, nan, inf, zeros = TENSORS[name]
    monkeypatch.setattr(summary, "CHUNK", 3)
    trace = open_trace(save_trace(returned(it=tensor), tmp_path / "trace"))
    found = summarise(trace, ":outputs.it", "trace")
    figures = found.figures
    assert (figures.smallest, figures.largest, figures.nan, figures.inf, figures.zeros) == (
        smallest, largest, nan, inf, zeros,
    )  # fmt: skip
    assert figures.mean == (None if mean is None else pytest.approx(mean))
    assert figures.std == (None if std is None else pytest.approx(std))
    assert (found.shape, f"torch.{found.dtype}") == (tuple(tensor.shape), str(tensor.dtype))
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (document["min"], document["shape"]) == (smallest, list(tensor.shape))
    assert len(document["values"]) == tensor.numel()
    assert str(tuple(tensor.shape)) in found.text()


def test_values_of_json_have_null_for_what_json_has_not() -> None:
    trace = returned(it=torch.tensor([NAN, INF, 1.0]), z=torch.tensor([complex(NAN, 2)]))
    assert summarise(trace, ":outputs.it").to_dict()["values"] == [None, None, 1.0]
    assert summarise(trace, ":outputs.z").to_dict()["values"] == [[None, 2.0]]


def test_a_large_tensor_is_abbreviated() -> None:
    found = summarise(returned(it=torch.arange(1e6).reshape(1000, 1000)), ":outputs.it")
    assert "..." in found.printed
    assert len(found.printed) < 2000
    assert found.values == tuple(range(20))
    assert found.figures.mean == pytest.approx(499999.5)


def test_what_is_no_tensor_is_an_error() -> None:
    with pytest.raises(TraceError, match="not a recorded tensor"):
        summarise(returned(it=3), ":outputs.it")
