"""The page of causes lists every code that diagnosis can name, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from porting.diagnosis.causes import all_causes

PAGE = Path(__file__).parents[2] / "docs" / "causes.md"


def test_every_code_is_documented() -> None:
    cells = re.findall(r"^\| (`.*?`) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    documented = [code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)]
    assert sorted(documented) == sorted({code for cause in all_causes() for code in cause.codes})
