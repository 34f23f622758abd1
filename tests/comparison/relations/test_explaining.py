"""What holds for all relations: nothing by chance, nothing for what is equal, the simplest first, and fast."""

from __future__ import annotations

import time

import pytest
import torch
from relating import kinds, noise

from porting.comparison.relations import explain

X, Y, Z = (noise(2, 7, 32, seed=seed) for seed in range(3))
KNOWN = {"z": Z, "bias": noise(32), "table": noise(40, 32), "fused": noise(2, 7, 64), "heads": noise(2, 4, 7, 8)}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(2, 7, 32), (1, 4), (3, 5), (16,), (2, 4, 6, 6), (1, 1, 64)])
def test_random_tensors_are_not_explained(shape: tuple[int, ...], seed: int) -> None:
    known = KNOWN | {"w": noise(shape[-1], seed=99), "like": noise(*shape, seed=98)}
    assert kinds(noise(*shape, seed=seed), noise(*shape, seed=seed + 50), known) == []


@pytest.mark.parametrize("right", [2 * X, X + 0.5, X + Z, X.flip(1), torch.sigmoid(X), X * (1 + KNOWN["bias"])])
def test_noise_above_the_floor_is_not_explained(right: torch.Tensor) -> None:
    assert kinds(X, right, KNOWN)
    assert kinds(X, right + 1e-4 * Y, KNOWN) == []


@pytest.mark.parametrize(
    "right", [(2 * X + Y).flip(1), torch.sigmoid(X).roll(3, 2) + Y, (X * Y).softmax(1), 3 * (X + Y).bfloat16().float()]
)
def test_two_relations_at_once_are_not_explained(right: torch.Tensor) -> None:
    assert kinds(X, right, {"y": Y, "z": Z}) == []


@pytest.mark.parametrize("tensor", [X, X.bfloat16(), X.double(), X > 0, torch.arange(12).reshape(3, 4)])
def test_equal_tensors_have_no_relation(tensor: torch.Tensor) -> None:
    assert kinds(tensor, tensor.clone(), KNOWN) == []


def test_rounding_is_no_relation() -> None:
    assert kinds(X * (1 + 1e-7 * Y), X, KNOWN) == []


@pytest.mark.parametrize("tensor", [torch.empty(0, 4), torch.tensor(3.0), torch.full((4, 4), torch.nan)])
def test_nothing_is_said_about_nothing(tensor: torch.Tensor) -> None:
    assert kinds(tensor, tensor + 1) == []


def test_the_floor_of_the_caller_decides() -> None:
    right = 2 * X + 1e-4 * Y
    assert explain(X, right, floor=1e-5) == []
    assert explain(X, right, floor=1e-3)[0].kind == "scaled"


def test_a_difference_of_about_the_floor_is_not_explained() -> None:
    assert explain(X, X + 2e-3 * Y, {"z": Z}, floor=5e-3) == []


def test_only_what_is_valid_counts() -> None:
    valid = torch.arange(7) < 5
    right = torch.where(valid[None, :, None], 2 * X, Y)
    assert explain(X, right, valid=valid[None].expand(2, 7))[0].kind == "scaled"
    assert kinds(X, right) == []


def test_what_is_nan_on_both_sides_does_not_count() -> None:
    wrong = X.clone()
    wrong[0, 0, 0] = torch.nan
    assert kinds(wrong, 2 * wrong)[0] == "scaled"


def test_the_simplest_comes_first() -> None:
    bias = KNOWN["bias"]
    assert kinds(X, X + bias, KNOWN) == ["missing", "offset"]


def test_the_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    explain(noise(50, 60, 9), noise(50, 60, 9, seed=1), KNOWN)
    assert torch.equal(torch.get_rng_state(), before)


def test_large_tensors_take_little_time() -> None:
    wrong, right = noise(10, 500, 1000), noise(10, 500, 1000, seed=1)
    known = {"z": noise(10, 500, 1000, seed=2), "bias": noise(1000), "table": noise(512, 1000)}
    start = time.perf_counter()
    assert explain(wrong, right, known) == []
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("seed", range(20))
def test_few_bits_prove_nothing(seed: int) -> None:
    one, other, mask = (noise(2, 5, seed=seed + 100 * i) > 0 for i in range(3))
    assert kinds(one, other, {"mask": mask}) == []
    assert kinds(one.long(), other.long(), {"mask": mask}) == []


def test_equal_rows_count_once() -> None:
    half = noise(7, 4)
    assert kinds(torch.cat([half, half], -1), torch.cat([half.cos(), half.cos()], -1) + 0.1 * noise(7, 8)) == []
