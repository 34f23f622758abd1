from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import hostile
import pytest
from processes import porting, write_portfile

from porting.errors import CheckpointError
from porting.weights import read_headers

if TYPE_CHECKING:
    from pathlib import Path

BY_COMMAND = (
    "pickle: system call",
    "pickle: raw pickle",
    "pickle: 100,000 nested tuples",
    "safetensors: 1,300,000 names",
    "index: link outside",
    "array: bomb",
)

FOREIGN, UNLIKE = "would run code of posix.system", "but not one that torch.save wrote"
OUTSIDE, VALUES = "is not a path within its folder", "values"
REASONS = {
    "pickle: system call": FOREIGN,
    "pickle: eval": "would run code of builtins.eval",
    "pickle: system call in the older format": FOREIGN,
    "pickle: raw pickle": FOREIGN,
    "pickle: raw pickle of protocol 0": FOREIGN,
    "pickle: stack global": FOREIGN,
    "pickle: pickle named safetensors": "not a valid safetensors file",
    "pickle: torch file named safetensors": "not a valid safetensors file",
    "pickle: numpy scalar": "multiarray.scalar, numpy.dtype",
    "pickle: whole module": "would run code of torch.nn.modules.linear.Linear;",
    "pickle: packed record": "is packed, which torch never does",
    "pickle: declared more than the record": "4,000 elements of float32, and the file holds 16 bytes",
    "pickle: declared less than the record": "2 elements of float32, and the file holds 16 bytes",
    "pickle: offset beyond the storage": "w reaches beyond its storage",
    "pickle: negative offset": "a size, stride or offset that is none",
    "pickle: negative stride": "a size, stride or offset that is none",
    "pickle: stride beyond the storage": "w reaches beyond its storage",
    "pickle: stride 0 and 10^12 elements": "w repeats a few elements into (1000000000000,)",
    "pickle: shape without strides": "no tensor can have the shape and strides of w",
    "pickle: empty shape too large": "no tensor can have the shape and strides of w",
    "pickle: storage of 2^62 elements": "and the file holds 16 bytes of it",
    "pickle: sparse": "torch._utils._rebuild_sparse_tensor",
    "pickle: nested out of range": "torch._utils._rebuild_nested_tensor",
    "pickle: bytearray of 10^10": "a buffer of a size that it gives",
    "pickle: range by a call": "would run code of builtins.xrange",
    "pickle: key twice": "it gives a key twice",
    "pickle: record twice": "the record 'archive/data/0' twice",
    "pickle: unknown order of bytes": "in an unknown order of bytes",
    "pickle: wrong CRC": "a record's size or CRC is wrong",
    "pickle: TorchScript": "a TorchScript program",
    "pickle: tar": "a tar archive",
    "pickle: 100,000 nested tuples": "nested too deeply",
    "pickle: 100,000 nested tuples raw": UNLIKE,
    "pickle: path as a storage's key": "the file lacks it",
    "pickle: path as a record": "the name of a path outside it",
    "pickle: storage that is not there": "the file lacks it",
    "pickle: memo index of 2^31": "it holds no state dict",
    "pickle: text of 2^60 bytes": "damaged at byte",
    "pickle: no data.pkl": "it has no data.pkl",
    "pickle: empty file": "neither of torch's formats",
    "pickle: a web page": "neither of torch's formats",
    "pickle: pipe": "not a regular file",
    "pickle: device": "not a regular file",
    "safetensors: header of 2^63": "its header claims",
    "safetensors: header of 100 MB": "its header claims 100,000,001",
    "safetensors: overlap": "overlap",
    "safetensors: hole": "leave a hole",
    "safetensors: name twice": "a name is given twice",
    "safetensors: half of a character": "has half of a character",
    "safetensors: shape overflow": "no tensor can have the shape",
    "safetensors: pipe": "not a regular file",
    "safetensors: device": "not a regular file",
    "safetensors: folder": "holds no checkpoint",
    "safetensors: 8,000,000 lists": VALUES,
    "safetensors: 430,000 names": VALUES,
    "safetensors: 1,300,000 names": "its header claims",
    "index: shard at ../outside/x.safetensors": OUTSIDE,
    "index: shard at /etc/x.safetensors": OUTSIDE,
    "index: shard at C:/x.safetensors": OUTSIDE,
    "index: shard at \\\\server\\x.safetensors": OUTSIDE,
    "index: shard at ..\\x.safetensors": OUTSIDE,
    "index: shard at x.bin": "not the name of a .safetensors file",
    "index: shard at ": "not the name of a .safetensors file",
    "index: pickle outside": OUTSIDE,
    "index: safetensors in an index of pickles": "not the name of a .bin file",
    "index: link outside": "a link to a file outside its folder",
    "index: key that the shard lacks": "1 tensors that its shards lack, y first",
    "index: key that the index lacks": "the index says nothing of it",
    "index: key in another shard": "x lies in 2.bin, the index says 1.bin",
    "index: evil shard": FOREIGN,
    "index: numbers for files": "does not map names to file names",
    "index: no weight_map": "it has no weight_map",
    "index: 20,000,000 lists": VALUES,
    "index: too large": "more than 67,108,864",
    "index: YAML": "not JSON",
    "array: header of 40 GB": "accounts for 40,000,000,128 bytes",
    "array: shape overflow": "no array can have its shape",
    "array: more than one": "and it has 288",
    "array: objects": "Python objects",
    "array: objects in an archive": "Python objects",
    "array: structured": "not that of a plain array",
    "array: code for a shape": "not that of a plain array",
    "array: nested header": "not that of a plain array",
    "array: bomb": "a zip bomb",
    "array: not an array": "'readme.txt' is not a .npy array",
    "array: pickle for an array": "does not start as a NumPy array does",
    "array: array twice": "the record 'w.npy' twice",
    "array: declared more than the body": "accounts for 148 bytes, and it has 144",
    "array: path as a name": "'../w.npy' is not a .npy array of a plain name",
    "array: no zip archive": "no directory at its end",
    "array: HDF5": "a checkpoint of Keras or HDF5, which is not read",
    "array: HDF5 named as torch's": "neither of torch's formats",
}


@pytest.mark.parametrize("name", hostile.CORPUS)
def test_every_hostile_file_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    path = hostile.CORPUS[name](tmp_path, marker)
    before = time.process_time()
    with pytest.raises(CheckpointError) as error:
        read_headers(path)
    assert time.process_time() - before < 5
    assert not marker.exists()
    assert error.value.exit_code == 4
    assert REASONS[name] in error.value.message
    assert error.value.message.isprintable()
    assert error.value.hint
    assert any(part in error.value.message for part in (path.name, path.parent.name))


@pytest.mark.parametrize("name", BY_COMMAND)
def test_the_command_ends_with_exit_code_4_and_one_message(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    write_portfile(folder)
    marker = tmp_path / "marker"
    path = hostile.CORPUS[name](tmp_path, marker)
    done = porting(folder, "weights", str(path), "--json")
    assert done.returncode == 4, done.stderr
    assert path.name in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr
    assert not marker.exists()
