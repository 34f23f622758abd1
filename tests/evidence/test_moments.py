"""Evidence that holds until a moment, and not after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from evidenced import empty_port

from porting.evidence import Outcome, changes, newest_records, record
from porting.evidence.moments import COMING, OVER, moment_today, until
from porting.evidence.renewing import about_today
from porting.evidence.subjects import about


def from_now(**time: float) -> str:
    return until(datetime.now(UTC) + timedelta(**time))


def test_a_moment_is_named_to_the_minute_wherever_it_was_said() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert until(datetime(2026, 1, 31, 21, 5, 59, tzinfo=tokyo)) == "until 2026-01-31 12:05 UTC"


@pytest.mark.parametrize(("minutes", "today"), [(5, COMING), (-5, OVER)])
def test_what_is_spoken_of_is_whether_it_is_over(minutes: float, today: str, tmp_path: Path) -> None:
    topic = from_now(minutes=minutes)
    portfile = empty_port(tmp_path)
    assert about(portfile, [topic]) == about_today(portfile, [topic]) == {topic: today}


def test_evidence_goes_stale_once_its_time_is_over(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    topics = {"comes": from_now(days=1), "over": from_now(days=-1)}
    outcomes = [Outcome(name, 14, "passed", about={topic: COMING}) for name, topic in topics.items()]
    assert record(portfile, outcomes, "porting check") is None
    found = {name: changes(each, portfile) for name, each in newest_records(portfile).items()}
    assert found == {"comes": (), "over": (f"{topics['over'].removeprefix('until ')} is over",)}


@pytest.mark.parametrize("name", ["", "tomorrow", "9999999-01-01 00:00 UTC", "2026-01-31 12:05 UTC\x1b[31m", "\0"])
def test_what_is_no_moment_is_never_fresh(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment_today(name)
    portfile = empty_port(tmp_path)
    assert record(portfile, [Outcome("a", 14, "passed", about={f"until {name}": COMING})], "porting check") is None
    (words,) = changes(newest_records(portfile)["a"], portfile)
    assert words.endswith("cannot be found")
    assert "\x1b" not in words
