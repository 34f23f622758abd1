from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import hostile
import pytest
from processes import porting, write_portfile

from porting.errors import CheckpointError
from porting.weights import read_headers

if TYPE_CHECKING:
    from pathlib import Path

BY_COMMAND = (
    "pickle: system call",
    "pickle: raw pickle",
    "pickle: 100,000 nested tuples",
    "safetensors: 1,300,000 names",
    "index: link outside",
    "array: bomb",
)


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_every_hostile_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    path = hostile.CORPUS[name](tmp_path, marker)
    before = time.process_time()
    with pytest.raises(CheckpointError) as error:
        read_headers(path)
    assert time.process_time() - before < 5
    assert not marker.exists()
    assert error.value.exit_code == 4
    assert error.value.message.isprintable()
    assert error.value.hint
    assert any(part in error.value.message for part in (path.name, path.parent.name))


@pytest.mark.parametrize("name", BY_COMMAND)
def test_the_command_ends_with_exit_code_4_and_one_message(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    write_portfile(folder)
    marker = tmp_path / "marker"
    path = hostile.CORPUS[name](tmp_path, marker)
    done = porting(folder, "weights", str(path), "--json")
    assert done.returncode == 4, done.stderr
    assert path.name in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr
    assert not marker.exists()
