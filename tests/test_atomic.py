"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
from processes import python

from porting.atomic import write_text
from porting.errors import OutputError

KILLED = """
import os, signal
from pathlib import Path
from porting.atomic import write_text

if os.fork() == 0:
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    write_text(Path({path!r}), "later")
print(os.wait()[1])
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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


def test_what_a_killed_process_left_does_no_harm_and_is_gone_after_the_next(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_text(target, "earlier")
    assert int(python(KILLED.format(path=str(target)))) == signal.SIGKILL
    assert target.read_text() == "earlier"
    (left,) = set(names(tmp_path)) - {"a.json"}
    assert left.startswith(".a.json.partial-")
    write_text(target, "again")
    assert names(tmp_path) == ["a.json"]


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    others = [f".a.json.partial-{os.getppid()}", ".a.json.partial-x", ".b.json.partial-99999999", "a.json.partial-1"]
    for name in others:
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "a.json", "whole")
    assert names(tmp_path) == sorted([*others, "a.json"])


def replaced(folder: Path) -> None:
    for number in range(50):
        write_text(folder / "a.json", str(number) * 10_000)


def test_of_several_writers_one_is_whole(tmp_path: Path) -> None:
    context = get_context("spawn")
    writers = [context.Process(target=replaced, args=(tmp_path,)) for _ in range(2)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(60)
    assert [each.exitcode for each in writers] == [0, 0]
    assert (tmp_path / "a.json").read_text() == "49" * 10_000
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EFBIG, "make room"),
        (errno.EROFS, "make its folder writable"),
        (errno.EACCES, "make its folder writable"),
    ],
)
def test_a_disk_that_refuses_says_what_to_do_and_keeps_what_was_there(
    number: int, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    write_text(tmp_path / "a.json", "earlier")
    monkeypatch.setattr("porting.atomic.os.fsync", refuse)
    with pytest.raises(OutputError, match=os.strerror(number)) as caught:
        write_text(tmp_path / "a.json", "later")
    assert caught.value.hint.startswith(hint)
    assert (names(tmp_path), (tmp_path / "a.json").read_text()) == (["a.json"], "earlier")


def test_ctrl_c_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    write_text(tmp_path / "a.json", "earlier")
    monkeypatch.setattr("porting.atomic.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.json", "later")
    assert (names(tmp_path), (tmp_path / "a.json").read_text()) == (["a.json"], "earlier")
