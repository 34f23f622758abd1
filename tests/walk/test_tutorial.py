from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pairs.installed import require_original
from walk.document import Command, parts
from walk.likeness import unlike
from walk.running import Reader

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="commands run in forks of a process that has torch")
def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    require_original("minilm")
    differences = []
    with Reader(tmp_path) as reader:
        for part in parts(TUTORIAL.read_text(encoding="utf-8")):
            printed = reader.do(part)
            if isinstance(part, Command) and (difference := unlike(part.shown, printed)):
                differences.append(f"docs/tutorial.md:{part.line}: $ {part.text}\n{difference}")
    hint = "if that is right: python scripts/update_tutorial.py"
    assert not differences, "\n\n".join([*differences, hint])
