from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from documented import portfile_in, written

from porting.documents.notebook import NotebookError, merged_notebook
from porting.evidence import Outcome, record
from porting.portfile import Portfile


@pytest.fixture
def portfile(tmp_path: Path) -> Portfile:
    found = portfile_in(tmp_path)
    written(found, "notebook")
    return found


def read(portfile: Portfile) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((portfile.folder / "tiny_llama.ipynb").read_text())
    return document


def cell(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [each for each in document["cells"] if each["id"] == f"porting-{name}"]
    return found


def test_the_notebook_is_one_of_format_4(portfile: Portfile) -> None:
    nbformat = pytest.importorskip("nbformat")
    document = nbformat.read(portfile.folder / "tiny_llama.ipynb", as_version=4)
    nbformat.validate(document)
    assert [each.cell_type for each in document.cells] == ["markdown", "code"]


def test_a_persons_cells_stay_and_own_ones_are_written_anew(portfile: Portfile) -> None:
    path = portfile.folder / "tiny_llama.ipynb"
    document = read(portfile)
    cell(document, "title")["source"] = ["# My title"]
    mine = {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": ["mine"]}
    document["cells"].insert(1, mine)
    cell(document, "example")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x"]}]
    path.write_text(json.dumps(document))
    other = portfile_in(portfile.folder, converted=False, HUB_ID="org/another")
    (written_again,) = written(other, "notebook").documents
    after = read(portfile)
    assert written_again.conflicts == ()
    assert cell(after, "title")["source"] == ["# My title"]
    assert mine in after["cells"]
    assert "org/another" in "".join(cell(after, "example")["source"])
    assert cell(after, "example")["outputs"] == []


def test_a_cell_that_a_person_changed_is_kept_and_told(portfile: Portfile) -> None:
    document = read(portfile)
    cell(document, "example")["source"] = ["print(1)"]
    (portfile.folder / "tiny_llama.ipynb").write_text(json.dumps(document, indent=1))
    (again,) = written(portfile, "notebook").documents
    assert again.state == "as it was"
    assert "example was changed by hand" in again.conflicts[0].message


def test_measured_figures_are_data_in_its_code(tmp_path: Path) -> None:
    portfile = portfile_in(tmp_path)
    outcome = Outcome("check_outputs_equal", 7, "passed", {"max_abs": 'x"); import os; ("'})
    assert record(portfile, [outcome], "porting check") is None
    written(portfile, "notebook")
    source = "".join(cell(read(portfile), "verification")["source"])
    names: dict[str, Any] = {}
    exec(source, names)
    assert names["measured"][0][1] == 'x"); import os; ("'
    assert "os" not in names


def test_something_else_in_its_place_is_refused(portfile: Portfile) -> None:
    (portfile.folder / "tiny_llama.ipynb").write_text("[]")
    with pytest.raises(NotebookError, match="cannot be read"):
        written(portfile, "notebook")


@pytest.mark.parametrize(
    "cell",
    [
        {"metadata": {"porting": 5}},
        {"metadata": []},
        {"metadata": {"porting": {"cell": ["x"], "sum": "1"}}, "source": "a"},
        {"metadata": {"porting": {"cell": "example", "sum": 1}}, "source": "a"},
        {"source": 5},
        {"source": ["a", 1]},
        5,
    ],
)
def test_a_cell_of_another_form_is_refused_and_kept(tmp_path: Path, cell: object) -> None:
    text = json.dumps({"nbformat": 4, "cells": [cell]})
    with pytest.raises(NotebookError, match="cells is none"):
        merged_notebook(text, '{"nbformat": 4, "cells": []}')


def test_a_mark_without_a_checksum_is_a_persons_cell() -> None:
    cell = {"metadata": {"porting": {"cell": "example"}}, "source": "mine"}
    own = {"metadata": {"porting": {"cell": "example", "sum": "1"}}, "source": "new"}
    existing = json.dumps({"nbformat": 4, "cells": [cell]})
    text, (conflict,) = merged_notebook(existing, json.dumps({"nbformat": 4, "cells": [own]}))
    assert (text, "changed by hand" in conflict.message) == (existing, True)
