"""A notebook that loads a port, runs it, and shows that it was verified."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

from porting import strictjson
from porting.documents.examples import Example
from porting.documents.fences import Conflict, checksum
from porting.documents.markdown import words
from porting.documents.port import Port
from porting.documents.proofs import proofs_of
from porting.errors import PortingError
from porting.stubs.literals import pylit
from porting.text import show

FORMAT, MINOR = 4, 5
OWN = "porting"
"""The key of a cell's metadata that says that it was written here, with the checksum of what was written."""
PERSONS = "title"
"""The cell that is a person's own once it is there."""


class NotebookError(PortingError):
    """A notebook cannot be read."""

    code = "notebook"


def notebook_text(port: Port, example: Example) -> str:
    """The notebook, without outputs.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    cells = [_cell(name, kind, text) for name, kind, text in _cells(port, example)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": FORMAT,
        "nbformat_minor": MINOR,
    }
    _require_valid(document)
    return _written(document)


def merged_notebook(existing: str, rendered: str) -> tuple[str, tuple[Conflict, ...]]:
    """A notebook with its own cells as they are rendered today; other cells, and changed ones, as they are.

    Raises:
        NotebookError: what is there is no notebook.
    """
    document, conflicts, changed = _read(existing), [], False
    own = [cell for cell in _read(rendered)["cells"] if OWN in cell["metadata"]]
    today = {cell["metadata"][OWN]["cell"]: cell for cell in own}
    for cell in document["cells"]:
        mark = cell.get("metadata", {}).get(OWN, {})
        new = today.get(mark.get("cell"))
        if new is None or _source(cell) == _source(new):
            continue
        if checksum(_source(cell)) == mark.get("sum"):
            cell.update({"source": new["source"], "metadata": {**cell["metadata"], **new["metadata"]}})
            cell.update({"outputs": [], "execution_count": None} if cell.get("cell_type") == "code" else {})
            changed = True
        else:
            line = existing[: max(existing.find(json.dumps(mark.get("sum", ""))), 0)].count("\n") + 1
            conflicts.append(Conflict(line, f"the cell {show(mark['cell'])} was changed by hand and is kept"))
    return _written(document) if changed else existing, tuple(conflicts)


def _cells(port: Port, example: Example) -> Iterator[tuple[str, str, str]]:
    """Name, kind and text of each cell."""
    about = "[[you: what the model does, and what this notebook shows]]"
    yield "title", "markdown", f"# {words(port.title)}\n\n{about}"
    what = f"[[you: code that loads the model and runs it once; {words(example.fault)}]]"
    yield ("example", "code", example.code.rstrip()) if example.code else ("example", "markdown", what)
    proofs = [(proof.what, proof.figure, proof.state) for proof in proofs_of(port.portfile)]
    if proofs:
        yield "measured", "markdown", "What was measured when this port was held against the original implementation:"
        rows = "".join(f"    {pylit(row)},\n" for row in proofs)
        loop = 'for what, figure, state in measured:\n    print(f"{what}: {figure} ({state})")'
        yield "verification", "code", f"measured = [\n{rows}]\n{loop}"


def _cell(name: str, kind: str, text: str) -> dict[str, Any]:
    mark = {} if name == PERSONS else {OWN: {"cell": name, "sum": checksum(text)}}
    cell: dict[str, Any] = {"cell_type": kind, "id": f"porting-{name}", "metadata": mark}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return {**cell, "source": text.splitlines(keepends=True)}


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _read(text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = strictjson.loads(text.encode())
        if document["nbformat"] != FORMAT or not isinstance(document["cells"], list):
            raise ValueError("it has another format than 4")
        if not all(map(_is_cell, document["cells"])):
            raise ValueError("one of its cells is none")
    except (ValueError, KeyError, TypeError) as error:
        raise NotebookError(
            f"the notebook cannot be read: {show(error)}", hint="move it away, then: porting write notebook"
        ) from None
    return document


def _is_cell(cell: Any) -> bool:
    """Whether a cell has what is read of it in the form that it must have."""
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata", {}), dict):
        return False
    source, mark = cell.get("source", ""), cell.get("metadata", {}).get(OWN, {})
    lines = source if isinstance(source, list) else [source]
    said = mark.values() if isinstance(mark, dict) else [None]
    return all(isinstance(each, str) for each in (*lines, *said))


def _require_valid(document: dict[str, Any]) -> None:
    """Have nbformat look at a notebook, where it is installed.

    Raises:
        NotebookError: it objects.
    """
    if importlib.util.find_spec("nbformat") is None:
        return
    import nbformat

    try:
        nbformat.validate(document)
    except nbformat.ValidationError as error:
        raise NotebookError(f"the notebook is not one of format {FORMAT}: {show(error, 300)}") from None


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
