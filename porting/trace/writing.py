"""Write a trace as a folder: shards while the model runs, the manifest last, then one rename."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from porting.folders import write_new
from porting.trace.contents import OnDisk
from porting.trace.folders import MANIFEST, replacing
from porting.trace.manifest import describe, sealed
from porting.trace.model import Trace
from porting.trace.shards import Place, ShardWriter
from porting.trace.sketches import StoredAxes

Says = Callable[[str], None]
"""Called with a short text for each shard written."""


class TraceWriter:
    """A trace that is being written: `contents` takes the tensors as they come, `finish` all the rest."""

    def __init__(self, folder: Path, shards: ShardWriter, limit: int | None = None) -> None:
        """Write into ``folder``, through ``shards``, at most ``limit`` bytes of tensors."""
        self.contents = OnDisk(shards, limit)
        self._folder = folder
        self._shards = shards

    def finish(self, trace: Trace, keys: Mapping[str, str] | None = None) -> None:
        """Complete the shards and write the manifest.

        Args:
            trace: what it says.
            keys: the key in `contents` of each key of the trace; None if they are the same.

        Raises:
            OSError: the disk refuses.
        """

        def place_of(key: str) -> Place:
            return self._shards.places[key if keys is None else keys[key]]

        document = describe(trace, place_of, self._axes_places)
        text = sealed(document, self._shards.close())
        write_new(self._folder / MANIFEST, text.encode("ascii"))

    def _axes_places(self, axes: Sequence[np.ndarray]) -> list[Place]:
        if isinstance(axes, StoredAxes) and axes.tensors is self.contents.tensors:
            return [self._shards.places[key] for key in axes.keys]
        return [self._shards.places[self.contents.keep(torch.from_numpy(axis))] for axis in axes]


@contextmanager
def writing(
    folder: str | os.PathLike[str], *, limit: int | None = None, progress: Says | None = None
) -> Iterator[TraceWriter]:
    """Write a trace to ``folder``, in the place of an earlier one and of nothing else.

    The folder appears when the block has ended without an exception and the trace is finished; else nothing is left.

    Raises:
        OutputError: something that is not a trace is there, or the disk refuses. What was there before stays.
    """
    with replacing(Path(folder)) as partial, ShardWriter(partial, progress) as shards:
        yield TraceWriter(partial, shards, limit)


def save_trace(trace: Trace, folder: str | os.PathLike[str], progress: Says | None = None) -> Path:
    """Write a trace that was made in memory, or copy one.

    Args:
        trace: complete or failed.
        folder: where; its parents are made, an earlier trace there is replaced and nothing else is.
        progress: called with a short text for each shard written.

    Returns:
        The folder.

    Raises:
        OutputError: something that is not a trace is there, or the disk refuses. What was there before stays.
    """
    with writing(folder, progress=progress) as writer:
        writer.finish(trace, {key: writer.contents.keep(tensor) for key, tensor in trace.tensors.items()})
    return Path(folder)
