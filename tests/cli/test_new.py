from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

from processes import command, porting, settings
from scaffolding import SIZES, write_checkpoint, write_repository


def test_json_says_what_was_written_and_what_is_left(tmp_path: Path) -> None:
    done = porting(tmp_path, "new", "tiny_gpt", "--like", "gpt2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [Path(path).name for path in document["files"]] == ["portfile.py", ".gitignore", "checklist.md"]
    assert all((tmp_path / "tiny_gpt" / name).is_file() for name in ("portfile.py", ".gitignore", "checklist.md"))
    assert document["parts_left"][0].keys() == {"file", "line", "what"}
    assert document["next"] == ["cd tiny_gpt", "porting checklist"]


def test_the_folder_goes_on_with_the_other_commands(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    flags = ("--original", "repository", "--checkpoint", "model.pt", "--like", "gpt2", "--yes")
    done = porting(tmp_path, "new", "tiny_gpt", *flags)
    assert done.returncode == 0, done.stderr
    assert "porting verify says match" in done.stdout
    assert done.stdout.splitlines()[-1] == "Next: cd tiny_gpt && porting verify"
    folder = tmp_path / "tiny_gpt"
    verified = porting(folder, "verify")
    assert (verified.returncode, "match: 1 output equal" in verified.stdout) == (0, True), verified.stderr


def test_a_folder_with_files_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "tiny_gpt").mkdir()
    (tmp_path / "tiny_gpt" / "portfile.py").write_text("mine")
    done = porting(tmp_path, "new", "tiny_gpt")
    assert done.returncode == 4
    assert "nothing is written over files that are there" in done.stderr
    assert (tmp_path / "tiny_gpt" / "portfile.py").read_text() == "mine"


def test_a_wrong_name_is_a_usage_error(tmp_path: Path) -> None:
    done = porting(tmp_path, "new", "BrandNewBert", "--json")
    assert done.returncode == 2
    assert "porting new brand_new_bert" in json.loads(done.stdout)["error"]["hint"]


def test_nothing_is_asked_without_a_terminal(tmp_path: Path) -> None:
    done = porting(tmp_path, "new", "tiny_gpt", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "Enter to skip" not in done.stderr


def test_on_a_terminal_each_question_can_be_skipped(tmp_path: Path) -> None:
    writing, reading = pty.openpty()
    try:
        os.write(writing, b"\n\n")
        done = subprocess.run(
            command("new", "tiny_gpt"), **settings(tmp_path), stdin=reading, timeout=120, check=False
        )
    finally:
        os.close(writing)
        os.close(reading)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Enter to skip") == 2
    assert (tmp_path / "tiny_gpt" / "portfile.py").is_file()


def test_in_a_checkout_its_own_command_is_named_first(tmp_path: Path) -> None:
    package = tmp_path / "src" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    done = porting(tmp_path, "new", "tiny_gpt", "--like", "gpt2")
    assert done.returncode == 0, done.stderr
    assert "transformers add-new-model-like" in done.stdout
    assert "TinyGpt" in done.stdout
    assert not (package / "models").exists()


def test_the_nearest_architectures_alone_write_nothing(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(write_repository(tmp_path), tmp_path / "model.pt")
    before = set(tmp_path.iterdir())
    done = porting(tmp_path, "new", "tiny_gpt", "--nearest", "--checkpoint", str(checkpoint), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["folder"] is None
    assert document["nearest"][0]["model_type"] in ("gpt2", "gpt-sw3", "gpt_bigcode", "openai-gpt")
    assert set(tmp_path.iterdir()) == before
    lacking = porting(tmp_path, "new", "tiny_gpt", "--nearest")
    assert lacking.returncode == 2
