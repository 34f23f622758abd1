from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from processes import command, porting, settings
from safetensors.torch import load_file, save_file

PORTFILE = """
import time, sys

def original(): ...
def inputs(): ...
def ported(): ...

def config():
    from transformers import BertConfig
    return BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, vocab_size=30)

def ported_class():
    from transformers import BertModel
    return BertModel

def checkpoint():
    return "source.safetensors"

def rules():
    from porting.weights import Drop, Rename
    return [Rename("bert.{rest:*}", "{rest}"), Drop("cls.{rest:*}", "the head is not ported")]

class Saved:
    def save_pretrained(self, folder):
        (folder / "vocab.txt").write_text("a")

def ported_tokenizer():
    return Saved()
"""
SLEEPING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background may have it ignored

class Sleeping(Saved):
    def save_pretrained(self, folder):
        super().save_pretrained(folder)
        print("SLEEPING", file=sys.stderr, flush=True)
        time.sleep(100)

def ported_processor():
    return Sleeping()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, vocab_size=30
    )
    state = {f"bert.{name}": tensor for name, tensor in BertModel(config).state_dict().items()}
    save_file({**state, "cls.weight": torch.ones(3)}, tmp_path / "source.safetensors")
    (tmp_path / "portfile.py").write_text(PORTFILE)
    return tmp_path


def test_the_portfiles_checkpoint_becomes_a_folder_that_loads(folder: Path) -> None:
    from transformers import BertModel

    done = porting(folder, "convert", "out", "--max-shard-size", "4kB")
    assert (done.returncode, done.stderr) == (0, "")
    assert "converted: 39 tensors" in done.stdout
    assert "loaded again and equal to the source" in done.stdout
    assert (folder / "out" / "vocab.txt").read_text() == "a"
    source = load_file(folder / "source.safetensors")
    for name, tensor in BertModel.from_pretrained(folder / "out").state_dict().items():
        assert torch.equal(tensor, source[f"bert.{name}"]), name
    again = porting(folder, "convert", "out", "--json")
    assert again.returncode == 4
    assert "exists, so it is not replaced" in json.loads(again.stdout)["error"]["message"]


def test_a_dry_run_shows_the_steps_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    done = porting(folder, "convert", "source.safetensors", "out", "--dry-run")
    assert done.returncode == 0
    assert "encoder.layer.{0, 1}.attention.self.query.weight" in done.stdout
    assert "left out by the rules (the head is not ported): cls.weight" in done.stdout
    assert "can be converted: 39 tensors" in done.stdout
    assert sorted(path for path in folder.iterdir() if path.name != "__pycache__") == before


def test_what_the_rules_leave_over_is_exit_code_1(folder: Path) -> None:
    text = (folder / "portfile.py").read_text()
    (folder / "portfile.py").write_text(text.replace(', Drop("cls.{rest:*}", "the head is not ported")', ""))
    done = porting(folder, "convert", "out", "--json", "--no-audit")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["ok"], document["written"], document["weights"]["unused"]) == (False, False, ["cls.weight"])
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b", "c"), ("out", "--max-shard-size", "x"), ("out", "--allow-pickle-code", "y")]
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], folder: Path) -> None:
    done = porting(folder, "convert", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_checkpoint_that_is_not_there_is_exit_code_4(folder: Path) -> None:
    done = porting(folder, "convert", "none.safetensors", "out")
    assert done.returncode == 4
    assert "none.safetensors" in done.stderr


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_conversion_leaves_nothing(number: signal.Signals, exit_code: int, folder: Path) -> None:
    with (folder / "portfile.py").open("a") as portfile:
        portfile.write(SLEEPING)
    before = sorted(path.name for path in folder.iterdir())
    with subprocess.Popen(command("convert", "out", "--json"), **settings(folder)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "SLEEPING\n"
        assert [path.name for path in folder.glob("out.partial-*/*.txt")] == ["vocab.txt"]
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == exit_code
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before
