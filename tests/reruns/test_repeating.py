"""A model that runs again must give the same bits; what it does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from porting import capture
from porting.errors import TraceError
from porting.recording import validate
from porting.reruns.repeating import differing_calls
from porting.trace import save_trace

PORTFILE = "def original(): ...\ndef ported(): ...\ndef inputs(): ...\n"


def model(*, random: bool) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    layers.get_submodule("1").train(random)
    return layers


@pytest.mark.parametrize(("random", "differing"), [(False, ()), (True, ("1", "2", ""))])
def test_the_calls_that_differ_from_run_to_run_are_named(random: bool, differing: tuple[str, ...]) -> None:
    x = (torch.ones(8, 4),)
    one, other = (capture(model(random=random), x, seed=seed) for seed in (0, 1))
    assert differing_calls(one, other) == differing


def test_calls_that_only_one_run_made_differ() -> None:
    x = (torch.ones(2, 4),)
    once = capture(nn.Sequential(nn.Linear(4, 4)), x, seed=0)
    twice = capture(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), x)
    assert "1" in differing_calls(once, twice)


def test_validation_reads_every_tensor(tmp_path: Path) -> None:
    folder = save_trace(capture(model(random=False), (torch.ones(2, 4),)), tmp_path / "trace")
    assert validate(folder).validated
    shard = folder / "tensors-00001.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(TraceError, match="checksum"):
        validate(folder)
