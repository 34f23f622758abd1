"""Step 14: what is added is committed, and merges with Transformers' main branch."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checked import context_with, result_of
from checkouts import checkout_at, commit, git, imported_from, write

from porting.checks import CheckResult
from porting.environment.repository import Repository
from porting.evidence.asking import listening
from porting.evidence.moments import FORMAT, moment_today

CLEAN, RECENT = "check_tree_clean", "check_branch_up_to_date"
MAIN = "refs/remotes/upstream/main"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = checkout_at(tmp_path / "it")
    imported_from(monkeypatch, made)
    return made


def said(name: str, root: Path) -> CheckResult:
    return result_of(name, context_with(root / "work"))


def move_main(root: Path, files: dict[str, str], commits: int = 1) -> None:
    """Let Transformers go on."""
    git(root, "switch", "--quiet", "main")
    commit(root, "theirs", files)
    for number in range(commits - 1):
        git(root, "commit", "--quiet", "--allow-empty", "--message", str(number))
    git(root, "update-ref", MAIN, "HEAD")
    git(root, "switch", "--quiet", "add-first")


def test_a_committed_branch_that_is_up_to_date_passes(root: Path) -> None:
    write(root, {"work/portfile.py": "", "src/transformers/new.py": ""})
    commit(root)
    write(root, {"work/notes.md": "", "work/porting-evidence.json": ""})
    assert said(CLEAN, root).status == "passed"
    recent = said(RECENT, root)
    assert (recent.status, recent.figures["behind"], recent.figures["conflicts"]) == ("passed", 0, 0)


def test_of_a_shallow_clone_nothing_is_said_that_git_cannot_know(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        commit(root, str(number), {"README.md": f"{number}\n"})
    shallow = root.parent / "shallow"
    git(root.parent, "clone", "--quiet", "--depth", "1", f"file://{root}", str(shallow))
    git(shallow, "switch", "--quiet", "--create", "mine")
    git(shallow, "remote", "add", "upstream", "https://github.com/huggingface/transformers.git")
    git(shallow, "fetch", "--quiet", "--depth", "1", f"file://{root}", f"main:{MAIN}")
    imported_from(monkeypatch, shallow)
    result = said(RECENT, shallow)
    assert (result.status, result.lacking, "shallow" in result.message) == ("skipped", True, True)
    assert "git fetch upstream main --unshallow" in result.hint
    git(shallow, "fetch", "--quiet", "--unshallow", f"file://{root}")
    assert said(RECENT, shallow).status == "passed"


@pytest.mark.parametrize("path", ["README.md", "tests/models/a\x1b[31m\nb.py"])
def test_what_is_not_committed_is_named(path: str, root: Path) -> None:
    write(root, {path: "changed"})
    result = said(CLEAN, root)
    assert (result.status, result.figures["uncommitted"]) == ("failed", 1)
    assert ("changed: README.md" in result.message) == (path == "README.md")
    assert "\x1b" not in result.message


def test_the_claim_speaks_of_what_the_branch_brings(root: Path) -> None:
    write(root, {"src/transformers/new.py": "", "theirs.txt": ""})
    commit(root)
    write(root, {"README.md": "changed\n"})
    with listening() as heard:
        said(CLEAN, root)
    paths = {Path(topic.removeprefix("path ")) for topic in heard if topic.startswith("path ")}
    brought = {root / name for name in ("src/transformers/new.py", "theirs.txt", "README.md")}
    assert paths == {*brought, root / ".git" / "logs" / "HEAD"}


def test_the_evidence_itself_and_other_new_files_do_not_make_it_stale(root: Path) -> None:
    write(root, {"work/portfile.py": "", "work/porting-evidence.json": ""})
    commit(root)
    write(root, {"work/notes.md": "", "work/porting-evidence.json": "{}"})
    with listening() as heard:
        assert said(CLEAN, root).status == "passed"
    assert not {Path(topic).name for topic in heard} & {"porting-evidence.json", "notes.md"}


def test_a_few_commits_behind_are_fine(root: Path) -> None:
    move_main(root, {"theirs.txt": ""}, 3)
    result = said(RECENT, root)
    assert (result.status, result.figures["behind"]) == ("passed", 3)


def test_a_conflict_is_named_with_its_file(root: Path) -> None:
    commit(root, "mine", {"README.md": "mine\n"})
    move_main(root, {"README.md": "theirs\n"})
    result = said(RECENT, root)
    assert (result.status, "README.md" in result.message) == ("failed", True)
    assert "git merge upstream/main" in result.hint


def test_a_branch_far_behind_is_refuted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.checks.pull_request.MOST_BEHIND", 2)
    move_main(root, {"theirs.txt": ""}, 3)
    result = said(RECENT, root)
    assert (result.status, "lacks 3 commits" in result.message) == ("failed", True)


def test_a_branch_that_began_elsewhere_is_refuted(root: Path) -> None:
    git(root, "switch", "--quiet", "--orphan", "alone")
    commit(root, "alone", {"src/transformers/__init__.py": ""})
    result = said(RECENT, root)
    assert (result.status, "nothing in common" in result.message or "no commit" in result.message) == ("failed", True)


def test_what_was_fetched_long_ago_is_to_be_fetched_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = time.time() - 30 * 86400
    for path in (root / ".git" / "logs" / MAIN, root / ".git" / MAIN):
        os.utime(path, (long_ago, long_ago))
    result = said(RECENT, root)
    assert (result.status, result.lacking, "30 days ago" in result.message) == ("skipped", True, True)
    monkeypatch.setattr(Repository, "days_since_fetch", lambda *_: None)
    result = said(RECENT, root)
    assert (result.status, result.lacking, "not known" in result.message) == ("skipped", True, True)
    git(root, "update-ref", "-d", MAIN)
    assert "never fetched" in said(RECENT, root).message


@pytest.mark.parametrize(("fetched", "state"), [(6.9, "to come"), (7.1, "over")])
def test_the_claim_holds_for_a_week_after_the_fetch(fetched: float, state: str, root: Path) -> None:
    then = time.time() - fetched * 86400
    os.utime(root / ".git" / "logs" / MAIN, (then, then))
    with listening() as heard:
        result = said(RECENT, root)
    (moment,) = (topic.removeprefix("until ") for topic in heard if topic.startswith("until "))
    assert (result.status, moment_today(moment)) == ("passed" if state == "to come" else "skipped", state)
    assert abs(datetime.strptime(moment, FORMAT).replace(tzinfo=UTC).timestamp() - then - 7 * 86400) < 120


def test_without_a_checkout_both_are_still_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_from(monkeypatch, None)
    for name in (CLEAN, RECENT):
        result = said(name, tmp_path)
        assert (result.status, result.lacking) == ("skipped", True)
