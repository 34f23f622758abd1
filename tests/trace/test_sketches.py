from __future__ import annotations

import numpy as np
import pytest
import torch

from porting.trace import Sketch, sketch
from porting.trace import sketches as module
from porting.trace.sketches import projection


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def taken(tensor: torch.Tensor) -> Sketch:
    found = sketch(tensor)
    assert found is not None
    return found


def test_equal_tensors_have_equal_sketches() -> None:
    tensor = some(5, 7)
    one, other = taken(tensor), taken(tensor.clone())
    assert one.crc32 == other.crc32
    assert all(np.array_equal(a, b) for a, b in zip(one.axes, other.axes, strict=True))


def test_a_change_of_one_element_shows_in_its_row_and_its_column_alone() -> None:
    tensor = some(5, 7)
    changed = tensor.clone()
    changed[2, 4] += 1e-5
    one, other = taken(tensor), taken(changed)
    assert one.crc32 != other.crc32
    assert np.flatnonzero(one.axes[0] != other.axes[0]).tolist() == [2]
    assert np.flatnonzero(one.axes[1] != other.axes[1]).tolist() == [4]


def test_a_transpose_exchanges_the_axes() -> None:
    tensor = some(5, 7)
    one, other = taken(tensor), taken(tensor.T)
    assert np.allclose(one.axes[0], other.axes[1])
    assert np.allclose(one.axes[1], other.axes[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_fused_tensor_has_the_numbers_of_its_parts(axis: int) -> None:
    parts = [some(4, 4), some(4, 4) + 1]
    fused = taken(torch.cat(parts, axis)).axes[axis]
    assert np.allclose(fused, np.concatenate([taken(part).axes[axis] for part in parts]))


def test_exchanged_rows_exchange_their_numbers() -> None:
    tensor = some(6, 3)
    order = [3, 0, 5, 1, 4, 2]
    assert np.allclose(taken(tensor).axes[0][order], taken(tensor[order]).axes[0])


def test_permuted_elements_of_a_row_change_its_number() -> None:
    tensor = some(2, 6)
    assert not np.allclose(taken(tensor).axes[0], taken(tensor.flip(1)).axes[0])


@pytest.mark.parametrize("elements", [1, 7, 10, 30])
def test_large_tensors_are_read_in_blocks(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = some(9, 5, 2)
    whole = taken(tensor)
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", elements)
    assert all(np.allclose(a, b) for a, b in zip(whole.axes, taken(tensor).axes, strict=True))


def test_a_vector_is_its_own_sketch() -> None:
    tensor = some(6)
    assert np.array_equal(taken(tensor).axes[0], tensor.double().numpy())


def test_a_later_write_does_not_change_a_sketch() -> None:
    tensor = torch.ones(3, dtype=torch.float64)
    before = taken(tensor)
    tensor += 1
    assert before.axes[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (5, 0), (0, 0, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool", "complex64", "float8_e4m3fn"])
def test_any_shape_and_dtype_has_a_sketch(shape: tuple[int, ...], dtype: str) -> None:
    tensor = torch.ones(shape).to(getattr(torch, dtype))
    axes = taken(tensor).axes
    values = tensor.numel() * (2 if tensor.is_complex() else 1)
    assert [len(axis) for axis in axes] == (list(shape[:2]) if len(shape) > 1 else [values])
    assert all(axis.dtype == np.float64 for axis in axes)


def test_an_element_with_a_stride_is_sketched() -> None:
    assert taken(torch.arange(4.0)[::4]).axes[0].tolist() == [0.0]


def test_a_conjugate_view_is_sketched_as_what_it_stands_for() -> None:
    tensor = torch.complex(some(2, 3), some(2, 3) + 1)
    assert taken(tensor.conj()).crc32 == taken(tensor.conj().resolve_conj().clone()).crc32 != taken(tensor).crc32


def test_what_has_no_data_or_no_float64_form_has_no_sketch() -> None:
    bits = torch.zeros(4, 4, dtype=torch.uint8).view(torch.bits8)
    others = [torch.ones(3, 3, device="meta"), torch.eye(3).to_sparse(), bits, bits.reshape(-1)]
    assert [sketch(tensor) for tensor in others] == [None] * 4


def test_the_projection_is_the_one_of_the_format() -> None:
    state = 0x9E3779B97F4A7C15
    mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
    mixed ^= mixed >> 31
    assert projection(0, 1)[0] == float(mixed) / 2.0**63 - 1.0
    assert np.array_equal(projection(0, 100)[7:9], projection(7, 9))
    assert np.abs(projection(0, 5000)).max() <= 1
