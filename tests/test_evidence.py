from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest

from porting import evidence
from porting.errors import OutputError
from porting.evidence import FILE, KEPT, EvidenceError, Outcome, is_stale, newest_records, record
from porting.portfile import Portfile

PORTFILE = "def original(): ...\ndef ported(): ...\ndef inputs(): ...\n"


def portfile(folder: Path, text: str = PORTFILE, name: str = "portfile.py") -> Portfile:
    path = folder / name
    path.write_text(text)
    return Portfile.load(path)


def outcome(result: str = "passed", claim: str = "outputs-equal", **figures: evidence.Figure) -> Outcome:
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


def test_a_record_says_what_it_speaks_of(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome(max_abs=0.5, much=math.inf, none=None)], "porting verify")
    found = newest_records(loaded)["outputs-equal"]
    assert found.figures == {"max_abs": 0.5, "much": None, "none": None}
    assert found.sha256 == loaded.sha256
    assert set(found.versions) == {"porting", "torch", "transformers"}
    assert found.time.endswith("+00:00")
    assert found.command == "porting verify"


def test_evidence_goes_stale_when_the_portfile_changes(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    record(loaded, [outcome()], "porting verify")
    found = newest_records(loaded)["outputs-equal"]
    assert not is_stale(found, Portfile.load(loaded.path))
    assert is_stale(found, portfile(tmp_path, PORTFILE + "# another line\n"))


def test_evidence_goes_stale_when_the_code_it_speaks_of_changes(tmp_path: Path) -> None:
    loaded, code = portfile(tmp_path), tmp_path / "modeling.py"
    code.write_text("scale = 1")
    record(loaded, [outcome()], "porting verify", {str(code): hashlib.sha256(b"scale = 1").hexdigest()})
    found = newest_records(loaded)["outputs-equal"]
    assert not is_stale(found, loaded)
    code.write_text("scale = 2")
    assert is_stale(found, loaded)
    code.unlink()
    assert is_stale(found, loaded)


def test_evidence_belongs_to_the_portfile_as_it_was_loaded(tmp_path: Path) -> None:
    loaded = portfile(tmp_path)
    changed = portfile(tmp_path, PORTFILE + "# changed while the check ran\n")
    record(loaded, [outcome()], "porting verify")
    assert is_stale(newest_records(changed)["outputs-equal"], changed)


def test_two_portfiles_in_one_folder_have_evidence_of_their_own(tmp_path: Path) -> None:
    one, other = portfile(tmp_path), portfile(tmp_path, name="other.py")
    record(one, [outcome()], "porting verify")
    record(other, [outcome("failed")], "porting verify --portfile other.py")
    assert newest_records(one)["outputs-equal"].result == "passed"
    assert newest_records(other)["outputs-equal"].result == "failed"


def test_no_file_is_no_evidence(tmp_path: Path) -> None:
    assert newest_records(portfile(tmp_path)) == {}


ENTRY = {
    "claim": "a", "step": 1, "result": "passed", "figures": {}, "portfile": "portfile.py", "sha256": "",
    "versions": {}, "time": "", "command": "",
}  # fmt: skip
CHANGES: tuple[dict[str, object], ...] = (
    {"result": "excellent"},
    {"step": "7"},
    {"claim": 3},
    {"figures": []},
    {"figures": {"a": {}}},
    {"versions": {"torch": [2]}},
    {"more": 1},
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": 2, "records": []}',
        '{"schema": 1}',
        '{"schema": 1, "schema": 1, "records": []}',
        '{"schema": 1, "records": [{"claim": "a"}]}',
        '{"schema": 1, "records": 3}',
        "[" * 100_000,
        *(json.dumps({"schema": 1, "records": [{**ENTRY, **change}]}) for change in CHANGES),
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

    monkeypatch.setattr(evidence, "write_text", refuse)
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
