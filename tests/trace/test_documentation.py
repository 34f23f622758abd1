"""The trace that the documentation writes by hand is a trace."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import torch

from porting import open_trace
from porting.trace import validate_trace

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_of_a_trace_by_hand_is_valid(tmp_path: Path) -> None:
    text = (DOCS / "trace-format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "torch" not in example
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    schema = json.loads((DOCS / "trace.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads((tmp_path / "trace" / "manifest.json").read_text()))
    validate_trace(tmp_path / "trace")
    trace = open_trace(tmp_path / "trace")
    assert torch.equal(trace.tensor("layer"), torch.full((1, 4), 0.5))
    assert trace.parent_of(trace["layer"]) is trace[""]
