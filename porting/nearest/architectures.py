"""The index: what the architectures of an installed Transformers hold, in their default sizes."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from porting.atomic import write_whole
from porting.errors import PortingError
from porting.nearest.cells import Cell, Held
from porting.progress import Progress, silent
from porting.strictjson import loads

FORMAT = 1
SHIPPED = "architectures.json.gz"
LARGEST, MOST_VALUES = 64 << 20, 4_000_000
"""Bytes of an index, unpacked, and values in it."""
MAX_DIM = 1 << 48


@dataclass(frozen=True)
class Architecture:
    """A model type with the tensors of one of its classes.

    Attributes:
        model_type: as its config says.
        class_name: of the class that was built.
        cells: its blocks in the config's default sizes.
        sizes: the numbers of its config, by name.
        heirs: how many other models are derived from it.
    """

    model_type: str
    class_name: str
    cells: tuple[Cell, ...]
    sizes: Mapping[str, int]
    heirs: int = 0


@dataclass(frozen=True)
class Index:
    """The architectures of one version of Transformers.

    Attributes:
        version: of Transformers.
        architectures: those that can be built.
        skipped: why others cannot be built, by model type.
    """

    version: str
    architectures: tuple[Architecture, ...]
    skipped: Mapping[str, str]


def read_index(progress: Progress = silent) -> Index:
    """The index of the installed Transformers: the one that is shipped, the one in the cache, or a new one.

    A new one is built once for a version, in about a minute, and kept in the user's cache folder.
    """
    return _index(version("transformers"), progress)


_kept: dict[str, Index] = {}


def _index(wanted: str, progress: Progress) -> Index:
    if wanted not in _kept:
        _kept[wanted] = _found(wanted) or _built(progress)
    return _kept[wanted]


def is_indexed() -> bool:
    """Whether there is an index of the installed Transformers, so that none need be built."""
    wanted = version("transformers")
    if wanted not in _kept and (found := _found(wanted)) is not None:
        _kept[wanted] = found
    return wanted in _kept


def shipped_index() -> Index:
    """The index that is shipped, of whichever version.

    Raises:
        OSError: there is none.
        ValueError: it is damaged.
    """
    return unpack((files("porting.nearest") / SHIPPED).read_bytes())


def _found(wanted: str) -> Index | None:
    for read in (shipped_index, lambda: unpack(cache_path(wanted).read_bytes())):
        with suppress(OSError, ValueError):
            index: Index = read()
            if index.version == wanted:
                return index
    return None


def _built(progress: Progress) -> Index:
    from porting.nearest.building import build_index

    index = build_index(progress)
    path = cache_path(index.version)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, pack(index))
    except (OSError, PortingError):
        pass  # without a cache it is built again the next time
    return index


def cache_path(wanted: str) -> Path:
    """Where the index of a version of Transformers is kept."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = given if given.is_absolute() else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - Path.home() raises for a user without a name
    return root / "porting" / f"architectures-{Path(wanted).name}.json.gz"


def pack(index: Index) -> bytes:
    """An index as bytes, the same for the same index."""
    content = {
        "format": FORMAT,
        "transformers": index.version,
        "skipped": dict(index.skipped),
        "architectures": [
            [
                each.model_type,
                each.class_name,
                [
                    [cell.path, cell.times, [[held.name, list(held.shape), held.optional] for held in cell.held]]
                    for cell in each.cells
                ],
                dict(each.sizes),
                each.heirs,
            ]
            for each in index.architectures
        ],
    }
    return gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0)


def unpack(raw: bytes) -> Index:
    """Read what `pack` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        content = loads(_unzipped(raw), most=MOST_VALUES)
        if content["format"] != FORMAT:
            raise ValueError("the index is of another format")
        return Index(
            _text(content["transformers"]),
            tuple(_architecture(each) for each in content["architectures"]),
            MappingProxyType({_text(name): _text(why) for name, why in content["skipped"].items()}),
        )
    except (TypeError, KeyError, AttributeError, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"this is no index of architectures: {type(error).__name__}") from None


def _unzipped(raw: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    text = unzip.decompress(raw, LARGEST)
    if not unzip.eof:
        raise ValueError("the index is cut off, or too large")
    return text


def _architecture(given: Any) -> Architecture:
    model_type, class_name, cells, sizes, heirs = given
    return Architecture(
        _text(model_type),
        _text(class_name),
        tuple(_cell(cell) for cell in cells),
        MappingProxyType({_text(name): _size(value) for name, value in sizes.items()}),
        _size(heirs),
    )


def _cell(given: Any) -> Cell:
    path, times, held = given
    return Cell(
        _text(path),
        _size(times),
        tuple(Held(_text(name), tuple(map(_size, shape)), _size(optional)) for name, shape, optional in held),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_DIM:
        raise TypeError("a size is expected")
    return value
