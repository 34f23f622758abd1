"""The checks on a pair: a context as a portfile would give it, without a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pairs.pair import Pair
from pairs.rules import RULES

from porting.checks import CheckContext, CheckResult, iterate_checks, run_check
from porting.portfile import Portfile
from porting.runs import Inputs


def context_of(pair: Pair, folder: Path, name: str | None = None, **more: Any) -> CheckContext:
    """A context of both models, live; the arguments are those of `portfile_of`."""
    return CheckContext(portfile_of(pair, folder, name, **more))


def portfile_of(pair: Pair, folder: Path, name: str | None = None, **more: Any) -> Portfile:
    """A portfile of both models, live.

    Args:
        pair: the models, as they are; a bug may have been put into the port.
        folder: of the portfile that is not there, and of the checkpoint.
        name: of the pair, for the original's checkpoint and the rules; without it there are none.
        more: further functions and constants of the portfile, by name.
    """
    functions: dict[str, Callable[..., Any]] = {
        "original": lambda: pair.original,
        "ported": lambda: pair.ported,
        "original_inputs": lambda: _given(pair.original_inputs),
        "ported_inputs": lambda: _given(pair.ported_inputs),
        "outputs": pair.outputs,
        **({} if name is None else _checkpoint_of(name, pair, folder)),
    }
    constants = {name: value for name, value in more.items() if name.isupper()}
    functions |= {name: value for name, value in more.items() if callable(value)}
    return Portfile(folder / "portfile.py", functions, constants)


def result_of(name: str, context: CheckContext) -> CheckResult:
    """What one check says."""
    (check,) = (check for check in iterate_checks() if check.name == name)
    return run_check(check, context)


def _checkpoint_of(name: str, pair: Pair, folder: Path) -> dict[str, Callable[..., Any]]:
    checkpoint = folder / "original.pt"
    torch.save(pair.original.state_dict(), checkpoint)
    return {"checkpoint": lambda: checkpoint, "rules": lambda: list(RULES[name])}


def _given(inputs: Inputs) -> Any:
    assert not (inputs.args and inputs.kwargs), "a portfile's inputs are a tuple or a dict"
    return inputs.as_given()


def context_with(folder: Path, **given: Any) -> CheckContext:
    """A context of a portfile with these functions and constants alone, without a file."""
    functions = {name: value for name, value in given.items() if not name.isupper()}
    constants = {name: value for name, value in given.items() if name.isupper()}
    return CheckContext(Portfile(folder / "portfile.py", functions, constants))
