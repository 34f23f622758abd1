from __future__ import annotations

import json
from typing import TYPE_CHECKING

import hostile
import pytest
import torch
from processes import porting, write_portfile
from safetensors.torch import save_file

from porting.weights import assert_loaded, read_headers

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("\x1b[31mred", "nul\x00", "\u202egnp", "two\nlines", "</script>", "[/b]", "", "../../x")


def test_names_of_any_kind_are_accepted_and_shown_escaped(tmp_path: Path) -> None:
    write_portfile(tmp_path)
    entries = {name: hostile.entry(4 * i, 4 * i + 4, [1]) for i, name in enumerate(NAMES)}
    path = hostile.header(tmp_path / "x.safetensors", entries, bytes(4 * len(NAMES)))
    assert tuple(read_headers(path).tensors) == NAMES
    shown = porting(tmp_path, "weights", str(path))
    assert shown.returncode == 1
    text = shown.stdout
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[31mred" in text
    assert "[/b]" in text
    listed = json.loads(porting(tmp_path, "weights", str(path), "--json").stdout)
    assert set(listed["unexpected"]) == set(NAMES)


def test_booleans_of_other_bytes_are_true_and_the_report_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"flags": torch.tensor([0, 1, 2, 255], dtype=torch.uint8).view(torch.bool)}, path)
    headers = read_headers(path)
    assert headers.read("flags").view(torch.uint8).tolist() == [0, 1, 1, 1]
    assert b"".join(map(bytes, headers.chunks("flags"))) == b"\0\1\1\1"
    model = torch.nn.Module()
    model.register_buffer("flags", torch.tensor([False, True, True, True]))
    report = assert_loaded(model, path)
    assert [remark.code for remark in report.warnings] == ["bool-bytes"]
    assert "read as True" in capsys.readouterr().out


def test_a_tensor_comes_in_pieces_as_it_is(tmp_path: Path) -> None:
    tensor = torch.arange(3 << 20, dtype=torch.int64)
    save_file({"w": tensor, "v": torch.ones(1)}, tmp_path / "x.safetensors")
    pieces = list(read_headers(tmp_path).chunks("w"))
    assert len(pieces) > 1
    assert b"".join(pieces) == tensor.numpy().tobytes()
