from __future__ import annotations

from typing import TYPE_CHECKING

from evidenced import add, change, empty_port, newest

from porting.evidence import Outcome, changes, record, staleness
from porting.evidence.renewing import KINDS, about_today
from porting.evidence.subjects import ABSENT
from porting.portfile import Portfile

if TYPE_CHECKING:
    from pathlib import Path

SUBJECTS = ("file code.py", "function ported", "constant TOLERANCE", "expected check_a", "version torch")


def test_subjects_of_today_are_fresh_and_say_when_they_change(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path, "TOLERANCE = {'atol': 1e-3}\n")
    about = about_today(portfile, SUBJECTS)
    assert set(about) == set(SUBJECTS)
    record(portfile, [Outcome("theory", 1, "ticked", about=about, by="Ada", reason="seen")], "porting checklist")
    tick = newest(portfile, "theory")
    assert changes(tick, portfile) == ()
    change(portfile)
    portfile.path.write_text(portfile.path.read_text().replace("def ported(): ...", "def ported(): return 1"))
    other = Portfile.load(portfile.path)
    assert set(changes(tick, other)) == {"code.py changed", "ported() changed in portfile.py"}
    assert changes(tick, other) != changes(newest(portfile, "theory"), portfile)


def test_what_is_gone_is_absent_and_what_is_unknown_is_passed_over(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    add(portfile, "theory", "ticked", by="Ada")
    about = about_today(
        portfile, ["file gone.py", "package no_such/thing.py", "headers file no.pt", "of another time"]
    )
    assert about == {"file gone.py": ABSENT}


def test_every_kind_that_can_go_stale_can_be_renewed() -> None:
    assert set(KINDS) == {*staleness._READ, *staleness._WORDS}
