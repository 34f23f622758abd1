"""Write tensors to their places, in any order, while threads follow: hash, complete and synchronise each file.

A file begins with zeros where its header belongs until all else is there, so that no half of it is ever read as one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from porting.errors import PortingError
from porting.folders import write_at, write_new
from porting.tensorfiles import CHUNK_BYTES
from porting.text import show
from porting.weights.conversion.layout import INDEX, Layout, OutputFile

ALGORITHM = "sha256"
"""Of what hashlib has, the fastest where the processor helps, and what model hubs show for a file."""
FOLLOWERS = 2
"""Most files that are hashed at the same time."""
STRIDE_BYTES = 1 << 22
"""A follower is not woken for less, unless it is the end."""


class WeightsWriter:
    """Writes the files of a layout into a folder.

    Leave its ``with`` block by `finish`, or what was written is worth nothing: the folder is the caller's to remove.
    """

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        *,
        algorithm: str | None = ALGORITHM,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write to ``folder``; hash with ``algorithm`` of hashlib, if any; call ``progress`` with bytes written."""
        self._folder = folder
        self._layout = layout
        self._algorithm = algorithm
        self._progress = progress
        self._files: dict[int, _Growing] = {}
        self._hashes: dict[int, Future[str]] = {}
        self._followers = ThreadPoolExecutor(FOLLOWERS, "porting-follower")

    def __enter__(self) -> WeightsWriter:
        """Nothing is opened before the first tensor comes."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads and let go of the files."""
        for file in self._files.values():
            file.abandon()
        self._followers.shutdown(cancel_futures=True)
        for file in self._files.values():
            file.close()

    def write(self, name: str, pieces: Iterable[memoryview]) -> None:
        """Write one tensor's bytes.

        Raises:
            PortingError: they are not as many as the layout has room for.
            OSError: the disk refuses.
        """
        place = self._layout.places[name]
        file = self._opened(place.file)
        at = place.start
        for piece in pieces:
            if at + piece.nbytes > place.stop:
                raise _wrong_size(name, place.stop - place.start)
            file.write(piece, at)
            at += piece.nbytes
            if self._progress is not None:
                self._progress(piece.nbytes)
        if at != place.stop:
            raise _wrong_size(name, place.stop - place.start)
        if self._hashes[place.file].done():
            self._hashes[place.file].result()

    def finish(self) -> dict[str, str]:
        """Wait until all is on the disk; the files' hashes by name (empty texts without an algorithm).

        Raises:
            OSError: the disk refuses.
        """
        for number in range(len(self._layout.files)):
            self._opened(number)
        hashes = {file.name: self._hashes[number].result() for number, file in enumerate(self._layout.files)}
        if self._layout.index is not None:
            write_new(self._folder / INDEX, self._layout.index)
            hashes[INDEX] = hashlib.new(self._algorithm, self._layout.index).hexdigest() if self._algorithm else ""
        return hashes

    def _opened(self, number: int) -> _Growing:
        if number not in self._files:
            plan = self._layout.files[number]
            self._files[number] = _Growing(self._folder / plan.name, plan)
            self._hashes[number] = self._followers.submit(self._files[number].follow, self._algorithm)
        return self._files[number]


class _Growing:
    """One file: its ranges come in any order, `follow` runs in a thread of its own."""

    def __init__(self, path: Path, plan: OutputFile) -> None:
        self._plan = plan
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        self._written: dict[int, int] = {}
        self._front = self._awaited = len(plan.head)
        self._abandoned = False
        self._changed = threading.Condition()

    def write(self, piece: memoryview, at: int) -> None:
        write_at(self._descriptor, piece, at)
        with self._changed:
            self._written[at] = at + piece.nbytes
            while (stop := self._written.pop(self._front, None)) is not None:
                self._front = stop
            if self._front >= self._awaited:
                self._changed.notify()

    def abandon(self) -> None:
        """Have the thread end."""
        with self._changed:
            self._abandoned = True
            self._changed.notify()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def follow(self, algorithm: str | None) -> str:
        """Hash what is there up to the first gap, until all is; then write the header and wait for the disk."""
        digest = hashlib.new(algorithm, self._plan.head) if algorithm else None
        buffer = memoryview(bytearray(CHUNK_BYTES if digest else 0))
        at = len(self._plan.head)
        while at < self._plan.size:
            stop = self._wait(at)
            while digest and at < stop:
                count = os.preadv(self._descriptor, [buffer[: stop - at]], at)
                if count == 0:
                    raise PortingError(f"{show(self._plan.name)} became shorter while it was written")
                digest.update(buffer[:count])
                at += count
            at = stop
        write_at(self._descriptor, memoryview(self._plan.head), 0)
        os.fsync(self._descriptor)
        self.close()
        return digest.hexdigest() if digest else ""

    def _wait(self, at: int) -> int:
        """Wait for a good deal more than ``at`` bytes, or the end; how many there are without a gap."""
        with self._changed:
            self._awaited = min(at + STRIDE_BYTES, self._plan.size)
            while self._front < self._awaited and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                raise PortingError("writing was given up")
            return self._front


def _wrong_size(name: str, expected: int) -> PortingError:
    return PortingError(f"the data of {show(name)} is not the {expected:,} bytes that its shape and dtype take")
