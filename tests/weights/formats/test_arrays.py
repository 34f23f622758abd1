"""NumPy's files are read as numpy reads them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import hostile
import ml_dtypes
import numpy as np
import pytest
import torch

from porting.errors import CheckpointError
from porting.weights import check_weights, read_headers
from porting.weights.formats import npyheaders

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = np.arange(24).reshape(2, 3, 4)
ARRAYS: dict[str, Any] = {
    **{kind: NUMBERS.astype(kind) for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")},
    "c8": NUMBERS.astype("c8") * 1j,
    "c16": NUMBERS.astype("c16") * 1j,
    "bool": NUMBERS % 3 == 0,
    "big-endian": NUMBERS.astype(">f4"),
    "big-endian complex": (NUMBERS * (1 + 2j)).astype(">c8"),
    "columns": np.asfortranarray(NUMBERS.astype("f4")),
    "big-endian columns": np.asfortranarray(NUMBERS.astype(">i2")),
    "number": np.float32(3),
    "empty": np.zeros((0, 3), "f4"),
    "Transformer/block_0/kernel": NUMBERS.astype("f4"),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_array_of_an_archive_is_read(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "model.npz"
    save(path, **ARRAYS)
    headers = read_headers(tmp_path)
    assert list(headers.tensors) == list(ARRAYS)
    for name, array in ARRAYS.items():
        expected = torch.from_numpy(np.asarray(array, order="C").astype(array.dtype.newbyteorder("=")).copy())
        read = headers.read(name)
        assert read.dtype == expected.dtype, name
        assert torch.equal(read, expected), name
        assert headers.tensors[name].shape == array.shape
        assert headers.tensors[name].dtype == str(expected.dtype).removeprefix("torch.")
        assert b"".join(map(bytes, headers.chunks(name))) == expected.numpy().tobytes(), name


@pytest.mark.parametrize("name", ["f4", "big-endian", "columns", "bool", "number", "empty"])
def test_a_single_array_has_its_files_name(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "weight.npy", ARRAYS[name])
    headers = read_headers(tmp_path)
    assert list(headers.tensors) == ["weight"]
    assert headers.read("weight").tolist() == ARRAYS[name].tolist()


def test_two_bytes_without_a_type_are_bfloat16(tmp_path: Path) -> None:
    array = np.array([1.5, -2.0, 3e38], dtype=ml_dtypes.bfloat16)
    np.savez(tmp_path / "x.npz", w=array)
    headers = read_headers(tmp_path)
    assert headers.tensors["w"].dtype == "bfloat16"
    assert headers.read("w").tolist() == array.astype("f4").tolist()
    assert [remark.code for remark in headers.remarks] == ["two-byte-elements"]


def test_text_beside_the_arrays_is_left_out_with_a_remark(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", w=np.ones(3, "f4"), note=np.array("made in 2021"), raw=np.array(b"x"))
    report = check_weights(tmp_path, torch.nn.Module())
    assert [(remark.code, "was left out" in remark.message) for remark in report.warnings[:2]] == [
        ("not-a-tensor", True)
    ] * 2
    assert report.to_dict()["unexpected"] == ["w"]


def test_booleans_of_other_bytes_are_true_and_said_so(tmp_path: Path) -> None:
    np.save(tmp_path / "flags.npy", np.array([0, 1, 2, 255], "u1").view(bool))
    headers = read_headers(tmp_path)
    assert headers.read("flags").view(torch.uint8).tolist() == [0, 1, 1, 1]
    assert [remark.code for remark in headers.remarks] == ["bool-bytes"]


def test_a_large_archive_is_verified_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, w=np.full(1000, 7, "f4"), v=np.zeros(3))
    content = bytearray(path.read_bytes())
    content[content.index(np.full(9, 7, "f4").tobytes()) + 99] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"w\.npy.*damaged"):
        read_headers(path)
    monkeypatch.setattr("porting.weights.formats.arrays.WHOLE_FILE_BYTES", 100)
    headers = read_headers(path)
    assert headers.read("v").tolist() == [0, 0, 0]
    with pytest.raises(CheckpointError, match="array w is damaged"):
        headers.read("w")


def test_arrays_that_shrink_much_are_no_bombs_while_they_are_small(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", w=np.zeros((1024, 1024, 4), "f4"))
    assert read_headers(tmp_path).read("w").sum() == 0


@pytest.mark.parametrize("descr", ["O", "|O", "<f16", "<M8[s]", "|V3", "<q9", "f4, f4", "(2,)f4", "<f3"])
def test_elements_that_torch_lacks_are_refused(descr: str) -> None:
    with pytest.raises(ValueError, match="its elements are"):
        npyheaders.parse(hostile.npy(descr=descr))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "{'descr': '<f4', 'shape': (4,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'shape': (4,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (4,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,)}",
        "['descr': '<f4', 'fortran_order': False, 'shape': (4,)]",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)} + {}",
    ],
)
def test_headers_of_another_form_are_refused(text: str) -> None:
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(16)
    with pytest.raises(ValueError, match=r"its header|shape"):
        npyheaders.parse(head)


@pytest.mark.parametrize(
    "text",
    [
        "{'shape': (2L, 2L), 'fortran_order': False, 'descr': '<f4'}\n",
        '{"descr":"<f4","fortran_order":False,"shape":(2,2)}',
    ],
)
def test_headers_of_other_writers_are_understood(text: str) -> None:
    for version, width in ((b"\1\0", 2), (b"\2\0", 4)):
        head = b"\x93NUMPY" + version + len(text).to_bytes(width, "little") + text.encode() + bytes(16)
        assert npyheaders.parse(head)[:3] == ("float32", (2, 2), False)


@pytest.mark.parametrize(
    ("comment", "harmless"), [(b"made by hand", True), (b"PK\5\6 is how it ends".ljust(40), False)]
)
def test_a_comment_must_not_look_like_another_directory(tmp_path: Path, comment: bytes, harmless: bool) -> None:
    path = hostile.npz(tmp_path / "x.npz", {"w.npy": hostile.npy()})
    with zipfile.ZipFile(path, "a") as file:
        file.comment = comment
    if harmless:
        assert read_headers(path).read("w").tolist() == [1, 2, 3, 4]
    else:
        with pytest.raises(CheckpointError, match="after its directory"):
            read_headers(path)
