from __future__ import annotations

import json
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from porting.errors import OutputError
from porting.evidence import (
    FILE,
    KEPT,
    EvidenceError,
    Figure,
    Outcome,
    changes,
    newest_records,
    record,
    records_by_claim,
)
from porting.evidence.subjects import about_files
from porting.portfile import Portfile

PORTFILE = "def original(): ...\ndef ported(): ...\ndef inputs(): ...\n"


def portfile(folder: Path, text: str = PORTFILE, name: str = "portfile.py") -> Portfile:
    path = folder / name
    path.write_text(text)
    return Portfile.load(path)


def outcome(result: str = "passed", claim: str = "outputs-equal", **figures: Figure) -> Outcome:
    return Outcome(claim, 7, result, figures)


def test_the_newest_record_of_a_claim_counts(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    assert record(loaded, [outcome("failed", outputs=1), outcome(claim="layers-equal")], "porting verify") is None
    assert record(loaded, [outcome("passed", outputs=2)], "porting verify") is None
    found = newest_records(loaded)
    assert (found["outputs-equal"].result, found["outputs-equal"].figures) == ("passed", {"outputs": 2})
    assert found["layers-equal"].result == "passed"
    assert len(json.loads((tmp_path / FILE).read_text())["records"]) == 3


def test_of_many_records_of_a_claim_the_newest_are_kept(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome(claim="layers-equal")], "porting verify")
    for number in range(KEPT + 3):
        record(loaded, [outcome(outputs=number)], "porting verify")
    records = json.loads((tmp_path / FILE).read_text())["records"]
    assert [entry["figures"].get("outputs") for entry in records] == [None, *range(3, KEPT + 3)]
    assert newest_records(loaded)["outputs-equal"].figures == {"outputs": KEPT + 2}


def test_runs_that_say_nothing_push_out_no_result(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome()], "porting capture --repeat 2")
    for _ in range(KEPT + 3):
        record(loaded, [Outcome("outputs-equal", 7, "lacking")], "porting check")
    kept = [each.result for each in records_by_claim(loaded)["outputs-equal"]]
    assert kept == ["passed", *["lacking"] * KEPT]


def test_a_record_says_what_it_speaks_of(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome(max_abs=0.5, much=math.inf, none=None)], "porting verify")
    found = newest_records(loaded)["outputs-equal"]
    assert found.figures == {"max_abs": 0.5, "much": None, "none": None}
    assert found.sha256 == loaded.sha256
    assert {"python", "porting", "torch", "transformers"} <= set(found.versions)
    assert found.time.endswith("+00:00")
    assert found.command == "porting verify"


def test_evidence_goes_stale_when_a_file_it_speaks_of_changes(tmp_path: Path) -> None:
    loaded, code = portfile(tmp_path), tmp_path / "modeling.py"
    code.write_text("scale = 1")
    record(loaded, [replace(outcome(), about=about_files(loaded, [code]))], "porting verify")
    found = newest_records(loaded)["outputs-equal"]
    assert changes(found, loaded) == ()
    code.write_text("scale = 2")
    assert changes(found, loaded) == ("modeling.py changed",)
    code.unlink()
    assert changes(found, loaded) != ()


def test_two_portfiles_in_one_folder_have_evidence_of_their_own(tmp_path: Path) -> None:
    one, other = portfile(tmp_path), portfile(tmp_path, name="other.py")
    record(one, [outcome()], "porting verify")
    record(other, [outcome("failed")], "porting verify --portfile other.py")
    assert newest_records(one)["outputs-equal"].result == "passed"
    assert newest_records(other)["outputs-equal"].result == "failed"


def test_a_record_keeps_the_first_lines_of_why_it_ended_so(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [replace(outcome("failed"), message="\n".join(["layers.0 differs"] * 5000))], "porting check")
    message = newest_records(loaded)["outputs-equal"].message
    assert message.startswith("layers.0 differs\nlayers.0 differs")
    assert len(message) < 2100
    assert len(message.splitlines()) == 12


