"""``porting verify --probe`` and ``--reinit`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from processes import ROOT, porting

SCHEMA = json.loads((ROOT / "docs" / "verify.schema.json").read_text())

PORTFILE = """
import torch
from torch import nn

class Mean(nn.Module):
    def __init__(self, masked):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.norm, self.head = nn.Embedding(30, 8), nn.LayerNorm(8), nn.Linear(8, 4)
        self.masked = masked

    def forward(self, input_ids, attention_mask):
        kept = attention_mask if self.masked else torch.ones_like(attention_mask)
        x = self.norm(self.embed(input_ids)) * kept[..., None]
        return self.head(x.sum(1) / kept.sum(1, keepdim=True))

def original():
    return Mean(True).eval()

def ported():
    return Mean(MASKED).eval()

def inputs():
    return {"input_ids": torch.arange(12).reshape(2, 6), "attention_mask": torch.ones(2, 6, dtype=torch.long)}
"""


def write(folder: Path, text: str = PORTFILE, masked: bool = False, extra: str = "") -> None:
    (folder / "portfile.py").write_text(text.replace("MASKED", str(masked)) + extra)


def test_a_probe_fails_what_the_given_inputs_pass(tmp_path: Path) -> None:
    write(tmp_path)
    assert porting(tmp_path, "verify").returncode == 0
    done = porting(tmp_path, "verify", "--probe")
    assert done.returncode == 1
    assert "[no-padding]" in done.stdout
    worse = "mismatch: mismatch with probe padded-right, mismatch with probe padded-left; on the given"
    assert worse in " ".join(done.stdout.split())
    assert "Next: mend what the first probe that differs names, then: porting verify --probe" in done.stdout


def test_both_are_documented_json(tmp_path: Path) -> None:
    write(tmp_path, masked=True)
    done = porting(tmp_path, "verify", "--json", "--reinit", "7", "--probe")
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [probe["name"] for probe in document["probes"]] == [
        "batch", "long", "padded-right", "padded-left", "single-token",
    ]  # fmt: skip
    assert document["reinit"]["verdict"] == "match"
    assert document["reinit"]["seed"] == 7
    assert document["reinit"]["moved"] == 5


def test_the_portfiles_valid_positions_are_asked_for_every_probe(tmp_path: Path) -> None:
    extra = """
def valid_positions(inputs):
    with open("asked.txt", "a") as file:
        file.write(f"{tuple(inputs['input_ids'].shape)}\\\\n")
    return inputs["attention_mask"].bool()
"""
    write(tmp_path, masked=True, extra=extra.replace("\\\\n", "\\n"))
    assert porting(tmp_path, "verify", "--probe").returncode == 0
    asked = set((tmp_path / "asked.txt").read_text().split("\n"))
    assert {"(2, 6)", "(3, 8)", "(2, 1)"} <= asked


@pytest.mark.parametrize("option", ["--probe", "--reinit"])
@pytest.mark.parametrize("constant", ['ORIGINAL_TRACE = "traces/original"', 'ORIGINAL_PYTHON = "python"'])
def test_an_original_that_is_not_live_here_is_refused_at_once(tmp_path: Path, option: str, constant: str) -> None:
    write(tmp_path, extra=f"\n{constant}\n")
    done = porting(tmp_path, "verify", option, "--json")
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "portfile"
    assert "recorded trace" in error["message"]
    assert "live original" in error["hint"]
