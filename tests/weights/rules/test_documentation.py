"""What docs/rules.md shows is so: its examples run, its table has every operation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from porting import weights
from porting.weights.rules.operation import Operation

TEXT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
ROWS = [line.split(" | ") for line in TEXT.split("## Operations")[1].split("## ")[0].splitlines() if line[:3] == "| `"]


def test_the_examples_run() -> None:
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/rules.md", "exec"), names)
    assert len(EXAMPLES) == 5
    assert {"rules", "ported", "merged", "fused"} <= names.keys()


def test_every_operation_is_in_the_table() -> None:
    exported = {name for name in weights.__all__ if is_operation(getattr(weights, name))}
    assert {re.match(r"\| `(\w+)\(", row[0])[1] for row in ROWS} == exported  # type: ignore[index]


def is_operation(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Operation)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_the_table_says_can_be_undone_can(row: list[str]) -> None:
    written = row[0].removeprefix("| `").removesuffix("`")
    operation = eval(written, {**vars(weights), "function": torch.clone})
    assert isinstance(operation, Operation)
    assert (operation.inverse() is None) == row[2].startswith(("no ", "with "))
