from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from porting.evidence.using import Used, checkpoint_files


def test_the_files_of_a_checkpoint_are_its_shards_too(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "../two.safetensors", "c": "gone"}}))
    for name in ("one.safetensors", "two.safetensors", "other.safetensors", ".hidden"):
        (tmp_path / name).touch()
    assert {path.name for path in checkpoint_files(index)} == {index.name, "one.safetensors", "two.safetensors"}
    assert {path.name for path in checkpoint_files(tmp_path)} == {
        index.name, "one.safetensors", "two.safetensors", "other.safetensors",
    }  # fmt: skip
    index.write_text("no JSON")
    assert {path.name for path in checkpoint_files(index)} == {index.name}


def test_a_file_that_is_read_twice_is_spoken_of_as_it_was_first(tmp_path: Path) -> None:
    used, path = Used(), tmp_path / "a.txt"
    used.add_files("inputs", {path: (1, 1)})
    used.add_files("inputs", {path: (2, 2)})
    assert used.files["inputs"] == {path: (1, 1)}


def test_files_that_the_tokenizers_library_reads_by_itself_are_known(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "own.json"))
    PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "own.json")).save_pretrained(tmp_path / "saved")
    used = Used()
    used.made("ported_tokenizer", PreTrainedTokenizerFast.from_pretrained(tmp_path / "saved"))
    assert tmp_path / "saved" / "tokenizer.json" in used.files["ported_tokenizer"]
