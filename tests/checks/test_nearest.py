"""Step 1: the nearest architectures are named; shapes alone refute nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from checked import context_with, result_of
from nearest.named import Shapes, decoder, mixer, shipped
from safetensors.torch import save_file

from porting.nearest import architectures

NEAREST = "check_nearest_named"


@pytest.fixture(scope="module", autouse=True)
def one_index() -> Iterator[None]:
    with shipped():
        yield


def saved(shapes: Shapes, folder: Path) -> str:
    path = folder / "original.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    return str(path)


def test_the_nearest_architectures_of_the_checkpoint_are_named(tmp_path: Path) -> None:
    path = saved(decoder(width=32, inner=96, kv=16, vocab=101, layers=2), tmp_path)
    result = result_of(NEAREST, context_with(tmp_path, checkpoint=lambda: path))
    assert result.status == "passed"
    nearest = str(result.figures["nearest"]).split(", ")
    assert (nearest[0], len(nearest)) == ("llama", 3)
    assert "this may be an unmodified one" in str(result.figures["conclusion"])
    assert "hidden_size=32" in str(result.figures["built"])


def test_a_model_that_nothing_is_near_to_passes_and_says_so(tmp_path: Path) -> None:
    path = saved(mixer(), tmp_path)
    result = result_of(NEAREST, context_with(tmp_path, checkpoint=lambda: path))
    assert (result.status, result.figures["verdict"]) == ("passed", "far")
    assert str(result.figures["conclusion"]).startswith("nothing near")


def test_without_a_checkpoint_it_is_still_to_do(tmp_path: Path) -> None:
    result = result_of(NEAREST, context_with(tmp_path))
    assert (result.status, result.lacking) == ("skipped", True)


def test_a_checkpoint_of_buffers_alone_shows_nothing(tmp_path: Path) -> None:
    path = saved({"position_ids": (1, 8)}, tmp_path)
    assert result_of(NEAREST, context_with(tmp_path, checkpoint=lambda: path)).status == "inconclusive"


def test_the_index_is_not_built_while_checking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(architectures, "version", lambda name: "0.0.1")
    path = saved(mixer(), tmp_path)
    result = result_of(NEAREST, context_with(tmp_path, checkpoint=lambda: path))
    assert (result.status, result.lacking) == ("skipped", True)
    assert "not indexed yet" in result.message
