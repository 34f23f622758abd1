"""Cut off and flipped files: one class of error, and never another value without one where there is a checksum."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import hostile
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from porting.errors import CheckpointError
from porting.pickles.catalogue import catalogue
from porting.pickles.child import _said
from porting.pickles.machine import Machine
from porting.pickles.standins import RefusedError
from porting.weights import read_headers

if TYPE_CHECKING:
    from pathlib import Path

STATE = {f"layers.{i}.weight": torch.arange(6.0).reshape(2, 3) + i for i in range(4)}
WRITERS: dict[str, Callable[[Path], None]] = {
    "x.pt": lambda path: torch.save({"model": STATE, "epoch": 3}, path),
    "legacy.bin": lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    "x.npz": lambda path: np.savez(path, **{name: value.numpy() for name, value in STATE.items()}),  # type: ignore[arg-type]
    "packed.npz": lambda path: np.savez_compressed(path, **{n: v.numpy() for n, v in STATE.items()}),  # type: ignore[arg-type]
    "x.npy": lambda path: np.save(path, STATE["layers.0.weight"].numpy()),
    "x.safetensors": lambda path: save_file(STATE, path),
}


def all_values(path: Path) -> dict[str, Any]:
    headers = read_headers(path)
    return {name: headers.read(name).tolist() for name in headers.tensors}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    content = path.read_bytes()
    chosen = random.Random(0)
    lengths = {0, 1, 4, len(content) - 1, *chosen.sample(range(len(content)), 25)}
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError) as error:
            read_headers(path)
        assert name in error.value.message


@pytest.mark.parametrize("name", WRITERS)
def test_more_bytes_than_the_format_has_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(CheckpointError, match=name):
        read_headers(path)


@pytest.mark.parametrize("name", ["x.pt", "x.npz", "packed.npz"])
def test_a_flipped_bit_of_an_archive_is_found_or_changes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    expected, content = all_values(path), path.read_bytes()
    chosen = random.Random(1)
    for _ in range(60):
        at, bit = chosen.randrange(len(content)), 1 << chosen.randrange(8)
        path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
        try:
            assert all_values(path) == expected, at
        except CheckpointError as error:
            assert name in error.message  # noqa: PT017


def test_no_flip_in_a_pickle_gives_another_error_or_runs_code(tmp_path: Path) -> None:
    """In this process and without the checksums, which would find almost all of them first."""
    torch.save({"model": STATE, "more": [{1: "x"}, (2.5, None)]}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as file:
        plain = file.read("x/data.pkl")
    evil = hostile.pickled({"w": hostile.tensor(), "x": hostile.system(tmp_path / "marker")})
    outcomes = set()
    for raw in (plain, evil):
        for at in range(len(raw)):
            for bit in range(8):
                outcomes.add(_interpreted(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]))
    assert outcomes == {True, False}
    assert not (tmp_path / "marker").exists()


def _interpreted(raw: bytes) -> bool:
    machine = Machine(raw)
    try:
        described = machine.run()
        catalogue(described)
    except RefusedError:
        return False
    return "tensors" in _said(machine, described, "")


def test_tensors_of_a_flipped_pickle_stay_within_their_storages(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    raw = hostile.pickled({"w": hostile.tensor(size=(2, 2), stride=(2, 1))})
    chosen = random.Random(2)
    for _ in range(30):
        at, bit = chosen.randrange(len(raw)), 1 << chosen.randrange(8)
        hostile.archive(path, raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :])
        try:
            values = all_values(path)
        except CheckpointError:
            continue
        assert set(np.array(list(values.values())).ravel()) <= {1.0, 2.0, 3.0, 4.0}, at
