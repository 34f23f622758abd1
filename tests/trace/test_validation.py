"""What is wrong with a trace is said in words, with its place, all of it at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tracing import Edit, content, edited, put, returned, small

from porting.errors import TraceError
from porting.trace import open_trace, save_trace, validate_trace
from porting.trace.folders import MANIFEST
from porting.trace.manifest import manifest_hash

SHARD = "tensors-00001.safetensors"


def problems(folder: Path) -> list[str]:
    with pytest.raises(TraceError) as caught:
        validate_trace(folder)
    assert caught.value.to_dict()["problems"] == list(caught.value.problems)
    return list(caught.value.problems)


def wrong(folder: Path, edit: Edit) -> list[str]:
    return problems(edited(save_trace(small(), folder), edit))


def test_a_valid_trace_has_no_problems(tmp_path: Path) -> None:
    assert content(validate_trace(save_trace(small(), tmp_path / "trace"))) == content(small())


def rename(key: str, name: str) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        leaf = document["calls"][1]["outputs"]["leaves"][0]
        leaf[name] = leaf.pop(key)

    return edit


LEAF = ("calls", 1, "outputs", "leaves", 0)
PARAMETER = ("modules", 1, "parameters", 0)
SAID: list[tuple[Edit, list[str]]] = [
    (
        rename("dtype", "dytpe"),
        [
            "call 1 (0), outputs, leaf 0: dtype is missing (there is dytpe)",
            "call 1 (0), outputs, leaf 0: dytpe is no key of the format; did you mean dtype?",
        ],
    ),
    (
        put(*LEAF, "dtype", "fp32"),
        ['call 1 (0), outputs, leaf 0: dtype is "fp32", and must be one of bool, uint8'],
    ),
    (
        put(*LEAF, "shape", [2, 1]),
        ["call 1 (0), outputs, leaf 0: it is said to be float32 [2, 1], and tensor t"],
    ),
    (
        put(*LEAF, "shard", "tensors-00002.safetensors"),
        ["call 1 (0), outputs, leaf 0: tensors-00002.safetensors is not among the shards; did you mean tensors"],
    ),
    (put(*LEAF, "key", "t99"), ["call 1 (0), outputs, leaf 0: tensors-00001.safetensors holds no tensor t99"]),
    (put(*LEAF, {"name": "x"}), ["call 1 (0), outputs, leaf 0: a leaf has shard, key and crc32 (a tensor), or value"]),
    (put(*LEAF, 7.5), ["call 1 (0), outputs, leaf 0: it is 7.5, and must be an object"]),
    (
        put("calls", 1, "outputs", "leaves", []),
        ["call 1 (0), outputs: the structure has 1 leaves, and 0 are listed"],
    ),
    (
        put("calls", 1, "outputs", "structure", {"kind": "set"}),
        ['call 1 (0), outputs: kind is "set", and must be "leaf", "list", "tuple" or "dict"'],
    ),
    (
        put("outputs", "structure", {"kind": "list", "class": "list", "keys": [], "items": [{"kind": "leaf"}]}),
        ["outputs: the structure has 0 keys for 1 items"],
    ),
    (put("calls", 1, "parent", 2), ["call 1 (0): parent is 2, and a parent comes before its children"]),
    (
        put("calls", 2, "path", "0"),
        [
            "call 2 (0): call 1 has the same step, path and repeat",
            "call 2 (0): repeat is 0, and must be 1: each step counts a module's calls from 0",
        ],
    ),
    (
        put("calls", 1, "repeat", 2),
        ["call 1 (0): repeat is 2, and must be 0: each step counts a module's calls from 0"],
    ),
    (put("calls", 1, "step", 1), ["call 1 (0): step is 1, and that of its parent, call 0, is 0"]),
    (put("calls", 1, "path", "zero"), ["call 1 (zero): zero is no module"]),
    (put("calls", 1, "thraed", 1), ["call 1 (0): thraed is no key of the format; did you mean thread?"]),
    (
        put("modules", 2, "path", "0"),
        ["modules: 0 is listed twice", "call 2 (1): 1 is no module"],
    ),
    (put("modules", 1, "alias_of", "x"), ["modules: 0 is an alias of x, which is no module"]),
    (put("modules", 1, "training", 0), ["module 1 (0): training is 0, and must be true or false"]),
    (put(*PARAMETER, "kind", "weight"), ['module 1 (0), parameter 0 (weight): kind is "weight", and must be']),
    (
        put(*PARAMETER, "sketch", "axes", []),
        ["module 1 (0), parameter 0 (weight), sketch: it has 0 axes, and for shape [2, 2] 2 belong"],
    ),
    (put("valid", "crc32", -1), ["valid: crc32 is -1, and must be a whole number from 0 to 4294967295"]),
    (put("shards", SHARD, "bytes", 1), [f"shard {SHARD}: bytes is 1, and of the file it is "]),
    (
        put("shards", SHARD, "header_sha256", "0" * 64),
        [f'shard {SHARD}: header_sha256 is "{"0" * 25}'],
    ),
    (put("status", "failed"), ['status is "failed", and failure is null']),
    (put("checksums", {}), ['checksums is {}, and must be {"tensor": "crc32"']),
    (put("calls", None), ["calls is null, and must be a list"]),
    (put("extra", 1), ["extra is no key of the format"]),
]


@pytest.mark.parametrize(("edit", "said"), SAID)
def test_every_problem_is_said_with_its_place(edit: Edit, said: list[str], tmp_path: Path) -> None:
    found = wrong(tmp_path / "trace", edit)
    assert len(found) >= len(said)
    for text in said:
        assert any(problem.startswith(text) for problem in found), found


@pytest.mark.parametrize(("edit", "said"), SAID)
def test_opening_names_the_first_of_them_or_passes_over_what_it_need_not_know(
    edit: Edit, said: list[str], tmp_path: Path
) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), edit)
    harmless = ("is no key of the format", "must be 0: each step", "and that of its parent")
    if any(text in said[0] for text in harmless):
        assert open_trace(folder).calls
        return
    with pytest.raises(TraceError) as caught:
        open_trace(folder)
    assert f"{MANIFEST} is not a valid manifest: {said[0]}" in caught.value.message
    assert caught.value.hint.endswith(f"porting capture --validate {folder}")


def test_many_problems_are_listed_up_to_twenty_and_counted(tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        for call in document["calls"]:
            call["spare"] = call["other"] = 0
        for number in range(30):
            document[f"key {number}"] = number

    folder = edited(save_trace(small(), tmp_path / "trace"), edit)
    with pytest.raises(TraceError, match="it has 36 problems:") as caught:
        validate_trace(folder)
    assert len(caught.value.problems) == 36
    assert caught.value.message.count("\n") == 21
    assert caught.value.message.endswith("… and 16 more")
    assert "docs/trace-format.md" in caught.value.hint


def test_the_right_hash_is_said(tmp_path: Path) -> None:
    folder = edited(save_trace(small(), tmp_path / "trace"), lambda document: None)
    document = json.loads((folder / MANIFEST).read_text())
    document["sha256"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(document))
    (problem,) = problems(folder)
    assert manifest_hash(document) in problem
    assert 'json.dumps(document, sort_keys=True, separators=(",", ":"))' in problem


def test_a_tensor_with_another_checksum_is_named_by_its_leaf(tmp_path: Path) -> None:
    folder = save_trace(returned(it=torch.arange(999.0)), tmp_path / "trace")
    shard = folder / SHARD
    shard.write_bytes(shard.read_bytes()[:-3] + b"\0\1\2")
    (problem,) = problems(folder)
    assert "outputs, leaf 0: tensor t" in problem
    assert "its crc32 is " in problem


def test_files_that_do_not_belong_or_are_missing_are_named(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    save_file({"x": torch.ones(1)}, folder / "tensors-00002.safetensors")
    assert problems(folder) == ["shard tensors-00002.safetensors is in the folder, and not among the shards"]
    (folder / "tensors-00002.safetensors").unlink()
    (folder / SHARD).unlink()
    (problem,) = problems(folder)
    assert problem.startswith(f"shard {SHARD}: cannot read {folder / SHARD}: No such file")
    (folder / SHARD).write_bytes(b"\xff" * 100)
    (problem,) = problems(folder)
    assert problem.startswith(f"shard {SHARD}: {folder / SHARD} is not a valid safetensors file")


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    for text in wrong(tmp_path / "trace", put("calls", 1, "\x1b[31m\n", "\x1b")):
        assert "\x1b" not in text
        assert "\n" not in text


def test_a_folder_without_a_trace_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="does not exist") as caught:
        validate_trace(tmp_path / "none")
    assert caught.value.problems == ()
    shutil.copytree(save_trace(small(), tmp_path / "one"), tmp_path / "two")
    (tmp_path / "two" / MANIFEST).unlink()
    with pytest.raises(TraceError, match="no finished trace"):
        validate_trace(tmp_path / "two")
