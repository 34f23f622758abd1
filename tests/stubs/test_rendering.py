from __future__ import annotations

import ast

import pytest

from porting.errors import GenerationError
from porting.stubs import rendering
from porting.stubs.literals import FILTERS
from porting.stubs.rendering import render

NAMES = {
    "imports": [],
    "helpers": [],
    "sizes": [],
    "functions": [],
    "has_steps": False,
    "has_one_way": False,
    "reasons": [],
}
HOSTILE = '"""\nimport os\nos.system("true")\n"""'


def data(name: str) -> dict[str, object]:
    return {"year": 2026, "name": name, "key": "x", "entries": [], "ignored": []}


def test_a_name_is_made_harmless() -> None:
    text = render("conversion_mapping.py.jinja", NAMES, data(HOSTILE))
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    assert "os.system" not in calls


def test_a_filter_that_lets_code_through_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "FILTERS", {**FILTERS, "plain": str})
    with pytest.raises(GenerationError, match="became code"):
        render("conversion_mapping.py.jinja", NAMES, data(HOSTILE))
