"""``porting verify --explain-alignment``."""

from __future__ import annotations

from pathlib import Path

from processes import porting

from porting.demo.folder import write_demo


def test_the_alignment_is_shown_when_asked_for(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "demo").parent
    result = porting(folder, "verify", "--explain-alignment")
    assert result.returncode == 0
    assert "Which module is which" in result.stdout
    assert "original modules without a counterpart" in result.stdout
