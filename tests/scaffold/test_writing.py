from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import python

from porting.errors import OutputError
from porting.scaffold.writing import place, refuse_existing, staged

FILES = {"portfile.py": "x = 1\n", ".gitignore": "traces/\n"}

KILLED = """
import os, signal
from pathlib import Path
from porting.scaffold.writing import place, staged

if os.fork() == 0:
    with staged(Path({path!r})) as staging:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        place({files!r}, staging, Path({path!r}))
print(os.wait()[1])
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def write(folder: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    with staged(folder) as staging:
        meanwhile()
        place(FILES, staging, folder)


def test_a_folder_is_made_with_all_that_is_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with staged(folder) as staging:
        assert staging.parent == folder.parent
        (staging / "scratch").write_text("")
        written = place(FILES, staging, folder)
    assert names(folder) == set(FILES)
    assert names(folder.parent) == {"b"}
    assert [path.read_text() for path in written] == list(FILES.values())


def test_an_empty_folder_that_is_there_stays_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    refuse_existing(folder)
    with staged(folder) as staging:
        place(FILES, staging, folder)
    assert names(Path.cwd()) == set(FILES)
    assert names(tmp_path) == {"work"}


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "a" / "b"):
        _ = 1 / 0
    assert names(tmp_path) == set()


def test_a_disk_that_refuses_is_an_error_with_a_hint_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught, staged(tmp_path / "file" / "work"):
        pass
    assert "--output" in caught.value.hint
    with pytest.raises(OutputError), staged(tmp_path / "work") as staging:
        place({"no/such/folder.txt": ""}, staging, tmp_path / "work")
    assert names(tmp_path) == {"file"}


def test_a_file_or_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(OutputError, match="is no folder"):
            refuse_existing(tmp_path / name)


def test_what_another_process_put_there_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "work"

    def other() -> None:
        folder.mkdir()
        (folder / "portfile.py").write_text("theirs")

    with pytest.raises(OutputError, match=r"holds portfile\.py"):
        write(folder, other)
    assert (names(tmp_path), names(folder)) == ({"work"}, {"portfile.py"})
    assert (folder / "portfile.py").read_text() == "theirs"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_where_moving_ends_early_the_folder_is_empty_again(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename = tmp_path / "work", Path.rename
    folder.mkdir()

    def fails(path: Path, target: Path) -> Path:
        if path.name == "portfile.py":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    kind = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(kind):
        write(folder)
    assert (names(tmp_path), names(folder)) == ({"work"}, set())


def test_a_full_disk_leaves_nothing_and_asks_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("porting.folders.os.fsync", refuse)
    with pytest.raises(OutputError, match="No space left") as caught:
        write(tmp_path / "a" / "work")
    assert "make room" in caught.value.hint
    assert names(tmp_path) == set()


def test_what_a_killed_process_left_is_gone_after_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    assert int(python(KILLED.format(path=str(folder), files=FILES))) == signal.SIGKILL
    (left,) = names(tmp_path)
    assert left.startswith(".work.partial-")
    refuse_existing(folder)
    write(folder)
    assert (names(tmp_path), names(folder)) == ({"work"}, set(FILES))
