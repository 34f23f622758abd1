from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from processes import ROOT, porting
from safetensors.torch import save_file
from toys import make_pair

from porting.portfile import Portfile
from porting.weights.inference.portfiles import infer_portfile

if TYPE_CHECKING:
    from pathlib import Path

PORTFILE = """
import sys
sys.path.append(TESTS)
import toys
from toys import make_inputs, make_pair

class Ported(toys.Ported):
    def __init__(self, config):
        super().__init__()

def original(): return make_pair()[0]
def original_inputs(): return make_inputs()[0]
def inputs(): return make_inputs()[1]
def config(): return {}
def ported_class(): return Ported
def ported(): raise AssertionError("there are no weights to load yet")
def outputs(original, ported): return [("logits", original, ported["logits"])]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    original, _ = make_pair()
    save_file(original.state_dict(), tmp_path / "original.safetensors")
    (tmp_path / "portfile.py").write_text(PORTFILE.replace("TESTS", repr(str(ROOT / "tests"))))
    return tmp_path / "portfile.py"


def test_a_portfile_is_inferred_before_its_port_can_be_loaded(path: Path) -> None:
    inference = infer_portfile(Portfile.load(path), path.parent / "original.safetensors")
    assert (inference.verdict, inference.ok) == ("match", True)


def test_without_an_original_names_and_shapes_propose(path: Path) -> None:
    text = path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("def original", "def inputs", "def ported()"))]
    path.write_text("\n".join(kept))
    inference = infer_portfile(Portfile.load(path, both_sides=False), path.parent / "original.safetensors")
    assert inference.verification is None
    assert not inference.missing


def test_the_command_prints_json_and_exits_with_the_verdict(path: Path) -> None:
    done = porting(path.parent, "weights", "--infer", "--json", "original.safetensors")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "match"


def test_without_a_checkpoint_it_is_asked_for(path: Path) -> None:
    done = porting(path.parent, "weights", "--infer")
    assert (done.returncode, "no checkpoint is given" in done.stderr) == (4, True)
