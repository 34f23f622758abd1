"""Step 4: the original's forward runs, and what it is given is separate from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checked import context_with, result_of
from torch import nn

from porting.checks import CheckContext, CheckResult
from porting.portfile import Portfile

RUNS, SEPARATE = "check_original_runs", "check_inputs_separate"


class Model(nn.Module):
    """Maps numbers, texts are counted."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.factor = factor

    def forward(self, first: Any = None, second: Any = None, mode: str = "sum") -> Any:
        if mode == "raise":
            raise ValueError("no such mode")
        given = first if isinstance(first, torch.Tensor) else torch.ones(1, 2)
        return self.layer(given) * self.factor


def context(folder: Path, given: Any, factor: float = 1.0) -> CheckContext:
    model = Model(factor).eval()
    return context_with(folder, original=lambda: model, ported=lambda: model, inputs=lambda: given)


def said(name: str, folder: Path, given: Any, factor: float = 1.0) -> CheckResult:
    return result_of(name, context(folder, given, factor))


def test_an_original_that_runs_passes_with_its_calls(tmp_path: Path) -> None:
    result = said(RUNS, tmp_path, {"first": torch.ones(1, 2)})
    assert (result.status, result.figures["calls"], result.figures["tensors"]) == ("passed", 2, 1)


def test_an_original_that_raises_or_gives_no_numbers_is_refuted(tmp_path: Path) -> None:
    raised = said(RUNS, tmp_path, {"first": torch.ones(1, 2), "mode": "raise"})
    assert (raised.status, "no such mode" in raised.message) == ("failed", True)
    empty = said(RUNS, tmp_path, {"first": torch.ones(1, 2)}, float("nan"))
    assert (empty.status, "no finite number" in empty.message) == ("failed", True)


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({"first": torch.ones(1, 2)}, 0),
        ({"first": torch.ones(1, 2), "mode": "mean"}, 1),
        ({"first": torch.ones(1, 2), "second": [1, None, True, {"deep": 2.0}]}, 0),
    ],
)
def test_numbers_and_options_are_no_text(given: dict[str, Any], texts: int, tmp_path: Path) -> None:
    result = said(SEPARATE, tmp_path, given)
    assert (result.status, result.figures["texts"]) == ("passed", texts)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"first": "hello"}, "first"),
        ({"first": ["hello", "world"]}, "first.0"),
        ({"first": torch.ones(1, 2), "second": ["one", "a whole \x1b[31msentence"]}, "second.1"),
        ({"first": torch.ones(1, 2), "second": b"a whole sentence"}, "second"),
    ],
)
def test_text_among_the_inputs_is_named(given: dict[str, Any], name: str, tmp_path: Path) -> None:
    result = said(SEPARATE, tmp_path, given)
    assert result.status == "failed"
    assert f"its input {name}:" in result.message
    assert "\x1b" not in result.message


def test_an_original_in_another_interpreter_is_asked_to_repeat_there(tmp_path: Path) -> None:
    model = Model().eval()
    functions: dict[str, Callable[..., Any]] = {"original": lambda: model, "ported": lambda: model}
    constants = {"ORIGINAL_PYTHON": "python"}
    elsewhere = CheckContext(Portfile(tmp_path / "portfile.py", functions, constants))
    result = result_of("check_original_repeats", elsewhere)
    assert (result.status, result.lacking) == ("skipped", True)
    assert "capture --side original --repeat 2" in result.message
    constants = {"ORIGINAL_TRACE": "traces/original"}
    recorded = result_of(
        "check_original_repeats", CheckContext(Portfile(tmp_path / "portfile.py", functions, constants))
    )
    assert (recorded.lacking, recorded.message.startswith("the original is a recorded one")) == (True, True)
