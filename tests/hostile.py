"""Checkpoints that somebody made to harm, or that are broken: each is built when a test needs it.

A builder takes a folder and the path of a marker file, which appears there only if code of the checkpoint is run.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

Builder = Callable[[Path, Path], Path]
DATA = struct.pack("<4f", 1, 2, 3, 4)


class Calls:
    """Pickled as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


class Storage:
    """Pickled as a reference to a storage."""

    def __init__(self, key: str = "0", numel: int = 4, kind: Any = torch.FloatStorage) -> None:
        self.identifier = ("storage", kind, key, "cpu", numel)


class Writer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.identifier if isinstance(obj, Storage) else None


def pickled(value: Any, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    Writer(buffer, protocol).dump(value)
    return buffer.getvalue()


def tensor(
    storage: Storage | None = None, offset: int = 0, size: tuple[int, ...] = (4,), stride: tuple[int, ...] = (1,)
) -> Calls:
    hooks: OrderedDict[str, Any] = OrderedDict()
    return Calls(torch._utils._rebuild_tensor_v2, storage or Storage(), offset, size, stride, False, hooks)


def archive(path: Path, value: Any, records: Mapping[str, bytes] | None = None, packed: bool = False) -> Path:
    """A file as torch.save writes it, of any content."""
    raw = value if isinstance(value, bytes) else pickled(value)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", raw)
        for name, data in ({"data/0": DATA} if records is None else records).items():
            file.writestr(f"archive/{name}", data)
        file.writestr("archive/version", b"3\n")
    return path


def system(marker: Path) -> Calls:
    return Calls(os.system, f"touch '{marker}'")


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def header(path: Path, entries: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return raw(path, struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(start: int, stop: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def npy(shape: str = "(4,)", descr: str = "<f4", data: bytes = DATA) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def npz(path: Path, members: Mapping[str, bytes], packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def index(folder: Path, weight_map: Any, ending: str = "safetensors", **more: Any) -> Path:
    name = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[ending]
    return raw(folder / f"{name}.index.json", json.dumps({"weight_map": weight_map, **more}).encode())


def _inside(folder: Path) -> Path:
    """A folder beside another one that holds a good file."""
    outside, inside = folder / "outside", folder / "inside"
    outside.mkdir()
    inside.mkdir()
    save_file({"x": torch.ones(2)}, outside / "x.safetensors")
    torch.save({"x": torch.ones(2)}, outside / "x.bin")
    return inside


def _torchscript(folder: Path) -> Path:
    records = {"code/__torch__.py": b"", "constants.pkl": pickled(()), "data/0": DATA}
    return archive(folder / "x.pt", {"w": tensor()}, records)


def _legacy_tar(folder: Path, marker: Path) -> Path:
    with tarfile.open(folder / "x.pt", "w") as file:
        info = tarfile.TarInfo("storages")
        content = pickled(system(marker))
        info.size = len(content)
        file.addfile(info, io.BytesIO(content))
    return folder / "x.pt"


def _twice_in_zip(folder: Path, ending: str, name: str, data: bytes) -> Path:
    path = folder / f"x.{ending}"
    archive(path, {"w": tensor()}) if ending == "pt" else npz(path, {name: data})
    with zipfile.ZipFile(path, "a") as file, _no_warning():
        file.writestr(name, data)
    return path


def _no_warning() -> Any:
    import warnings

    caught = warnings.catch_warnings()
    warnings.simplefilter("ignore")
    return caught


def _wrong_crc(folder: Path) -> Path:
    path = folder / "x.pt"
    torch.save({"w": torch.arange(100.0)}, path)
    content = path.read_bytes()
    at = content.index(np.arange(100, dtype="<f4").tobytes())
    return raw(path, content[: at + 9] + bytes([content[at + 9] ^ 1]) + content[at + 10 :])


def _nested(depth: int) -> bytes:
    return b"\x80\x02)" + b"\x85" * depth + b"."


def _key_twice() -> bytes:
    """The pickle of a dictionary that is given the key ``w`` two times."""
    one = pickled({"w": tensor()})
    start, stop = one.index(b"X\x01\x00\x00\x00w"), len(one) - 2
    item = one[start:stop]
    return one[:start] + b"(" + item + item + b"u."


def _fifo(folder: Path, name: str) -> Path:
    os.mkfifo(folder / name)
    return folder / name


def _link(path: Path, target: Path | str) -> Path:
    path.symlink_to(target)
    return path


PICKLES: dict[str, Builder] = {
    "system call": lambda f, m: archive(f / "x.pt", {"w": tensor(), "x": system(m)}),
    "eval": lambda f, m: archive(f / "x.pt", Calls(eval, f"open({str(m)!r}, 'w')")),
    "system call in the older format": lambda f, m: _older(f / "x.pt", {"w": system(m)}),
    "raw pickle": lambda f, m: raw(f / "x.pt", pickle.dumps({"w": system(m)}, 2)),
    "raw pickle of protocol 0": lambda f, m: raw(f / "x.pt", pickle.dumps(system(m), 0)),
    "stack global": lambda f, m: archive(f / "x.bin", pickle.dumps({"w": system(m)}, 4)),
    "pickle named safetensors": lambda f, m: raw(f / "x.safetensors", pickle.dumps(system(m), 2)),
    "torch file named safetensors": lambda f, m: archive(f / "x.safetensors", {"x": system(m)}),
    "numpy scalar": lambda f, m: archive(f / "x.pt", {"w": tensor(), "loss": np.float64(1)}),
    "whole module": lambda f, m: _saved(f / "x.pt", torch.nn.Linear(2, 2)),
    "packed record": lambda f, m: archive(
        f / "x.pt", {"w": tensor(Storage("0", 10**7))}, {"data/0": bytes(4 * 10**7)}, packed=True
    ),
    "declared more than the record": lambda f, m: archive(f / "x.pt", {"w": tensor(Storage("0", 4000), size=(4000,))}),
    "declared less than the record": lambda f, m: archive(f / "x.pt", {"w": tensor(Storage("0", 2), size=(2,))}),
    "offset beyond the storage": lambda f, m: archive(f / "x.pt", {"w": tensor(offset=2)}),
    "negative offset": lambda f, m: archive(f / "x.pt", {"w": tensor(offset=-1)}),
    "negative stride": lambda f, m: archive(f / "x.pt", {"w": tensor(stride=(-1,))}),
    "stride beyond the storage": lambda f, m: archive(f / "x.pt", {"w": tensor(size=(2, 2), stride=(3, 1))}),
    "stride 0 and 10^12 elements": lambda f, m: archive(f / "x.pt", {"w": tensor(size=(10**12,), stride=(0,))}),
    "shape without strides": lambda f, m: archive(f / "x.pt", {"w": tensor(size=(2, 2), stride=(1,))}),
    "empty shape too large": lambda f, m: archive(f / "x.pt", {"w": tensor(size=(0, 2**62, 8), stride=(1, 1, 1))}),
    "storage of 2^62 elements": lambda f, m: archive(f / "x.pt", {"w": tensor(Storage("0", 2**62))}),
    "sparse": lambda f, m: _saved(f / "x.pt", {"w": torch.eye(3).to_sparse()}),
    "nested out of range": lambda f, m: archive(
        f / "x.pt", {"w": Calls(torch._utils._rebuild_nested_tensor, tensor(), tensor(), tensor(), tensor())}
    ),
    "bytearray of 10^10": lambda f, m: archive(f / "x.pt", {"w": tensor(), "x": Calls(bytearray, 10**10)}),
    "range by a call": lambda f, m: archive(f / "x.pt", {"w": tensor(), "x": Calls(range, 10**10)}),
    "key twice": lambda f, m: archive(f / "x.pt", _key_twice()),
    "record twice": lambda f, m: _twice_in_zip(f, "pt", "archive/data/0", DATA),
    "unknown order of bytes": lambda f, m: archive(f / "x.pt", {"w": tensor()}, {"data/0": DATA, "byteorder": b"pdp"}),
    "wrong CRC": lambda f, m: _wrong_crc(f),
    "TorchScript": lambda f, m: _torchscript(f),
    "tar": _legacy_tar,
    "100,000 nested tuples": lambda f, m: archive(f / "x.pt", _nested(100_000)),
    "100,000 nested tuples raw": lambda f, m: raw(f / "x.pt", _nested(100_000)),
    "path as a storage's key": lambda f, m: archive(f / "x.pt", {"w": tensor(Storage("../../etc/passwd"))}),
    "path as a record": lambda f, m: archive(f / "x.pt", {"w": tensor(Storage("../../x"))}, {"data/../../x": DATA}),
    "storage that is not there": lambda f, m: archive(f / "x.pt", {"w": tensor()}, {}),
    "memo index of 2^31": lambda f, m: archive(f / "x.pt", b"\x80\x02}r\xff\xff\xff\x7f."),
    "text of 2^60 bytes": lambda f, m: archive(f / "x.pt", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"x."),
    "no data.pkl": lambda f, m: npz(f / "x.pt", {"archive/data/0": DATA}),
    "empty file": lambda f, m: raw(f / "x.pt", b""),
    "a web page": lambda f, m: raw(f / "x.bin", b"<!DOCTYPE html><html>404</html>"),
    "pipe": lambda f, m: _fifo(f, "x.pt"),
    "device": lambda f, m: _link(f / "x.pt", "/dev/zero"),
}  # fmt: skip

SAFETENSORS: dict[str, Builder] = {
    "header of 2^63": lambda f, m: header(f / "x.safetensors", b"{}", length=1 << 63),
    "header of 100 MB": lambda f, m: _long(header(f / "x.safetensors", b"{", length=100_000_001), 100_000_010),
    "overlap": lambda f, m: header(f / "x.safetensors", {"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, bytes(12)),
    "hole": lambda f, m: header(f / "x.safetensors", {"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, bytes(12)),
    "name twice": lambda f, m: header(
        f / "x.safetensors",
        b'{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"a":{"dtype":"BF16","shape":[3,2],"data_offsets":[0,12]}}',
        bytes(12),
    ),
    "half of a character": lambda f, m: header(f / "x.safetensors", {"a\ud800": entry(0, 4, [1])}, bytes(4)),
    "shape overflow": lambda f, m: header(f / "x.safetensors", {"a": entry(0, 0, [2**32, 2**32])}),
    "pipe": lambda f, m: _fifo(f, "x.safetensors"),
    "device": lambda f, m: _link(f / "x.safetensors", "/dev/zero"),
    "folder": lambda f, m: _folder(f / "x.safetensors"),
    "8,000,000 lists": lambda f, m: header(f / "x.safetensors", b'{"a":[' + b"[]," * 8_000_000 + b"[]]}"),
    "430,000 names": lambda f, m: header(f / "x.safetensors", _many(430_000)),
    "1,300,000 names": lambda f, m: header(f / "x.safetensors", _many(1_300_000)),
}

INDEXES: dict[str, Builder] = {
    **{
        f"shard at {path}": lambda f, m, path=path: index(_inside(f), {"x": path})  # type: ignore[misc]
        for path in ("../outside/x.safetensors", "/etc/x.safetensors", "C:/x.safetensors", "\\\\server\\x.safetensors",
                     "..\\x.safetensors", "x.bin", "")
    },
    "pickle outside": lambda f, m: index(_inside(f), {"x": "../outside/x.bin"}, "bin"),
    "safetensors in an index of pickles": lambda f, m: index(_inside(f), {"x": "x.safetensors"}, "bin"),
    "link outside": lambda f, m: _linked(f),
    "key that the shard lacks": lambda f, m: _shards(f, {"x": "1.bin", "y": "1.bin"}),
    "key that the index lacks": lambda f, m: _shards(f, {"z": "2.bin"}),
    "key in another shard": lambda f, m: _shards(f, {"x": "1.bin", "z": "2.bin"}),
    "evil shard": lambda f, m: _shards(f, {"x": "3.bin"}, evil=m),
    "numbers for files": lambda f, m: index(f, {"x": 1}),
    "no weight_map": lambda f, m: index(f, None),
    "20,000,000 lists": lambda f, m: raw(
        f / "model.safetensors.index.json", b'{"weight_map":[' + b"[]," * 20_000_000 + b"[]]}"
    ),
    "too large": lambda f, m: _long(index(f, {"x": "x.safetensors"}), (64 << 20) + 1),
    "YAML": lambda f, m: raw(f / "model.safetensors.index.json", b"weight_map:\n  x: x.safetensors\n"),
}  # fmt: skip

ARRAYS: dict[str, Builder] = {
    "header of 40 GB": lambda f, m: raw(f / "x.npy", npy("(10000000000,)")),
    "shape overflow": lambda f, m: raw(f / "x.npy", npy("(4294967296, 4294967296, 0)", data=b"")),
    "more than one": lambda f, m: raw(f / "x.npy", npy() + npy()),
    "objects": lambda f, m: _objects(f / "x.npy", m),
    "objects in an archive": lambda f, m: _objects(f / "x.npz", m),
    "structured": lambda f, m: _array(f / "x.npy", np.zeros(2, dtype=[("a", "<f4")])),
    "code for a shape": lambda f, m: raw(f / "x.npy", npy(f"(open({str(m)!r}, 'w'),)")),
    "nested header": lambda f, m: raw(f / "x.npy", b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000),
    "bomb": lambda f, m: npz(f / "x.npz", {"w.npy": npy("(20000000,)", data=bytes(80_000_000))}, packed=True),
    "not an array": lambda f, m: npz(f / "x.npz", {"w.npy": npy(), "readme.txt": b"hello"}),
    "pickle for an array": lambda f, m: npz(f / "x.npz", {"w.npy": pickle.dumps(system(m), 2)}),
    "array twice": lambda f, m: _twice_in_zip(f, "npz", "w.npy", npy()),
    "declared more than the body": lambda f, m: npz(f / "x.npz", {"w.npy": npy("(5,)")}),
    "path as a name": lambda f, m: npz(f / "x.npz", {"../w.npy": npy()}),
    "no zip archive": lambda f, m: raw(f / "x.npz", npy()),
    "HDF5": lambda f, m: raw(f / "x.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "HDF5 named as torch's": lambda f, m: raw(f / "x.bin", b"\x89HDF\r\n\x1a\n" + bytes(100)),
}

CORPUS: dict[str, Builder] = {
    f"{kind}: {name}": builder
    for kind, builders in {"pickle": PICKLES, "safetensors": SAFETENSORS, "index": INDEXES, "array": ARRAYS}.items()
    for name, builder in builders.items()
}
"""All of them. Each must be refused in one sentence, within seconds and without its marker."""


def _many(count: int) -> bytes:
    names = (b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(count))
    return b"{" + b",".join(names) + b"}"


def _older(path: Path, value: Any) -> Path:
    parts: tuple[Any, ...] = (
        0x1950A86A20F9469CFC6C,
        1001,
        {"protocol_version": 1001, "little_endian": True},
        value,
        [],
    )
    return raw(path, b"".join(map(pickled, parts)))


def _saved(path: Path, value: Any) -> Path:
    torch.save(value, path)
    return path


def _array(path: Path, value: Any) -> Path:
    np.save(path, value, allow_pickle=True)
    return path


def _objects(path: Path, marker: Path) -> Path:
    value = np.array([system(marker), None], dtype=object)
    if path.suffix == ".npz":
        np.savez(path, w=value)
        return path
    return _array(path, value)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _long(path: Path, size: int) -> Path:
    os.truncate(path, size)
    return path


def _linked(folder: Path) -> Path:
    inside = _inside(folder)
    _link(inside / "x.safetensors", folder / "outside" / "x.safetensors")
    return index(inside, {"x": "x.safetensors"})


def _shards(folder: Path, weight_map: Mapping[str, str], evil: Path | None = None) -> Path:
    torch.save({"x": torch.ones(1)}, folder / "1.bin")
    torch.save({"x": torch.ones(1), "z": torch.ones(1)}, folder / "2.bin")
    if evil:
        archive(folder / "3.bin", {"x": system(evil)})
    return index(folder, weight_map, "bin")
