"""Step 13: a notebook runs from top to bottom, or the cell that does not is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checked import context_with, result_of

from porting.checks import CheckResult

NAME = "check_notebook_runs"


def said(folder: Path, *sources: str | list[str], **metadata: Any) -> CheckResult:
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": "# A model"}]
    cells += [{"cell_type": "code", "source": source} for source in sources]
    path = folder / "a 'b'.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    text = path.read_text()
    result = result_of(NAME, context_with(folder))
    assert path.read_text() == text
    return result


def test_without_a_notebook_the_step_does_not_apply(tmp_path: Path) -> None:
    result = result_of(NAME, context_with(tmp_path))
    assert (result.status, result.lacking) == ("skipped", False)


def test_cells_share_their_names_and_run_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("X = 2")
    result = said(
        tmp_path,
        ["%matplotlib inline\n", "!pip install nothing\n", "import beside\n", "x = beside.X"],
        "def double(y):\n    return x * y\n",
        "display(double(3))\nassert __name__ == '__main__' and double(3) == 6",
    )
    assert (result.status, result.figures) == ("passed", {"notebooks": 1, "cells": 3}), result.message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ValueError('no \\x1b[31mway')", "cell 3: ValueError: no \\x1b[31mway"),
        ("def (", "cell 3: SyntaxError"),
        ("import os; os._exit(5)", "cell 3: it said nothing and ended with 5"),
        ("import sys; sys.exit('stop')", "cell 3: stop"),
    ],
)
def test_the_cell_that_does_not_run_is_named(source: str, words: str, tmp_path: Path) -> None:
    result = said(tmp_path, "x = 1", source, "never = 1")
    assert (result.status, words in result.message) == ("failed", True), result.message
    assert "\x1b" not in result.message


def test_a_notebook_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.checks.notebook.SECONDS", 1.0)
    result = said(tmp_path, "import time; time.sleep(60)")
    assert (result.status, "cell 2: it did not end within 1 seconds" in result.message) == ("failed", True)


def test_a_notebook_without_code_shows_nothing(tmp_path: Path) -> None:
    assert "it has no code" in said(tmp_path).message


@pytest.mark.parametrize("line", ["%timeit f(1)", "files = !ls", "!ls", "torch.zeros?", "%%bash\nls"])
def test_lines_of_ipython_ask_for_it(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.notebooks.has_ipython", lambda: False)
    result = said(tmp_path, f"x = 1\n{line}" if not line.startswith("%%") else line)
    assert (result.lacking, "pip install nbclient nbformat ipykernel" in result.hint) == (True, True)


def test_code_with_such_signs_is_code(tmp_path: Path) -> None:
    assert said(tmp_path, "x = 7 \\\n    % 4\ny = 3 != 2\nassert (x, y) == (3, True), 'why?'").status == "passed"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 1}', '{"cells": [{"source": ""}]}', "\x00"])
def test_what_is_no_notebook_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "it.ipynb").write_text(text)
    result = result_of(NAME, context_with(tmp_path))
    assert (result.status, "cannot be read as a notebook" in result.message) == ("error", True)


def test_another_language_is_an_error(tmp_path: Path) -> None:
    assert "is written in julia" in said(tmp_path, "x = 1", kernelspec={"language": "julia"}).message
