"""Every check on real ports that are right: none objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from checked import context_of
from pairs.catalogue import NAMES, build
from pairs.installed import require_original

from porting.checks import iterate_checks, run_check


@pytest.mark.parametrize("name", NAMES)
def test_no_check_objects_to_a_right_port(name: str, tmp_path: Path) -> None:
    require_original(name)
    context = context_of(build(name), tmp_path, name)
    results = [run_check(check, context) for check in iterate_checks()]
    assert [result.failure_message() for result in results if result.status not in ("passed", "skipped")] == []
    assert all(result.message for result in results if result.status == "skipped")
