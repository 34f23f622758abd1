from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from evidenced import CLAIMS, add, complete, empty_port
from processes import ENVIRONMENT, command, porting, settings

from porting.evidence import FILE
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

SAID = ("--by", "Ada Lovelace", "--reason", "seen")


def checklist(folder: Path, *arguments: str, summary: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "GITHUB_STEP_SUMMARY"}
    if summary is not None:
        environment["GITHUB_STEP_SUMMARY"] = str(summary)
    given: dict[str, Any] = {**settings(folder), "env": environment}
    return subprocess.run(command("checklist", *arguments), timeout=120, check=False, **given)


def state(folder: Path, number: int) -> str:
    return str(json.loads(checklist(folder, "--json").stdout)["steps"][number - 1]["state"])


def test_it_shows_14_steps_and_what_comes_next_and_exits_with_0(tmp_path: Path) -> None:
    empty_port(tmp_path)
    done = checklist(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line[:2].strip().isdecimal()][13].startswith("14 to do")
    assert "Next: porting check versions\n" in done.stdout


def test_json_is_one_document_with_what_to_type_next(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    complete(portfile, "check_outputs_equal")
    done = checklist(tmp_path, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"], document["complete"]) == (0, 1, False)
    assert document["next"]["command"] == "porting check outputs_equal"


def test_commands_name_the_portfile_as_it_is_called(tmp_path: Path) -> None:
    empty_port(tmp_path).path.rename(tmp_path / "my port.py")
    done = checklist(tmp_path, "--portfile", "my port.py")
    assert "Next: porting check versions --portfile 'my port.py'" in done.stdout


@pytest.mark.parametrize(
    ("but", "code"), [((), 0), (("check_notebook_runs", "theory", "ran-on-gpu"), 0), (("uploaded",), 1)]
)
def test_check_fails_until_every_required_step_is_done(tmp_path: Path, but: tuple[str, ...], code: int) -> None:
    complete(empty_port(tmp_path), *but)
    done = checklist(tmp_path, "--check", "--json")
    assert done.returncode == code
    assert json.loads(done.stdout)["complete"] == (code == 0)
    assert ("step 12 (Upload the weights to the Hub, with a model card each): to do" in done.stderr) == (code == 1)


def test_a_tick_is_kept_shown_and_taken_back(tmp_path: Path) -> None:
    empty_port(tmp_path)
    ticked = checklist(tmp_path, "--tick", "uploaded", *SAID, "--markdown")
    assert ticked.returncode == 0, ticked.stderr
    assert "- step 12, uploaded: ticked by Ada Lovelace: seen" in ticked.stdout
    assert "ticked by hand: uploaded" in ticked.stderr
    assert checklist(tmp_path, "--untick", "uploaded").returncode == 0
    assert "Ada" not in checklist(tmp_path, "--markdown").stdout
    aside = checklist(tmp_path, "--not-applicable", "9", *SAID)
    assert aside.stdout.startswith(" 9 not applicable")


def test_after_a_tick_its_step_is_shown_and_what_comes_next(tmp_path: Path) -> None:
    empty_port(tmp_path)
    ticked = checklist(tmp_path, "--tick", "theory", *SAID)
    lines = ticked.stdout.splitlines()
    assert lines[0].startswith(" 1 by hand")
    counts = next(number for number, line in enumerate(lines) if line.startswith("not complete: of 12 required"))
    assert counts < 4
    assert lines[counts + 1].startswith("Next: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tick", "left_out", *SAID), "did you mean left-out?"),
        (("--tick", "outputs_equal", *SAID), "does not hide a failure"),
        (("--not-applicable", "7", *SAID), "does not hide a failure"),
        (("--not-applicable", "15", *SAID), "1 to 14"),
        (("--untick", "uploaded"), "nobody ticked uploaded"),
    ],
)
def test_what_cannot_be_said_is_refused_also_in_json(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    add(empty_port(tmp_path), "check_outputs_equal", "failed", "act differs")
    before = (tmp_path / FILE).read_bytes()
    done = checklist(tmp_path, *arguments, "--json")
    assert done.returncode == 2
    assert words in json.loads(done.stdout)["error"]["message"]
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--markdown", "--json"), "--markdown and --json do not go together"),
        (("--markdown", "--html"), "do not go together"),
        (("--github", "--step", "3"), "do not go together"),
        (("--tick", "theory", "--untick", "theory"), "do not go together"),
        (("--run", "--tick", "theory", *SAID), "do not go together"),
        (("--tick", "theory"), "--by NAME --reason TEXT"),
        (("--tick", "theory", "--by", " ", "--reason", "seen"), "--by NAME --reason TEXT"),
        (("--not-applicable", "9", "--by", "Ada"), "--by NAME --reason TEXT"),
        (("--by", "Ada"), "only with --tick or --not-applicable"),
        (("--all",), "only with --run"),
        (("--output", "a.md"), "only with --markdown or --html"),
        (("--step", "15"), "--step"),
        (("--github",), "GITHUB_STEP_SUMMARY"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    empty_port(tmp_path)
    done = checklist(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("form", "beginning"), [("--markdown", "### Porting checklist"), ("--html", "<!doctype html>")]
)
def test_a_document_is_written_again_and_replaces_nothing_else(tmp_path: Path, form: str, beginning: str) -> None:
    empty_port(tmp_path)
    for _ in range(2):
        done = checklist(tmp_path, form, "--output", "list")
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    assert (tmp_path / "list").read_text().startswith(beginning)
    refused = checklist(tmp_path, form, "--output", "portfile.py")
    assert refused.returncode == 4
    assert "is no checklist, so it is not replaced" in refused.stderr
    assert checklist(tmp_path, form, "--output", "no/such/folder").returncode == 4


def test_github_gets_a_summary_and_annotations(tmp_path: Path) -> None:
    add(empty_port(tmp_path), "check_outputs_equal", "failed", "act differs")
    summary = tmp_path / "summary.md"
    summary.write_text("earlier\n")
    done = checklist(tmp_path, "--github", "--check", summary=summary)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "::error title=Step 7%2C failed%3A check_outputs_equal::act differs"
    assert all(line.startswith("::") for line in lines)
    assert summary.read_text().startswith("earlier\n### Porting checklist")
    broken = checklist(tmp_path, "--github", summary=tmp_path / "no" / "such")
    assert broken.returncode == 4
    assert "cannot be written" in broken.stderr


@pytest.mark.parametrize("name", ["missing.py", "broken.py"])
def test_a_missing_or_broken_portfile_exits_with_4(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.py").write_text("1/0\n")
    assert checklist(tmp_path, "--portfile", name).returncode == 4


def test_damaged_evidence_exits_with_4_and_says_what_to_delete(tmp_path: Path) -> None:
    empty_port(tmp_path)
    (tmp_path / FILE).write_text("{")
    for arguments in ((), ("--tick", "theory", *SAID), ("--run",)):
        done = checklist(tmp_path, *arguments)
        assert done.returncode == 4
        assert "delete it" in done.stderr
    assert (tmp_path / FILE).read_text() == "{"


def only(folder: Path, *names: str) -> None:
    """Settle every check but some."""
    (folder / "code.py").write_text("")
    portfile = Portfile.load(folder / "portfile.py")
    complete(portfile, *names, *(name for name, claim in CLAIMS.items() if claim.kind == "person"))


def test_run_runs_what_is_open_and_shows_it(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(tmp_path)
    only(tmp_path, "check_eval_mode", "check_outputs_equal")
    done = porting(tmp_path, "checklist", "--run")
    assert done.returncode == 0, done.stderr
    assert "ran 2 checks: 2 passed" in done.stderr
    assert state(tmp_path, 7) == "done"
    assert "there is no check to run" in porting(tmp_path, "checklist", "--run").stderr


def test_an_interrupted_run_keeps_what_has_run(tmp_path: Path, write_portfile: WritePortfile) -> None:
    write_portfile(
        tmp_path, extra="import os, signal\nold = ported\ndef ported(): os.kill(os.getpid(), signal.SIGINT)\n"
    )
    only(tmp_path, "check_versions", "check_eval_mode")
    done = porting(tmp_path, "checklist", "--run")
    assert done.returncode == 130, done.stderr
    kept = json.loads((tmp_path / FILE).read_text())["records"]
    assert "check_versions" in {record["claim"] for record in kept}
    assert "check_eval_mode" not in {record["claim"] for record in kept}
    assert "is kept" in done.stderr


def test_a_portfile_that_lacks_a_side_has_a_checklist_and_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "portfile.py").write_text("def inputs(): return {}\n")
    assert checklist(tmp_path).returncode == 0
    complete(Portfile.load(tmp_path / "portfile.py", both_sides=False), "check_eval_mode", "check_outputs_equal")
    done = checklist(tmp_path, "--run", "--json")
    assert done.returncode == 0, done.stderr
    claims = {each["claim"]: each for each in json.loads(done.stdout)["steps"][6]["claims"]}
    assert claims["check_eval_mode"]["state"] == "to do"
    assert "ported()" in claims["check_eval_mode"]["why"]


def test_what_only_speaks_of_the_checklist_is_not_replaced(tmp_path: Path) -> None:
    empty_port(tmp_path)
    (tmp_path / "notes.md").write_text("See porting checklist.\n")
    (tmp_path / "link.md").symlink_to("nowhere.md")
    for name, words in (("notes.md", "no checklist"), ("link.md", "no checklist"), ("a" * 300, "cannot write")):
        done = checklist(tmp_path, "--markdown", "--output", name)
        assert (done.returncode, words in done.stderr) == (4, True), done.stderr
    assert (tmp_path / "notes.md").read_text() == "See porting checklist.\n"
    assert (tmp_path / "link.md").is_symlink()


def test_a_summary_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    empty_port(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    done = checklist(tmp_path, "--github", summary=tmp_path / "pipe")
    assert (done.returncode, "it is a pipe" in done.stderr) == (4, True)


def test_no_columns_are_no_width(tmp_path: Path) -> None:
    empty_port(tmp_path)
    given: dict[str, Any] = {**settings(tmp_path), "env": {**ENVIRONMENT, "COLUMNS": "0"}}
    assert "Next:" in subprocess.run(command("checklist"), check=False, **given).stdout


@pytest.mark.parametrize(
    "arguments",
    [("--tick", "theory", *SAID), ("--markdown", "--output", "list.md"), ("--html", "--output", "list.html")],
)
def test_a_disk_without_room_is_an_error_that_leaves_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    empty_port(tmp_path)
    before = sorted(tmp_path.iterdir())
    begin = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8)); from porting.cli import main; "
    given = [sys.executable, "-c", begin + "main()", "checklist", *arguments]
    done = subprocess.run(given, timeout=120, check=False, **settings(tmp_path))
    assert done.returncode == 4, done.stderr
    assert "File too large\nHint: make room on its disk" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert checklist(tmp_path, *arguments).returncode == 0
