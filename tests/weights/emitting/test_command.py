"""``porting convert --emit``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from emitted import differing, run_script
from processes import porting
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from porting.cli._emitting import Form, emit
from porting.portfile import Portfile
from porting.progress import silent
from porting.weights.emitting import Emitted

PORTFILE = '''
MODEL_NAME = "tiny_bert"

def checkpoint():
    return "original.safetensors"

def original():
    from transformers import BertModel
    class OriginalBert(BertModel):
        """The same weights in another class, with another attention kernel."""
    return OriginalBert.from_pretrained("ported", attn_implementation="eager").eval()

def ported():
    from transformers import BertModel
    return BertModel.from_pretrained("ported").eval()

def ported_class():
    from transformers import BertModel
    return BertModel

def config():
    from transformers import BertConfig
    return BertConfig.from_pretrained("ported")

def rules():
    from porting.weights import Rename
    return [Rename("blocks.{i:d}.{rest:*}", "encoder.layer.{i}.{rest}")]

def inputs():
    import torch
    torch.manual_seed(0)
    return {"input_ids": torch.randint(1, 11, (2, 5)), "attention_mask": torch.tensor([[1] * 5, [1] * 3 + [0] * 2])}
'''
CONFIG = BertConfig(
    vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=6,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = BertModel(CONFIG)
    model.save_pretrained(tmp_path / "ported")
    names = {name: re.sub(r"^encoder\.layer\.", "blocks.", name) for name in model.state_dict()}
    save_file({names[name]: tensor for name, tensor in model.state_dict().items()}, tmp_path / "original.safetensors")
    (tmp_path / "portfile.py").write_text(PORTFILE)
    return tmp_path


def run(folder: Path, form: Form, to: str = "") -> Emitted:
    return emit(Portfile.load(folder / "portfile.py"), None, form, str(folder / to), silent)


def test_the_script_verifies_its_result_with_values_of_the_original(folder: Path) -> None:
    emitted = run(folder, "script")
    assert [part.what for _, part in emitted.parts] == ["the link of the original's repository"]
    expected = BertModel.from_pretrained(folder / "ported").state_dict()
    assert differing(run_script(emitted, folder / "original.safetensors", folder / "done"), expected) == []
    text = emitted.paths[0].read_text()
    assert "class: " in text


def test_values_that_differ_stop_the_script(folder: Path) -> None:
    emitted = run(folder, "script")
    path = emitted.paths[0]
    wrong = re.sub(r"(expected = torch\.tensor\(\[\[)", r"\g<1>9.0 + ", path.read_text(), count=1)
    assert wrong != path.read_text()
    path.write_text(wrong)
    with pytest.raises(AssertionError, match="not close"):
        run_script(emitted, folder / "original.safetensors", folder / "done")


def test_the_mapping_and_its_test_are_written_where_they_are_wanted(folder: Path) -> None:
    emitted = run(folder, "mapping", "code/here")
    names = ["conversion_mapping_tiny_bert.py", "test_conversion_mapping_tiny_bert.py"]
    assert [path.name for path in emitted.paths] == names
    assert sorted(path.name for path in (folder / "code" / "here").iterdir()) == names
    assert "To do: Move the list" in emitted.text()


def test_a_port_that_is_not_verified_gets_a_script_to_be_filled_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "portfile.py").read_text()
    (folder / "portfile.py").write_text(text.replace('from_pretrained("ported").eval()', "no_such_function()"))
    assert [part.what.partition(",")[0] for _, part in run(folder, "script").parts] == [
        "the link of the original's repository",
        "inputs that the original was run on",
    ]
    assert "no values of the original" in capsys.readouterr().err


def test_the_command_says_what_it_wrote_and_which_paths_it_takes(folder: Path) -> None:
    document = json.loads(porting(folder, "convert", "--emit", "mapping", "--json").stdout)
    names = ["conversion_mapping_tiny_bert.py", "test_conversion_mapping_tiny_bert.py"]
    assert (document["form"], document["paths"]) == ("mapping", names)
    wrong = porting(folder, "convert", "a", "b", "--emit", "script")
    assert (wrong.returncode, "--emit-to" in wrong.stderr) == (2, True)


def test_the_link_that_a_person_wrote_into_the_script_stays(folder: Path) -> None:
    (path,) = run(folder, "script").paths
    link = "Original repository: https://example.org/original"
    path.write_text(
        path.read_text().replace("Original repository: [[you: the link of the original's repository]]", link)
    )
    emitted = run(folder, "script")
    assert link in path.read_text().splitlines()
    assert emitted.parts == ()
