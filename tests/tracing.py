"""Small models and traces, and what a trace says in a form that can be compared."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from porting import capture
from porting.trace import Trace
from porting.trace.bits import as_bytes
from porting.trace.folders import MANIFEST
from porting.trace.manifest import manifest_hash
from porting.trace.parts import ModuleInfo, Value

Edit = Callable[[dict[str, Any]], object]


class Returning(nn.Module):
    """Returns what it was made with, whatever it is given."""

    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.values = [values]

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return self.values[0]


def returned(**values: Any) -> Trace:
    return capture(Returning(**values), (torch.ones(1),))


def small() -> Trace:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    return capture(model, (torch.ones(1, 2),), valid_positions=torch.tensor([[True, False]]), side="original")


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return tensor.dtype, tuple(tensor.shape), bytes(as_bytes(tensor.contiguous()).numpy())


def content(trace: Trace) -> dict[str, Any]:
    """All that a trace says, in a form that can be compared."""

    def value(each: Value) -> Any:
        leaves = [
            (leaf.name, leaf.dtype, leaf.shape, leaf.strides, leaf.value, leaf.type_name) for leaf in each.leaves
        ]
        return each.structure, leaves, [bits(trace.tensor(leaf)) for leaf in each.tensor_leaves()]

    def module(each: ModuleInfo) -> Any:
        parameters = [
            (
                p.name,
                p.kind,
                p.dtype,
                p.shape,
                p.tied_to,
                p.sketch and (p.sketch.crc32, *map(np.ndarray.tobytes, p.sketch.axes)),
            )
            for p in each.parameters
        ]
        return each.class_name, each.training, each.alias_of, dict(each.settings), parameters

    valid = trace.valid_positions()
    return {
        "calls": [(c.index, *c.key, c.class_name, c.parent, value(c.inputs), value(c.outputs)) for c in trace.calls],
        "modules": [(path, module(info)) for path, info in trace.modules.items()],
        "inputs": value(trace.inputs),
        "outputs": value(trace.outputs),
        "run": dict(trace.run),
        "valid": None if valid is None else bits(valid),
        "failure": trace.failure,
    }


def only(folder: Path, *names: str) -> bool:
    return sorted(entry.name for entry in folder.iterdir()) == sorted(names)


def forward_of(function: Callable[..., Any], **parts: nn.Module) -> nn.Module:
    """A module with these parts and this forward, which is given the module first."""

    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                self.add_module(name, part)

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return function(self, *args, **kwargs)

    return Made()


def outputs(trace: Trace) -> dict[str, list[Any]]:
    """The tensors that each call returned."""
    return {call.label: [trace.tensor(leaf).tolist() for leaf in call.outputs.tensor_leaves()] for call in trace.calls}


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def edited(folder: Path, edit: Edit, *, inline: bool = True) -> Path:
    """Change a manifest and make its hash right again; its layout is then another.

    Structures and leaves stand where they are used, as people write them, unless they are to stay in tables.
    """
    path = folder / MANIFEST
    document = json.loads(path.read_text())
    document["checksums"].pop("layout", None)
    if inline:
        put_in_place(document)
    edit(document)
    document["sha256"] = manifest_hash(document)
    path.write_text(json.dumps(document))
    return folder


def put_in_place(document: dict[str, Any]) -> None:
    structures, leaves = document.pop("structures", []), document.pop("leaves", [])
    owners = [document, *document["calls"]]
    values = [owner[name] for owner in owners for name in ("inputs", "outputs", "gradients") if name in owner]
    for value in values:
        if isinstance(value["structure"], int):
            value["structure"] = copy.deepcopy(structures[value["structure"]])
        value["leaves"] = [copy.deepcopy(leaves[leaf]) if isinstance(leaf, int) else leaf for leaf in value["leaves"]]


def put(*path: Any) -> Edit:
    """Set the last of ``path`` at the place that the others name."""

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return edit
