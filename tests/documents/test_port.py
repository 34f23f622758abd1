"""What is known of ports of several kinds, and of one that is written in the working folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from documented import portfile_in
from processes import ENVIRONMENT

from porting.documents.port import Port

MODELING = """
import torch
from transformers import PreTrainedConfig, PreTrainedModel

__all__ = ["TinyConfig", "TinyModel", "TinyPreTrainedModel"]


class TinyConfig(PreTrainedConfig):
    model_type = "tiny_own"
    width = 4


class TinyPreTrainedModel(PreTrainedModel):
    config_class = TinyConfig


class TinyModel(TinyPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(config.width, config.width)
        self.post_init()

    def forward(self, hidden):
        return (self.layer(hidden),)
"""
PORTFILE = """
HUB_ID, MODEL_NAME = "org/tiny", "tiny"

def config():
    from modeling_tiny import TinyConfig
    return TinyConfig()

def ported_class():
    from modeling_tiny import TinyModel
    return TinyModel

def ported():
    return ported_class().from_pretrained("converted").eval()

def inputs():
    import torch
    return {"hidden": torch.ones(1, 4)}
"""
SAVE = 'import portfile; portfile.ported_class()(portfile.config()).save_pretrained("converted")'
WRITE = """
from porting.checks import CheckContext, check_converted_folder
from porting.documents import write_documents
from porting.documents.reading import page_faults
from porting.portfile import Portfile

loaded = Portfile.load("portfile.py", both_sides=False)
documents = write_documents(loaded, ["page"])
print(documents.documents[0].text)
assert documents.ok, documents.summary()
assert list(page_faults(documents.documents[0].text, loaded.ported_class())) == []
assert check_converted_folder(CheckContext(loaded))["tensors"] == 2
"""


def test_a_port_beside_the_portfile_is_imported_from_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "modeling_tiny.py").write_text(MODELING)
    (tmp_path / "portfile.py").write_text(PORTFILE)
    done = subprocess.run(
        [sys.executable, "-c", SAVE + WRITE],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "from modeling_tiny import TinyModel" in done.stdout
    lines = done.stdout.splitlines()
    entries = [line.removeprefix("[[autodoc]] ") for line in lines if line.startswith("[[autodoc]]")]
    assert entries == ["TinyConfig", "TinyModel", "TinyPreTrainedModel"]


@pytest.mark.parametrize(
    ("name", "materials", "first"),
    [
        ("BertForMaskedLM", ("text",), "BertModel"),
        ("ViTModel", ("image",), "ViTModel"),
        ("WhisperForConditionalGeneration", ("audio",), "WhisperModel"),
        ("CLIPModel", ("text", "image"), "CLIPModel"),
    ],
)
def test_what_a_model_reads_and_its_bare_class(
    name: str, materials: tuple[str, ...], first: str, tmp_path: Path
) -> None:
    import transformers

    kind = getattr(transformers, name)
    with torch.device("meta"):
        model = kind(kind.config_class())
    port = Port(portfile_in(tmp_path, converted=False), model)
    assert port.materials == materials
    models = [each for each in port.documented if not each.endswith("Config")]
    assert models[0] == first
    assert "PreTrainedModel" in models[-1]


def test_readers_of_the_models_own_are_documented_and_general_ones_are_not(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, ViTImageProcessor

    with torch.device("meta"):
        model = BertModel(BertConfig())

    def named(**readers: type) -> tuple[str, ...]:
        functions = {name: lambda kind=kind: kind.__new__(kind) for name, kind in readers.items()}
        return Port(portfile_in(tmp_path, converted=False, **functions), model).documented

    own = type("BertTokenizer", (), {"__module__": "transformers.models.bert.tokenization_bert"})
    assert "BertTokenizer" in named(ported_tokenizer=own)
    found = named(ported_tokenizer=PreTrainedTokenizerFast, ported_processor=ViTImageProcessor)
    assert not {"PreTrainedTokenizerFast", "TokenizersBackend", "ViTImageProcessor"} & set(found)
