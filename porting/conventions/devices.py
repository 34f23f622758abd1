"""Devices that are written down, so that the model runs nowhere else."""

from __future__ import annotations

import ast
import re

from porting.conventions.calls import Called, calls
from porting.conventions.files import Source
from porting.text import show

ACCELERATOR = re.compile(r"(?:cuda|xpu|mps|npu|hpu|mlu|musa|xla|tpu)(?::\d+)?")
MAKING = re.compile(
    r"torch\.(?:arange|empty|eye|full|linspace|logspace|ones|rand|randint|randn|randperm|scalar_tensor|tensor"
    r"|tril_indices|triu_indices|zeros)"
)
"""Functions of torch that make a tensor on a device."""
COMPUTING = ("forward", "__call__")
"""Methods whose tensors meet the model's own; what others make on the cpu is often a table or a setting."""
TAKEN = ("tolist", "item", "numpy", "to")
"""What is done with a tensor that stays where it is, or moves on."""
ASKING = ("is_available", "device", "device_type", "get_current_accelerator")
"""Names in a test of what there is."""


def fixed_devices(source: Source) -> list[tuple[int, str]]:
    """Line and words of each line of a file on which a device is written down.

    An accelerator in ``.cuda()``, ``.to("cuda:0")``, ``torch.device("cuda")`` or as ``device=``; the cpu where a
    tensor is made in a forward. What stands under a test of what there is, or behind ``or``, is left
    alone, and so is what moves a result to the cpu.
    """
    found: dict[int, str] = {}
    for called in calls(source):
        if not _is_asked(called) and (words := _words(called)):
            found.setdefault(called.node.lineno, words)
    return sorted(found.items())


def _words(called: Called) -> str:
    if called.name == ".cuda":
        if any(not isinstance(each, ast.Constant) for each in called.node.args):
            return ""
        return ".cuda() moves it to one kind of device"
    device = _device(called)
    if device is None:
        return ""
    if ACCELERATOR.fullmatch(device):
        return f"the device {show(device)} is written down"
    computing = MAKING.fullmatch(called.name) and set(COMPUTING) & set(called.functions)
    if device != "cpu" or not computing or any(_name(each) in TAKEN for each in called.above):
        return ""
    return "a tensor is made on the cpu, wherever the model is"


def _device(called: Called) -> str | None:
    """The device that a call is given as text; None if it is given none so."""
    if called.name == "torch.device":
        return _text(called.argument("type", 0))
    if called.name.startswith(".") and called.name[1:] in ("to", "to_empty"):
        return _text(called.argument("device", 0))
    return _text(called.argument("device"))


def _text(node: ast.expr | None) -> str | None:
    """A text that is written down, by itself or in ``torch.device()``."""
    if isinstance(node, ast.Call) and node.args and not node.keywords and ast.unparse(node.func) == "torch.device":
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_asked(called: Called) -> bool:
    """Whether a call stands under a test of what there is, or behind ``or``."""
    if any(isinstance(each, ast.BoolOp) for each in called.above):
        return True
    tests = (each.test for each in called.above if isinstance(each, (ast.If, ast.IfExp)))
    return any(_name(node) in ASKING for test in tests for node in ast.walk(test))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
