from __future__ import annotations

from pathlib import Path

from porting.checks import CheckContext, record_checks, run_checks
from porting.evidence import changes, newest_records
from porting.portfile import Portfile

PORTFILE = """
from pathlib import Path

import torch


def original():
    return torch.nn.Linear(2, 2).eval()


def ported():
    if Path("converted", "weights.pt").is_file():
        return torch.load(Path("converted", "weights.pt"), weights_only=False)
    return torch.nn.Linear(2, 2).eval()


def inputs():
    return {"input": torch.ones(1, 2)}
"""


def test_a_port_that_may_come_from_a_folder_is_another_one_once_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "portfile.py").write_text(PORTFILE)
    context = CheckContext(Portfile.load(tmp_path / "portfile.py"))
    assert record_checks(context, run_checks(context, ["runs_repeat", "original_eval_mode", "structure"])) is None
    portfile = Portfile.load(tmp_path / "portfile.py")
    records = newest_records(portfile)
    assert [changes(record, portfile) for record in records.values()] == [(), (), ()]
    (tmp_path / "converted").mkdir()
    (tmp_path / "converted" / "other.txt").touch()
    assert changes(records["check_runs_repeat"], portfile) == ()
    (tmp_path / "converted" / "weights.pt").touch()
    assert changes(records["check_runs_repeat"], portfile) == ("converted/weights.pt was added",)
    assert changes(records["check_original_eval_mode"], portfile) == ()
    assert changes(records["check_structure"], portfile) == ()
