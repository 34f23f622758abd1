"""Ruff runs with Transformers' settings, or with those of a checkout, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.linting.ruff import UNFORMATTED, RuffError, find_ruff, find_with_ruff

RIGHT = '"""A file."""\n\nimport torch\n\n\nZERO = torch.zeros(1)\n'


def found(folder: Path, text: str, own: Path | None = None) -> list[tuple[int, str]]:
    ruff = find_ruff()
    if ruff is None:
        pytest.skip("ruff is not installed")
    path = folder / "-modeling \x1b[31mfirst.py"
    path.write_text(text)
    findings = find_with_ruff(ruff, [path], folder, own)
    assert path.read_text() == text
    assert {each.path for each in findings} <= {path}
    return [(each.line, each.rule) for each in findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RIGHT, []),
        (RIGHT + "l = 1\n", []),
        ("import os\n\n\nX = 1\n", [(1, "F401")]),
        ("X = [ 1 ]\n", [(0, UNFORMATTED)]),
        (f"X = '{'x' * 200}'\n", [(0, UNFORMATTED)]),
    ],
)
def test_the_rules_of_transformers_hold(text: str, expected: list[tuple[int, str]], tmp_path: Path) -> None:
    assert found(tmp_path, text) == expected


def test_a_file_that_is_not_python_is_a_finding(tmp_path: Path) -> None:
    findings = found(tmp_path, "def (\n")
    assert findings
    assert not [rule for _, rule in findings if rule == UNFORMATTED]


def test_the_settings_of_a_checkout_come_first(tmp_path: Path) -> None:
    own = tmp_path / "pyproject.toml"
    own.write_text('[tool.ruff.lint]\nselect = ["A"]\n')
    assert found(tmp_path, "import os\n\nsum = os\n", own) == [(3, "A001")]
    own.write_text("[tool.other]\n")
    assert found(tmp_path, "import os\n\n\nX = 1\n", own) == [(1, "F401")]


def test_settings_that_ruff_cannot_read_are_an_error(tmp_path: Path) -> None:
    own = tmp_path / "pyproject.toml"
    own.write_text('[tool.ruff]\nline-length = "long"\n')
    with pytest.raises(RuffError, match="could not be run"):
        found(tmp_path, RIGHT, own)
