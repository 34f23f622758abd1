"""Whether a folder of weights loads as a port: every tensor equal, and every setting of the processor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from porting.quieting import quiet
from porting.text import show
from porting.weights.conversion.reloading import from_folder


def unlike_port(folder: Path, port: torch.nn.Module) -> Iterator[str]:
    """Yield what differs between a port and its class loaded from a folder, a sentence each.

    The folder may hold another dtype than the port was loaded in: values are compared in that of the folder.

    Args:
        folder: to load from.
        port: a ``PreTrainedModel``, live.
    """
    try:
        with quiet():
            loaded, problems = from_folder(folder, type(port))
    except Exception as error:
        yield f"it cannot be loaded: {type(error).__name__}: {show(error, 500)}"
        return
    yield from (problem.message for problem in problems)
    own, found = port.state_dict(), loaded.state_dict()
    for name in sorted(own.keys() ^ found.keys()):
        yield f"{show(name)} is only in the {'port' if name in own else 'folder'}"
    for name in own.keys() & found.keys():
        if own[name].shape != found[name].shape:
            yield f"{show(name)} has the shape {tuple(found[name].shape)}, and {tuple(own[name].shape)} in the port"
        elif not _equal(own[name], found[name]):
            yield f"{show(name)} has other values than in the port"


def unlike_processor(folder: Path, processor: Any) -> Iterator[str]:
    """Yield what differs between a processor and its class loaded from a folder, a sentence each.

    Args:
        folder: to load from.
        processor: of Transformers; one that cannot say its settings is not compared.
    """
    if not hasattr(processor, "to_json_string") or not hasattr(type(processor), "from_pretrained"):
        return
    try:
        with quiet():
            loaded = type(processor).from_pretrained(folder)
    except Exception as error:
        yield f"its processor cannot be loaded: {type(error).__name__}: {show(error, 500)}"
        return
    own, found = _settings(processor), _settings(loaded)
    differing = [name for name in sorted(own.keys() | found.keys()) if own.get(name) != found.get(name)]
    if differing:
        yield f"its processor has not the settings of ported_processor(): {show(', '.join(differing), 300)}"


def _settings(processor: Any) -> dict[str, Any]:
    """What a processor says of itself, but for what it noted where it was loaded."""
    said = json.loads(processor.to_json_string())
    return {name: value for name, value in said.items() if not name.startswith("_")}


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the values are the same in the second dtype; NaN at the same places is."""
    one, other = one.detach().cpu().to(other.dtype), other.detach().cpu()
    return bool(torch.equal(one, other)) or bool(torch.all((one == other) | (one.isnan() & other.isnan())))
