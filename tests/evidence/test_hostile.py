"""Evidence that somebody else wrote: it names whatever it likes, and nothing bad comes of it."""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from porting.evidence import FILE, EvidenceError, Outcome, changes, newest_records, record
from porting.evidence.naming import path_of, subject_of
from porting.evidence.renewing import about_today
from porting.evidence.using import checkpoint_files
from porting.nearest.architectures import cache_path
from porting.portfile import Portfile

RECORD: dict[str, Any] = {
    "claim": "check_outputs_equal", "step": 7, "result": "passed", "message": "", "figures": {}, "about": {},
    "portfile": "portfile.py", "sha256": "0", "versions": {}, "device": "", "commit": None, "dirty": None,
    "code_commit": None, "code_dirty": None, "time": "2026-01-01T00:00:00+00:00", "command": "porting check",
    "by": "", "reason": "",
}  # fmt: skip


def portfile_in(folder: Path, about: dict[str, str] | None = None) -> Portfile:
    """A portfile beside a record that speaks of these subjects."""
    path = folder / "portfile.py"
    path.write_text("def original(): ...\ndef ported(): ...\ndef inputs(): ...\n")
    document = {"schema": 2, "records": [{**RECORD, "about": about or {}}]}
    (folder / FILE).write_text(json.dumps(document))
    return Portfile.load(path)


def test_what_an_evidence_file_may_not_name_is_neither_read_nor_hashed(tmp_path: Path) -> None:
    for subject in (
        "file /etc/passwd", "file ../../../../../../../../etc/passwd", "file //etc/passwd", "file /dev/zero",
        "file /proc/self/environ", "file ~/../../../../etc/passwd", "file ./portfile.py", "file a/../portfile.py",
        "package /etc/passwd", "package ../../../../../../etc/passwd", "package x/../../x", "file a\0b",
        "package a\0b/c", "package ", "file ",
    ):  # fmt: skip
        assert path_of(subject, tmp_path) is None, subject
        assert set(about_today(portfile_in(tmp_path), [subject]).values()) <= {"absent"}


def test_subjects_that_no_disk_can_hold_are_gone(tmp_path: Path) -> None:
    names = ["file \ud800", "folder \ud800", "headers file \ud800", "file " + "a" * 300, "folder a\0b",
             "version \ud800", "headers ", "headers folder /", "folder", "", "version ..", "evidence x"]  # fmt: skip
    portfile = portfile_in(tmp_path, dict.fromkeys(names, "0 0 0"))
    about_today(portfile, names)
    assert len(changes(newest_records(portfile)["check_outputs_equal"], portfile)) == len(names)


def test_the_first_of_very_many_changes_are_told_and_the_others_not_looked_for(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, {f"version no_such_package_{number}": "1" for number in range(19_000)})
    began = time.monotonic()
    assert len(changes(newest_records(portfile)["check_outputs_equal"], portfile)) == 100
    assert time.monotonic() - began < 2


def test_a_record_of_a_million_subjects_is_damage(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path, {f"file {number}": "0 0 0" for number in range(100_000)})
    with pytest.raises(EvidenceError, match="about of a record"):
        newest_records(portfile)


def test_a_folder_with_too_much_in_it_is_not_walked_to_its_end(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 3}" / f"{number}.bin").touch()
    (tmp_path / "0" / "loop").symlink_to(tmp_path)
    assert len(checkpoint_files(tmp_path)) == 60
    portfile = portfile_in(tmp_path, {"folder /": "0", "headers file /": "0 0"})
    began = time.monotonic()
    assert changes(newest_records(portfile)["check_outputs_equal"], portfile)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_an_evidence_file_that_is_no_file_is_damage_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    portfile = portfile_in(tmp_path)
    path = tmp_path / FILE
    path.unlink()
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
        "loop": lambda: path.symlink_to(path),
    }
    make[kind]()
    with pytest.raises(EvidenceError, match="damaged"):
        newest_records(portfile)


def test_names_that_are_not_utf8_are_kept_and_read_again(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path)
    subject = "file " + os.fsdecode(b"caf\xe9.bin")
    assert record(portfile, [Outcome("check_x", 7, "passed", about={subject: "0 0 0"}, message="\ud800")], "x") is None
    found = newest_records(portfile)["check_x"]
    assert (found.about, found.message) == ({subject: "0 0 0"}, "\ud800")


def test_a_user_without_a_name_has_evidence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> Any:
        raise KeyError("no such user")

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert subject_of(Path("/var/a"), Path("/1/2/3/4/5")) == "file /var/a"
    assert path_of("file ~/x", tmp_path) == Path("~", "x")
    assert not cache_path("5.0").is_absolute()


def test_figures_that_are_too_long_to_be_read_again_are_cut(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path)
    long = "x" * 100_000
    assert (
        record(portfile, [Outcome("check_x", 7, "passed", figures={"text": long, long: 1}, message=long)], "x") is None
    )
    assert newest_records(portfile)["check_x"].figures == {"text": long[:20_000], long[:20_000]: 1}
