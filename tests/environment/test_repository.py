"""What git knows of a checkout, whatever the repository is set to run."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from checkouts import FORK, UPSTREAM, checkout_at, commit, git, write

from porting.environment.repository import Repository, RepositoryError

MAIN = "refs/remotes/upstream/main"


def test_branch_remotes_and_changes_are_read(tmp_path: Path) -> None:
    root = checkout_at(tmp_path / "it")
    repository = Repository.at(root)
    assert repository.branch == "add-first"
    assert repository.remotes == {"origin": FORK, "upstream": UPSTREAM}
    assert repository.changed == ()
    write(root, {"README.md": "two\n", "a \n'b'/\x1b[31mnéw.py": ""})
    assert set(repository.changed) == {(" M", "README.md"), ("??", "a \n'b'/\x1b[31mnéw.py")}
    git(root, "checkout", "--quiet", "--detach")
    assert repository.branch is None


def test_a_folder_that_is_no_work_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not a git repository"):
        Repository.at(tmp_path)
    root = checkout_at(tmp_path / "it")
    with pytest.raises(RepositoryError, match="part of a repository"):
        Repository.at(root / "src")


def test_variables_that_point_elsewhere_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = checkout_at(tmp_path / "it"), checkout_at(tmp_path / "other", branch="elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert Repository.at(root).branch == "add-first"


def test_commits_that_are_missing_are_counted_and_conflicts_named(tmp_path: Path) -> None:
    root = checkout_at(tmp_path / "it", {"line \n.txt": "one\n"})
    commit(root, "mine", {"line \n.txt": "mine\n"})
    git(root, "switch", "--quiet", "main")
    commit(root, "theirs", {"other.txt": ""})
    git(root, "update-ref", MAIN, "HEAD")
    git(root, "switch", "--quiet", "add-first")
    repository = Repository.at(root)
    assert (repository.missing(MAIN), repository.conflicts(MAIN)) == (1, ())
    git(root, "switch", "--quiet", "main")
    commit(root, "theirs again", {"line \n.txt": "theirs\n"})
    git(root, "update-ref", MAIN, "HEAD")
    git(root, "switch", "--quiet", "add-first")
    objects = sorted((root / ".git" / "objects").rglob("*"))
    assert (repository.missing(MAIN), repository.conflicts(MAIN)) == (2, ("line \n.txt",))
    assert sorted((root / ".git" / "objects").rglob("*")) == objects
    assert repository.conflicts("refs/heads/nowhere") is None


def test_unrelated_histories_have_nothing_in_common(tmp_path: Path) -> None:
    root = checkout_at(tmp_path / "it")
    git(root, "switch", "--quiet", "--orphan", "alone")
    commit(root, "alone", {"alone.txt": ""})
    assert not Repository.at(root).is_related(MAIN)
    assert not Repository.at(root).has("refs/remotes/upstream/other")


def test_the_last_fetch_of_that_remote_counts(tmp_path: Path) -> None:
    root = checkout_at(tmp_path / "it")
    long_ago = time.time() - 40 * 86400
    os.utime(root / ".git" / "logs" / MAIN, (long_ago, long_ago))
    write(root, {".git/FETCH_HEAD": "abc\t\tbranch 'main' of github.com:someone/transformers\n"})
    assert Repository.at(root).days_since_fetch("upstream") == pytest.approx(40, abs=0.1)
    write(root, {".git/FETCH_HEAD": "abc\t\tbranch 'main' of https://github.com/huggingface/transformers\n"})
    assert Repository.at(root).days_since_fetch("upstream") == pytest.approx(0, abs=0.1)


def test_no_program_that_a_repository_names_is_run(tmp_path: Path) -> None:
    root, ran = checkout_at(tmp_path / "it"), tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    evil.chmod(0o755)
    commit(root, "attributes", {".gitattributes": "* filter=bad merge=bad diff=bad\n"})
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "core.gitProxy",
                "filter.bad.clean", "filter.bad.smudge", "filter.bad.process", "merge.bad.driver", "diff.bad.textconv",
                "core.editor", "gpg.program", "credential.helper"):  # fmt: skip
        git(root, "config", key, str(evil))
    git(root, "config", "filter.bad.required", "true")
    for hook in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        write(root, {f".git/hooks/{hook}": f"#!/bin/sh\ntouch {ran}\n"})
        (root / ".git" / "hooks" / hook).chmod(0o755)
    write(root, {"README.md": "two\n", "new.txt": "new\n"})
    repository = Repository.at(root)
    assert set(repository.changed) == {(" M", "README.md"), ("??", "new.txt")}
    assert repository.missing(MAIN) == 0
    assert repository.conflicts(MAIN) is None
    assert repository.remotes
    assert not ran.exists()
    subprocess.run(["git", "-C", root, "status"], capture_output=True, check=False)
    assert ran.exists(), "git itself would have run one"
