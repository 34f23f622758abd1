"""The page of checks lists every check with its claim, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from porting.checks import iterate_checks

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_every_check_is_documented_with_its_claim_under_its_step() -> None:
    documented = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## Step ")[1:]:
        rows = re.findall(r"^\| `(check_\w+)` \| (.*) \|$", section, flags=re.MULTILINE)
        documented += [(int(section.partition(":")[0]), name, claim) for name, claim in rows]
    assert documented == [(check.step, check.name, check.claim) for check in iterate_checks()]
