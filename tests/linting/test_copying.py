"""A copy of a checkout is a repository in which the branch brings the port, and nothing of it leads back."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest
from checkouts import checkout_at, git, write

from porting.checkout import Checkout
from porting.linting import copying
from porting.linting.copying import changed_in, copied, keep, restore

CODE = "src/transformers/models/first/modeling_first.py"
OTHER = "src/transformers/models/second/modeling_second.py"
PAGE = "docs/source/en/model_doc/first.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout_at(tmp_path / "it", {OTHER: "", CODE: "X = 1\n", ".gitignore": "*.log\n"}, branch="main")


def own(root: Path) -> list[Path]:
    return [root / Path(CODE).parent, root / PAGE, root / "tests" / "models" / "first"]


def test_the_branch_of_a_copy_brings_the_port_committed_or_not(root: Path) -> None:
    write(root, {PAGE: "new\n", OTHER: "Y = 2\n", "here.log": "x"})
    with copied(Checkout(root), own(root)) as copy:
        assert git(copy.root, "diff", "--name-only", "main").split() == sorted([CODE, PAGE])
        assert git(copy.root, "branch", "--show-current") == "port"
        assert git(copy.root, "merge-base", "main", "HEAD") == git(copy.root, "rev-parse", "origin/main")
        assert git(copy.root, "status", "--porcelain") == ""
        assert (copy.root / OTHER).read_text() == "Y = 2\n"
    assert not copy.root.exists()


def test_what_is_done_in_a_copy_is_not_done_in_the_checkout(root: Path) -> None:
    before = git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD"), git(root, "branch")
    with copied(Checkout(root), own(root)) as copy:
        write(copy.root, {CODE: "X = 2\n", "new.txt": ""})
        assert "+X = 2" in changed_in(copy)
        keep(copy)
        write(copy.root, {CODE: "X = 2\n\n"})
        assert (bool(changed_in(copy)), changed_in(copy, blank_lines=False)) == (True, "")
        restore(copy)
        assert (changed_in(copy), (copy.root / "new.txt").exists()) == ("", False)
    assert (root / CODE).read_text() == "X = 1\n"
    assert (git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD"), git(root, "branch")) == before


def test_environments_caches_and_repositories_are_not_copied_and_large_files_are_linked(root: Path) -> None:
    write(root, {"env/pyvenv.cfg": "", "env/lib/x.py": "", "src/__pycache__/x.pyc": "", "other/.git/config": ""})
    (root / "large.bin").write_bytes(bytes(1 << 21))
    (root / "link").symlink_to("README.md")
    (root / "gone").symlink_to("nowhere")
    with copied(Checkout(root), own(root)) as copy:
        there = {path.relative_to(copy.root).parts[0] for path in copy.root.rglob("*") if ".git" not in path.parts}
        assert (copy.root / "large.bin").is_symlink()
        assert (copy.root / "link").read_text() == "one\n"
    assert "env" not in there
    assert {"README.md", "src", "large.bin", "link", "gone", "other"} <= there


def test_a_folder_that_is_no_repository_and_lacks_the_port_is_copied_too(tmp_path: Path) -> None:
    write(tmp_path, {"src/transformers/__init__.py": "", "README.md": ""})
    with copied(Checkout(tmp_path), own(tmp_path)) as copy:
        assert git(copy.root, "diff", "--name-only", "main") == ""
        assert (copy.package / "__init__.py").is_file()


def test_no_program_that_the_checkout_names_is_run(root: Path, tmp_path: Path) -> None:
    write(root, {".gitattributes": "*.py filter=bad diff=bad\n"})
    for name in ("filter.bad.clean", "diff.bad.command", "core.fsmonitor"):
        git(root, "config", name, f"touch {tmp_path / 'ran'}; cat")
    with copied(Checkout(root), own(root)) as copy:
        write(copy.root, {CODE: "X = 2\n"})
        assert changed_in(copy)
    assert not (tmp_path / "ran").exists()


def test_a_large_text_is_copied_and_what_a_link_of_the_port_leads_to(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"mine/test.py": "Z = 1\n", "large.md": "-" * (1 << 21)})
    (root / PAGE).parent.mkdir(parents=True, exist_ok=True)
    (root / PAGE).symlink_to(tmp_path / "large.md")
    (root / "tests" / "models").mkdir(parents=True)
    (root / "tests" / "models" / "first").symlink_to(tmp_path / "mine")
    write(root, {"src/large.py": "#" * (1 << 21)})
    with copied(Checkout(root), own(root)) as copy:
        for name in (PAGE, "tests/models/first/test.py", "src/large.py"):
            assert (copy.root / name).resolve().is_relative_to(copy.root)
        assert PAGE in git(copy.root, "diff", "--name-only", "main").split()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_copy_that_is_not_finished_is_not_left(
    error: BaseException, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(source: str, target: str) -> None:
        raise error

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(copying, "_copy", stop)
    said = r"^$|^\[Errno \d+\] No space left on device$"
    with pytest.raises((KeyboardInterrupt, OSError), match=said), copied(Checkout(root), own(root)):
        pass
    assert not any(scratch.iterdir())
