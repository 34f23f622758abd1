"""The tutorial is a walk through a whole port: every command in it is run, from the first one to the pull request.

It costs about two minutes of one core. The weights are real; the clone of Transformers stands in for one that cannot
be downloaded (`walk.clone`), and what the contributor writes by hand is in `checkout/` and `written.json`.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pairs.installed import require_original
from walk.document import Command, parts
from walk.likeness import unlike
from walk.running import DOCUMENTS, Reader

from porting.parts import parts_left

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="commands run in forks of a process that has torch")
@pytest.mark.skipif(find_spec("mlinter") is None, reason="pip install transformers-mlinter")
def test_the_tutorial_prints_what_it_shows_and_ends_with_a_complete_checklist(tmp_path: Path) -> None:
    require_original("minilm")
    with Reader(tmp_path) as reader:
        differences = list(filter(None, (_difference(reader, part) for part in parts(TUTORIAL.read_text("utf-8")))))
        assert not differences, "\n\n".join([*differences, "if that is right: python scripts/update_tutorial.py"])
        checklist = json.loads("\n".join(reader.type("porting checklist --json")))
        markdown = "\n".join(reader.type("porting checklist --markdown"))
    _assert_complete(checklist)
    assert markdown.count("ticked by Ada Test: ") == len(_said(checklist))
    for name in DOCUMENTS:
        assert not parts_left((reader.folder / name).read_text(encoding="utf-8"))


def _difference(reader: Reader, part: Any) -> str:
    printed = reader.do(part)
    difference = unlike(part.shown, printed) if isinstance(part, Command) else ""
    return f"docs/tutorial.md:{part.line}: $ {part.text}\n{difference}" if difference else ""


def _assert_complete(checklist: dict[str, Any]) -> None:
    """Every claim that a program verifies is verified; a person says the others, by name and with a reason."""
    claims = [claim for step in checklist["steps"] if not step["optional"] for claim in step["claims"]]
    required = [claim for claim in claims if not claim["optional"]]
    programs = {claim["state"] for claim in required if claim["kind"] == "program"}
    people = {claim["state"] for claim in required if claim["kind"] == "person"}
    assert checklist["complete"]
    assert programs == {"done", "not applicable"}
    assert people == {"by hand"}
    assert all(claim["by"] == "Ada Test" and claim["reason"] for claim in _said(checklist))


def _said(checklist: dict[str, Any]) -> list[dict[str, Any]]:
    return [claim for step in checklist["steps"] for claim in step["claims"] if claim["state"] == "by hand"]