def test_a_tick_says_who_and_why(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    tick = Outcome("understood", 1, "ticked", by="Ada Lovelace", reason="read the paper")
    assert record(loaded, [tick], "porting checklist --tick understood") is None
    found = newest_records(loaded)["understood"]
    assert (found.result, found.by, found.reason) == ("ticked", "Ada Lovelace", "read the paper")


def write_one(path: str, number: int) -> str | None:
    return record(Portfile.load(path), [outcome(claim=f"claim-{number}")], "porting check")


def test_processes_that_write_at_the_same_time_lose_no_record(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        warnings = list(pool.map(write_one, [str(loaded.path)] * 24, range(24)))
    assert warnings == [None] * 24
    assert set(newest_records(loaded)) == {f"claim-{number}" for number in range(24)}
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "portfile.py"}


def test_no_file_is_no_evidence(tmp_path: Path) -> None:
    assert newest_records(portfile(tmp_path)) == {}


ENTRY = {
    "claim": "a", "step": 1, "result": "passed", "message": "", "figures": {}, "about": {}, "portfile": "portfile.py",
    "sha256": "", "versions": {}, "device": "", "commit": None, "dirty": None, "code_commit": None,
    "code_dirty": None, "time": "", "command": "", "by": "", "reason": "",
}  # fmt: skip
CHANGES: tuple[dict[str, object], ...] = (
    {"result": "excellent"},
    {"step": "7"},
    {"claim": 3},
    {"figures": []},
    {"figures": {"a": {}}},
    {"versions": {"torch": [2]}},
    {"more": 1},
    {"step": True},
    {"about": {"file a": None}},
    {"about": {"file a": "x" * 30_000}},
    {"message": "x" * 30_000},
    {"dirty": "no"},
    {"commit": 3},
    {"result": "ticked", "by": "Ada"},
    {"result": "ticked", "by": " ", "reason": "seen"},
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": 1, "records": []}',
        '{"schema": 2}',
        '{"schema": 2, "schema": 2, "records": []}',
        '{"schema": 2, "records": [{"claim": "a"}]}',
        '{"schema": 2, "records": 3}',
        "[" * 100_000,
        *(json.dumps({"schema": 2, "records": [{**ENTRY, **change}]}) for change in CHANGES),
    ],
)
def test_a_damaged_file_is_refused_and_never_overwritten(tmp_path: Path, text: str) -> None:
    loaded = portfile(tmp_path)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(EvidenceError, match="is damaged") as caught:
        newest_records(loaded)
    assert "delete it" in caught.value.hint
    warning = record(loaded, [outcome()], "porting verify")
    assert warning is not None
    assert "is damaged" in warning
    assert (tmp_path / FILE).read_text() == text


def test_a_disk_that_refuses_gives_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> None:
        raise OutputError("cannot write it: Read-only file system")

    monkeypatch.setattr("porting.evidence.store.write_text", refuse)
    warning = record(portfile(tmp_path), [outcome()], "porting verify")
    assert warning == "Warning: no evidence was recorded: cannot write it: Read-only file system"
    assert not (tmp_path / FILE).exists()


def test_a_folder_that_is_gone_gives_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "port"
    folder.mkdir()
    loaded = portfile(folder)
    loaded.path.unlink()
    folder.rmdir()
    warning = record(loaded, [outcome()], "porting verify")
    assert warning is not None
    assert "No such file" in warning


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome()], "porting verify")
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.glob("*evidence*"))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("porting.atomic.os.fsync", fail)
    warning = record(loaded, [outcome("failed")], "porting verify")
    assert warning is not None
    assert "No space left" in warning
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.glob("*evidence*")) == before


@pytest.mark.parametrize(
    ("name", "earlier", "words"),
    [("outputs", "0123", "outputs() was removed from"), ("inputs", "absent", "inputs() was added to")],
)
def test_a_function_that_came_or_went_is_told(name: str, earlier: str, words: str, tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    spoken = Outcome("a", 7, "passed", about={f"function {name}": earlier})
    assert record(loaded, [spoken], "porting check") is None
    assert changes(newest_records(loaded)["a"], loaded) == (f"{words} portfile.py",)
