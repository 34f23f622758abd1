from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bounded import within
from faults import CALLS, FAULTS, INTERRUPTED, opened
from processes import ENVIRONMENT, ROOT, after_faults, injected
from tracing import content, only, returned, small

from porting.errors import OutputError
from porting.trace import open_trace, save_trace
from porting.trace.folders import require_writable

TESTS = ROOT / "tests"
WRITER = """
import sys
from tracing import small
from porting.errors import PortingError
from porting.trace import save_trace
try:
    save_trace(small(), sys.argv[1])
except PortingError as error:
    sys.exit(f"{error.exit_code}: {error}")
"""


@pytest.fixture(scope="module", params=["porting", "recorder"])
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every fault left, of one writer."""
    return after_faults(request.param, tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_a_fault_leaves_what_was_there_or_the_whole_trace(
    name: str, kind: str, outcomes: list[dict[str, Any]]
) -> None:
    mine = [each for each in outcomes if (each["call"], each["fault"]) == (name, kind)]
    assert mine, "the writer makes this call at least once"
    for each in mine:
        before = "old" if each["earlier"] else "absent"
        assert each["found"] in (before, "new", *(["absent"] if name == "rename" and "kill" in kind else [])), each
        if each["said"] == 0:
            assert each["found"] == "new", each
        if "kill" not in kind:
            assert each["said"] in (0, 4, INTERRUPTED), each
            assert not [left for left in each["left"] if ".partial-" in left], each
        assert (each["said again"], each["found again"], each["left again"]) == (0, "new", []), each


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: real(descriptor, data[:7], offset))
    assert content(open_trace(save_trace(small(), tmp_path / "trace"))) == content(small())


def test_a_file_that_may_not_grow_is_an_output_error(tmp_path: Path) -> None:
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); {WRITER}"
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{TESTS}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code.replace("; \n", "\n"), str(tmp_path / "trace")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "4: cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert only(tmp_path)


def test_two_writers_of_one_place_do_not_mix(tmp_path: Path) -> None:
    from porting.trace.writing import writing

    first, second = returned(it=small().valid_positions()), small()
    with writing(tmp_path / "trace") as one:
        save_trace(second, tmp_path / "trace")
        one.finish(first, {key: one.contents.keep(first.tensors[key]) for key in first.tensors})
    assert content(open_trace(tmp_path / "trace")) == content(first)
    assert only(tmp_path, "trace")


def test_threads_that_write_one_place_leave_one_whole_trace(tmp_path: Path) -> None:
    traces = [small(), returned(it=small().valid_positions())]
    with within(60), ThreadPoolExecutor(4) as pool:
        for folder in pool.map(lambda number: save_trace(traces[number % 2], tmp_path / "trace"), range(60)):
            assert folder == tmp_path / "trace"
    assert content(open_trace(tmp_path / "trace")) in [content(trace) for trace in traces]
    assert only(tmp_path, "trace")


def test_processes_that_write_one_place_leave_one_whole_trace(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{TESTS}"}
    often = WRITER.replace("    save_trace(", "    for _ in range(40): save_trace(")
    command = [sys.executable, "-c", often, str(tmp_path / "trace")]
    writers = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [writer.communicate(timeout=120)[1] for writer in writers] == ["", ""]
    assert content(open_trace(tmp_path / "trace")) == content(small())
    assert only(tmp_path, "trace")


@pytest.mark.parametrize("folder", ["/", "some/.."])
def test_a_folder_without_a_name_of_its_own_is_refused(folder: str) -> None:
    for write in (require_writable, partial(save_trace, small())):
        with pytest.raises(OutputError, match="has no name of its own"):
            write(folder)


def test_the_current_folder_is_replaced_only_if_nothing_else_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trace").mkdir()
    (tmp_path / "trace" / "mine").touch()
    monkeypatch.chdir(tmp_path / "trace")
    with pytest.raises(OutputError, match="exists and is not a trace"):
        save_trace(small(), ".")
    (tmp_path / "trace" / "mine").unlink()
    save_trace(small(), ".")
    assert content(open_trace(tmp_path / "trace")) == content(small())
    assert only(tmp_path, "trace")


def test_a_folder_that_a_killed_writer_left_is_refused(tmp_path: Path) -> None:
    left = save_trace(small(), tmp_path / "trace").rename(tmp_path / "trace.partial-1-0")
    assert opened(left) is None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("action", ["signal=SIGKILL", "error=ENOSPC", "error=EIO"])
@pytest.mark.parametrize("call", ["pwrite64", "fsync", "rename", "mkdir"])
def test_the_system_itself_fails(call: str, action: str, tmp_path: Path) -> None:
    number = 0
    for number, folder, done in injected(WRITER, tmp_path, call, action):
        found = opened(folder)
        assert found in (None, content(small())), number
        assert (done.returncode == 0) <= (found is not None), number
        save_trace(small(), folder)
        assert content(open_trace(folder)) == content(small())
    assert number > 0
    with pytest.raises(OutputError):
        save_trace(small(), tmp_path / "calls")
