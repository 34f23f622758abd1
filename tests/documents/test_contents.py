from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from documented import llama

from porting.documents.contents import faults_of, upload_command
from porting.documents.reloaded import unlike_port, unlike_processor
from porting.weights.conversion.latest import converted_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "converted"
    llama().save_pretrained(found, save_original_format=False)
    return found


def damage_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def link_out(folder: Path) -> None:
    (folder.parent / "outside").write_text("x")
    (folder / "vocab.txt").symlink_to(folder.parent / "outside")


def record_other_hash(folder: Path) -> None:
    files = {"config.json": {"size": 1, "sha256": "0" * 64}}
    (folder / "porting-conversion.json").write_text(json.dumps({"files": files}))


def record_path_outside(folder: Path) -> None:
    (folder.parent / "portfile.py").touch()
    files = {"../portfile.py": {"size": 0, "sha256": hashlib.sha256().hexdigest()}}
    (folder / "porting-conversion.json").write_text(json.dumps({"files": files}))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    "damaged config": (lambda folder: (folder / "config.json").write_text("{"), "config.json is missing or cannot"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "there are no weights"),
    "a shard too few": (damage_index, "model-00002-of-00002.safetensors is missing"),
    "a pickle": (lambda folder: (folder / "pytorch_model.bin").write_bytes(b""), "can run code"),
    "a key": (lambda folder: (folder / ".env").write_text("x"), "looks like a secret"),
    "a token": (lambda folder: (folder / "README.md").write_text("hf_" + "a1" * 17), "a token or a private key"),
    "a token in a long text": (
        lambda folder: (folder / "README.md").write_text("long " * 20_000 + "hf_" + "a1" * 17),
        "a token or a private",
    ),
    "a stray file": (lambda folder: (folder / "notes.docx").write_bytes(b""), "is no file of a model"),
    "a stray script": (lambda folder: (folder / "run.py").write_text(""), "is no file of a model"),
    "a link": (link_out, "is a link"),
    "another hash": (record_other_hash, "was changed after the conversion"),
    "a path outside": (record_path_outside, "is missing, and porting-conversion.json names it"),
}


def test_a_folder_as_it_was_saved_has_no_fault(folder: Path) -> None:
    assert list(faults_of(folder, ())) == []
    assert list(unlike_port(folder, llama())) == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(name: str, folder: Path) -> None:
    spoil, words = FAULTS[name]
    spoil(folder)
    (fault,) = faults_of(folder, ())
    assert words in fault


def test_what_the_portfile_reads_with_has_to_be_there(folder: Path) -> None:
    functions = ("ported_tokenizer", "ported_processor")
    assert len(list(faults_of(folder, functions))) == 2
    (folder / "tokenizer.json").write_text("{}")
    (folder / "preprocessor_config.json").write_text("{}")
    assert list(faults_of(folder, functions)) == []


def test_a_tensor_that_differs_is_named(folder: Path) -> None:
    port = llama()
    with torch.no_grad():
        port.model.norm.weight[0] += 1e-3
    assert list(unlike_port(folder, port)) == ["model.norm.weight has other values than in the port"]


def test_a_folder_in_another_dtype_is_compared_in_that(tmp_path: Path) -> None:
    llama().to(torch.bfloat16).save_pretrained(tmp_path / "converted", save_original_format=False)
    assert list(unlike_port(tmp_path / "converted", llama())) == []


def test_a_folder_that_does_not_load_is_no_match(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no")
    (fault,) = unlike_port(folder, llama())
    assert fault.startswith("it cannot be loaded: ")


def test_the_folder_is_what_was_converted_last(folder: Path, tmp_path: Path) -> None:
    assert converted_folder(tmp_path) == folder
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "porting-conversion.json").write_text("{}")
    assert converted_folder(tmp_path) == tmp_path / "other"
    assert converted_folder(tmp_path / "other") is None


def test_the_uploads_command_is_quoted() -> None:
    assert upload_command(Path("x/a folder"), "org/a; rm") == "hf upload 'org/a; rm' './a folder' ."


def test_the_card_may_be_written_after_the_conversion(folder: Path) -> None:
    files = {"README.md": {"size": 1, "sha256": "0" * 64}}
    (folder / "porting-conversion.json").write_text(json.dumps({"files": files}))
    (folder / "README.md").write_text("by a person")
    assert list(faults_of(folder, ())) == []


def test_a_processor_that_was_changed_after_it_was_saved_is_named(tmp_path: Path) -> None:
    from transformers import ViTImageProcessorPil

    ViTImageProcessorPil(size={"height": 8, "width": 8}).save_pretrained(tmp_path)
    assert list(unlike_processor(tmp_path, ViTImageProcessorPil(size={"height": 8, "width": 8}))) == []
    assert list(unlike_processor(tmp_path, ViTImageProcessorPil.from_pretrained(tmp_path))) == []
    (fault,) = unlike_processor(tmp_path, ViTImageProcessorPil(size={"height": 9, "width": 8}, do_convert_rgb=True))
    assert "do_convert_rgb, size" in fault


def test_a_processor_that_does_not_load_is_no_match(tmp_path: Path) -> None:
    from transformers import ViTImageProcessorPil

    (fault,) = unlike_processor(tmp_path, ViTImageProcessorPil())
    assert fault.startswith("its processor cannot be loaded: ")
