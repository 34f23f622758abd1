from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from porting.evidence import FILE
from porting.evidence.circumstances import Circumstances
from porting.evidence.repositories import _asked, state_of
from porting.portfile import Portfile


def git(folder: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **who}, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "portfile.py").write_text("def original(): ...\ndef ported(): ...\ndef inputs(): ...\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def state(folder: Path, beside: Path | None = None) -> tuple[str | None, bool | None]:
    _asked.cache_clear()
    return state_of(folder, beside)


def test_the_commit_is_kept_and_whether_the_tree_was_dirty(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert state(repository) == (commit, False)
    (repository / FILE).write_text("{}")
    assert state(repository) == (commit, False)
    (repository / "new.py").touch()
    assert state(repository) == (commit, True)
    (repository / "new.py").unlink()
    (repository / "portfile.py").write_text("# changed\n")
    assert state(repository) == (commit, True)


def test_a_working_folder_that_git_knows_nothing_of_makes_no_tree_dirty(repository: Path) -> None:
    folder = repository / "ports" / "brand_new"
    folder.mkdir(parents=True)
    (folder / "portfile.py").write_text("")
    assert state(repository) == (state(repository)[0], True)
    assert state(repository, folder)[1] is False
    assert state(repository, repository)[1] is True
    (repository / "src").mkdir()
    (repository / "src" / "new.py").write_text("")
    assert state(repository, folder)[1] is True


def test_a_working_folder_that_git_knows_counts(repository: Path) -> None:
    folder = repository / "port"
    folder.mkdir()
    (folder / "portfile.py").write_text("")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "second")
    (folder / "helper.py").write_text("")
    assert state(repository, folder)[1] is True


def test_without_a_repository_or_a_commit_nothing_is_said(tmp_path: Path) -> None:
    assert state_of(None) == (None, None)
    git(tmp_path, "init", "-q")
    assert state(tmp_path) == (None, False)
    (tmp_path / ".git" / "HEAD").write_text("rubbish")
    assert state(tmp_path) == (None, None)


def test_no_program_that_a_repository_names_is_run(repository: Path) -> None:
    program = repository.parent / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {repository.parent}/ran\n")
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("*.py filter=evil\n")
    (repository / "portfile.py").write_bytes((repository / "portfile.py").read_bytes().replace(b"ported", b"proted"))
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process"):
        git(repository, "config", name, str(program))
    assert state(repository) == (git(repository, "rev-parse", "HEAD"), True)
    assert not (repository.parent / "ran").exists()
    subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False)
    assert (repository.parent / "ran").exists(), "git itself would have run one"


def test_no_program_that_a_submodule_names_is_run(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "code.py").write_text("x = 1\n")
    (other / ".gitattributes").write_text("*.py filter=evil\n")
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "first")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "inner")
    git(repository, "commit", "-qm", "inner")
    git(repository / "inner", "config", "filter.evil.clean", f"touch {tmp_path}/ran; cat")
    (repository / "inner" / "code.py").write_text("x = 2\n")
    assert state(repository)[1] is False
    assert not (tmp_path / "ran").exists()
    git(repository, "status")
    assert (tmp_path / "ran").exists(), "git itself would have run it"


def test_more_settings_than_are_read_are_no_way_to_hide_one(repository: Path, tmp_path: Path) -> None:
    names = [f'[filter "{"x" * 200}{number}"]\n\tclean = cat\n' for number in range(4000)]
    names.insert(2000, f'[filter "evil"]\n\tclean = touch {tmp_path}/ran\n')
    with (repository / ".git" / "config").open("a") as file:
        file.write("".join(names))
    (repository / ".gitattributes").write_text("*.py filter=evil\n")
    (repository / "portfile.py").write_bytes((repository / "portfile.py").read_bytes().replace(b"ported", b"proted"))
    assert state(repository) == (None, None)
    assert not (tmp_path / "ran").exists()


def test_a_filter_of_the_user_counts(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings").write_text('[filter "upper"]\n\tclean = tr a-z A-Z\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    (repository / ".gitattributes").write_text("*.txt filter=upper\n")
    (repository / "a.txt").write_text("abc\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "filtered")
    assert state(repository)[1] is False
    os.utime(repository / "a.txt", (1, 1))
    assert state(repository)[1] is False


def test_code_in_another_repository_has_its_own_commit(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    other.mkdir()
    (other / "modeling.py").write_text("x = 1\n")
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "other")
    portfile = Portfile.load(repository / "portfile.py")
    found = Circumstances.of(portfile, device="cpu", code=[other / "modeling.py", repository / "a.py"])
    assert (found.commit, found.code_commit) == (git(repository, "rev-parse", "HEAD"), git(other, "rev-parse", "HEAD"))
    assert (found.dirty, found.code_dirty, found.device) == (False, False, "cpu")
    assert Circumstances.of(portfile, code=[repository / "a.py"]).code_commit is None
