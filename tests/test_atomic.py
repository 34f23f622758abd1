"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from porting.atomic import write_text
from porting.errors import OutputError


def test_what_a_killed_process_of_the_same_number_left_is_no_obstacle(tmp_path: Path) -> None:
    target, partial = tmp_path / "a.json", tmp_path / f".a.json.partial-{os.getpid()}"
    partial.write_text("half")
    write_text(target, "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "whole"


def test_links_are_replaced_and_never_followed(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text("mine")
    target, partial = tmp_path / "a.json", tmp_path / f".a.json.partial-{os.getpid()}"
    target.symlink_to(foreign)
    partial.symlink_to(foreign)
    write_text(target, "whole")
    assert foreign.read_text() == "mine"
    assert not target.is_symlink()


def test_where_nothing_can_be_written_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / "folder", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
