"""Whether a folder of weights loads as a port: every tensor equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the values are the same in the second dtype; NaN at the same places is."""
    one, other = one.detach().cpu().to(other.dtype), other.detach().cpu()
    return bool(torch.equal(one, other)) or bool(torch.all((one == other) | (one.isnan() & other.isnan())))
