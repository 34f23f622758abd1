"""Settings and fixtures of the whole test suite; one thread a process, as tests run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent, indent

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

collect_ignore = ["walk/checkout"]
"""The tutorial's port, as files of a clone of Transformers."""

PLUGIN = "porting.pytest_plugin"
INSTALLED = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
"""Whether every pytest run loads the plugin by itself; in a plain checkout it has to be named."""

pytest_plugins = ["pytester"] if INSTALLED else ["pytester", PLUGIN]

WritePortfile = Callable[..., Path]

PORTFILE = """
from pathlib import Path


def original():
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts = {{"first": nn.Linear(4, 8), "act": nn.Tanh(), "last": nn.Linear(8, 3)}}
    model = nn.Sequential()
    for name, part in parts.items():
        model.add_module(name, part)
    return model.eval()


def ported():
    import torch
    from torch import nn

    class Port(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(4, 8)
            self.act = nn.Tanh()
            self.down = nn.Linear(8, 3)

        def forward(self, input):
            return {{"hidden": (middle := self.act(self.up(input))), "result": self.down(middle)}}

    with Path("built.txt").open("a") as file:
        file.write("ported\\n")
    model = Port().eval()
    state = original().state_dict()
    model.load_state_dict({{rename(name): value for name, value in state.items()}})
    with torch.no_grad():
{damage}
    return model


def rename(name):
    module, leaf = name.split(".")
    return {{"first": "up", "last": "down"}}[module] + "." + leaf


def inputs():
    import torch

    return {{"input": torch.linspace(-1, 1, 40).reshape(2, 5, 4)}}


def outputs(original_out, ported_out):
    return [("result", original_out, ported_out["result"])]


{extra}
"""


@pytest.fixture
def write_portfile() -> WritePortfile:
    """Write the portfile of a right port with other names than the original.

    ``damage`` is run on the ported ``model`` under ``no_grad``, ``extra`` is added to the file, and each
    building of the port adds a line to ``built.txt``.
    """

    def write(folder: Path, damage: str = "pass", extra: str = "", name: str = "portfile.py") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = PORTFILE.format(damage=indent(dedent(damage), " " * 8), extra=dedent(extra))
        path.write_text(text, encoding="utf-8")
        return path

    return write


RunPytest = Callable[..., pytest.RunResult]


@pytest.fixture(scope="session")
def torch_loaded() -> None:
    """Import torch before ``pytester`` notes what is imported, or it would be dropped and imported anew."""
    import_module("porting.verification")


@pytest.fixture
def run_pytest(torch_loaded: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """Run pytest in the pytester's folder with the plugin, also where it is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    plugin = () if INSTALLED else ("-p", PLUGIN)

    def run(*args: str, subprocess: bool = False) -> pytest.RunResult:
        runner = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return runner(*plugin, "-p", "no:cacheprovider", *args)

    return run
