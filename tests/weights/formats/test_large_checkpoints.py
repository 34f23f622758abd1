"""A checkpoint of 100,000 tensors and one terabyte is checked by its headers, in little memory."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

import pytest
from processes import python

SHARDS, EACH, BYTES = 200, 500, 10 << 20
MEASURE = """
import torch
from pathlib import Path
import porting.weights, porting.weights.rules

def status(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])

def read():
    return int(next(line for line in open("/proc/self/io") if line.startswith("rchar")).split()[1])

model = torch.nn.Module()
model.weight = torch.nn.Parameter(torch.empty(2048, 2560, device="meta"))
porting.weights.check_weights({"weight": torch.empty(2048, 2560, device="meta")}, model)
Path("/proc/self/clear_refs").write_text("5")
memory, before = status("VmRSS"), read()
report = porting.weights.check_weights(FOLDER, model)
print(len(report.findings), status("VmHWM") - memory, read() - before)
"""


def write_shard(path: Path, names: list[str]) -> int:
    """A sparse file with a true header; returns the header's size."""
    entries = {
        name: {"dtype": "BF16", "shape": [2048, 2560], "data_offsets": [i * BYTES, (i + 1) * BYTES]}
        for i, name in enumerate(names)
    }
    raw = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    os.truncate(path, 8 + len(raw) + len(names) * BYTES)
    return 8 + len(raw)


@pytest.mark.skipif(sys.platform != "linux", reason="measured through /proc")
def test_a_terabyte_is_checked_by_its_headers_in_less_than_200_mib(tmp_path: Path) -> None:
    weight_map, headers = {}, 0
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        names = [f"model.layers.{shard}.mlp.experts.{i}.down_proj.weight" for i in range(EACH)]
        headers += write_shard(tmp_path / file, names)
        weight_map.update(dict.fromkeys(names, file))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": SHARDS * EACH * BYTES}, "weight_map": weight_map}))
    findings, kibibytes, read = map(int, python(f"FOLDER = {str(tmp_path)!r}\n{MEASURE}").split())
    assert findings == SHARDS * EACH + 1
    assert kibibytes < 200 << 10
    assert read < headers + index.stat().st_size + (4 << 10) * SHARDS
