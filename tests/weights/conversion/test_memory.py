from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import python

CASES = {
    "renamed": (16, 2048, "", 8, 2),
    "one tensor renamed": (1, 49152, "", 192, 0),
    "transposed": (1, 32768, "Transpose()", 128, 2),
    "stacked": (64, 512, "Stack()", 128, 2),
    "cast and stacked": (32, 512, "Cast('float64'), Stack()", 128, 2),
}
"""How many tensors of how many rows of 4 KiB, what is done with them; MiB of the largest, how often it may be held."""
CODE = """
import json, re
from pathlib import Path
import torch
from torch import nn
from transformers import PreTrainedModel
from safetensors.torch import save_file
from porting.weights import *
from porting.weights.conversion import convert

def resident(field):
    return int(re.findall(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

def peak(folder, number, rows, operations):
    folder.mkdir()
    values = torch.rand(rows, 1024)
    save_file({f"t.{index}": values + index for index in range(number)}, folder / "source.safetensors")
    del values
    stacked = any(isinstance(operation, Stack) for operation in operations)
    shape = (number, rows, 1024) if stacked else (1024, rows) if operations else (rows, 1024)
    with torch.device("meta"):
        port = nn.ParameterList(nn.Parameter(torch.empty(shape)) for _ in range(1 if stacked else number))
    rules = [Convert("t.{i:d}", "0" if stacked else "{i}", *operations)]
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    convert(folder / "source.safetensors", port, folder / "out", rules, audit=False).assert_ok()
    return resident("VmHWM") - before
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_memory_stays_below_twice_the_largest_tensor(tmp_path: Path) -> None:
    calls = [
        f"peak(Path({str(tmp_path / name)!r}), {number}, {rows}, [{operations}])"
        for name, (number, rows, operations, _, _) in CASES.items()
    ]
    peaks = dict(zip(CASES, json.loads(python(f"{CODE}\nprint(json.dumps([{', '.join(calls)}]))")), strict=True))
    goals = {name: times * largest + 64 for name, (_, _, _, largest, times) in CASES.items()}
    assert {name: peak for name, peak in peaks.items() if peak > goals[name]} == {}, peaks
