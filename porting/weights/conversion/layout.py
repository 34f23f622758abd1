"""Where each tensor will lie: the names, headers and byte ranges of the files, all known before a byte is written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from porting.errors import PortingError
from porting.tensorfiles import DTYPE_BITS, MAX_HEADER_BYTES, torch_dtypes
from porting.text import show
from porting.weights.report import Spec

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
METADATA = {"format": "pt"}
"""What a safetensors file of Transformers says about itself."""
ENTRY_BYTES = 256
"""More than an entry of a header takes beside its name, for any shape of a model."""


@dataclass(frozen=True, slots=True)
class Place:
    """The byte range of a tensor in the file with this number."""

    file: int
    start: int
    stop: int


@dataclass(frozen=True)
class OutputFile:
    """One file to write.

    Attributes:
        name: in its folder.
        head: the bytes before the first tensor: length and header.
        size: of the whole file, in bytes.
        tensors: their names, in the order of their bytes.
    """

    name: str
    head: bytes
    size: int
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """All files of a checkpoint, and the place of each tensor.

    Attributes:
        files: the safetensors files.
        places: by the tensor's name.
        index: the content of ``model.safetensors.index.json``; None for a single file.
    """

    files: tuple[OutputFile, ...]
    places: Mapping[str, Place]
    index: bytes | None

    @property
    def size(self) -> int:
        """Bytes to write."""
        return sum(file.size for file in self.files) + len(self.index or b"")


def lay_out(specs: Mapping[str, Spec], most: int) -> Layout:
    """Lay tensors out in files of at most ``most`` bytes of tensors, named as ``save_pretrained`` names them.

    A file holds a run of ``specs`` in their order; a tensor larger than ``most`` has a file of its own. Within a
    file, wider dtypes come first, as the safetensors library has it, so that every tensor is aligned.

    Raises:
        PortingError: safetensors has no such dtype.
    """
    sizes = {name: byte_size(name, spec) for name, spec in specs.items()}
    groups = list(_groups(sizes, most))
    places: dict[str, Place] = {}
    files = []
    for number, group in enumerate(groups):
        name = SINGLE if len(groups) == 1 else f"model-{number + 1:05d}-of-{len(groups):05d}.safetensors"
        ordered = sorted(group, key=lambda each: -DTYPE_BITS[file_dtype(each, specs[each])])
        files.append(_file(name, number, ordered, specs, sizes, places))
    return Layout(tuple(files), places, _index(files, sizes) if len(files) > 1 else None)


def byte_size(name: str, spec: Spec) -> int:
    """Bytes that a tensor takes in a file.

    Raises:
        PortingError: safetensors has no such dtype.
    """
    return math.prod(spec.shape) * DTYPE_BITS[file_dtype(name, spec)] // 8


def file_dtype(name: str, spec: Spec) -> str:
    """The dtype of a tensor in the words of safetensors.

    Raises:
        PortingError: there is no such word.
    """
    if spec.dtype in _words():
        return _words()[spec.dtype]
    raise PortingError(
        f"{show(name)} is {show(spec.dtype)}, which a safetensors file cannot hold",
        hint="cast it in the rules: Convert(source, target, Cast(dtype))",
    )


def _words() -> dict[str, str]:
    """The format's word of a dtype in torch's words; what torch lacks is called as in the format."""
    if not _WORDS:
        _WORDS.update((word, word) for word in DTYPE_BITS)
        _WORDS.update((str(dtype).removeprefix("torch."), word) for word, dtype in torch_dtypes().items())
    return _WORDS


_WORDS: dict[str, str] = {}


def _groups(sizes: Mapping[str, int], most: int) -> Iterable[list[str]]:
    """Runs of names that go into one file each; what has a file of its own does not end a run."""
    group: list[str] = []
    room, header = most, MAX_HEADER_BYTES
    for name, size in sizes.items():
        entry = len(json.dumps(name)) + ENTRY_BYTES
        if size > most:
            yield [name]
            continue
        if group and (size > room or entry > header):
            yield group
            group, room, header = [], most, MAX_HEADER_BYTES
        group.append(name)
        room, header = room - size, header - entry
    if group:
        yield group


def _file(
    name: str,
    number: int,
    tensors: Sequence[str],
    specs: Mapping[str, Spec],
    sizes: Mapping[str, int],
    places: dict[str, Place],
) -> OutputFile:
    entries: dict[str, object] = {"__metadata__": METADATA}
    ranges: dict[str, tuple[int, int]] = {}
    end = 0
    for tensor in tensors:
        start, end = end, end + sizes[tensor]
        ranges[tensor] = start, end
        dtype = file_dtype(tensor, specs[tensor])
        entries[tensor] = {"dtype": dtype, "shape": list(specs[tensor].shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text = text.ljust(-(-len(text) // 8) * 8)
    head = len(text).to_bytes(8, "little") + text
    places.update((tensor, Place(number, len(head) + a, len(head) + b)) for tensor, (a, b) in ranges.items())
    return OutputFile(name, head, len(head) + end, tuple(tensors))


def _index(files: Sequence[OutputFile], sizes: Mapping[str, int]) -> bytes:
    weight_map = {tensor: file.name for file in files for tensor in file.tensors}
    document = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
    return json.dumps(document, indent=2, sort_keys=True).encode("ascii") + b"\n"
