from __future__ import annotations

import json
import os
from pathlib import Path

from evidenced import empty_port
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from porting.evidence.functions import Source
from porting.evidence.reading import facts_of
from porting.evidence.subjects import UNREADABLE, about
from porting.evidence.using import COARSE, Used, checkpoint_files


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


def test_a_file_that_changed_while_it_was_checked_is_never_fresh(tmp_path: Path) -> None:
    portfile, path = empty_port(tmp_path), tmp_path / "a.bin"
    path.write_text("early")
    facts = facts_of(path)
    assert facts is not None
    portfile.used.add_files("ported", {path: facts})
    assert about(portfile, ["files ported"])["file a.bin"].endswith(f" 5 {facts[1]}")
    path.write_text("later")
    os.utime(path, ns=(facts[1] + 1, facts[1] + 1))
    assert about(portfile, ["files ported"]) == {"file a.bin": UNREADABLE}


def test_what_a_function_wrote_itself_is_not_what_it_is_from(tmp_path: Path) -> None:
    began, used = 10**18, Used()
    for name, then in (("earlier.json", began - 2 * COARSE), ("own.json", began + COARSE // 2)):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, ns=(then, then))
    used.add_named("ported", Source('def ported(): return "earlier.json", "own.json"'), tmp_path, began)
    assert set(used.files["ported"]) == {tmp_path / "earlier.json"}


def test_settings_are_no_index_and_no_vocabulary(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    names = ("config.json", "model.safetensors.index.json", "tokenizer.json", "vocab.json", "merges.json", "model.bin")
    for name in names:
        (tmp_path / name).write_text("{}")
        portfile.used.add_files("ported", {tmp_path / name: (2, 1)})
    assert set(about(portfile, ["settings ported"])) == {"file config.json"}


def test_what_a_side_runs_with_is_spoken_of_by_its_version(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    for name in ("ported", "ported_tokenizer", "ported_processor", "original"):
        portfile.used.made(name, object())
    spoken = {name: set(about(portfile, [f"code {name}"])) for name in portfile.used.code}
    assert spoken == {
        "ported": {"version torch", "version transformers"},
        "ported_tokenizer": {"version transformers"},
        "ported_processor": {"version transformers"},
        "original": set(),
    }
