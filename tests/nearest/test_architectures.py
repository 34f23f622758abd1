"""The index: what is shipped, what a cache holds, and what a file that nobody vouches for may not do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from porting.nearest import architectures, building
from porting.nearest.architectures import (
    FORMAT,
    Architecture,
    Index,
    cache_path,
    is_indexed,
    pack,
    read_index,
    shipped_index,
    unpack,
)
from porting.nearest.cells import Cell, Held


def small(of: str = "0.0.1") -> Index:
    cell = Cell("layers.*", 3, (Held("fc.weight", (4, 8)), Held("fc.bias", (4,), 2)))
    return Index(
        of, (Architecture("toy", "ToyModel", (cell,), {"width": 8}, 1),), MappingProxyType({"bad": "OSError"})
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = dict(architectures._kept)
    yield
    architectures._kept.clear()
    architectures._kept.update(kept)


def test_what_is_packed_is_read_again() -> None:
    assert pack(unpack(pack(small()))) == pack(small())


@pytest.mark.parametrize(
    "content",
    [
        {"format": FORMAT + 1},
        {"format": FORMAT},
        [],
        {"format": FORMAT, "transformers": "1", "skipped": {}, "architectures": [["a", "b", [["p", -1, []]], {}, 0]]},
        {"format": FORMAT, "transformers": 1, "skipped": {}, "architectures": []},
        {"format": FORMAT, "transformers": "1", "skipped": [], "architectures": []},
    ],
)
def test_a_file_of_something_else_is_no_index(content: object) -> None:
    with pytest.raises(ValueError, match="index"):
        unpack(gzip.compress(json.dumps(content).encode()))


@pytest.mark.parametrize("raw", [b"", b"nothing", gzip.compress(b"[" * 100_000), pack(small())[:-20]])
def test_a_damaged_file_is_no_index(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"index|nested|values"):
        unpack(raw)


def test_a_file_that_unpacks_to_very_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "LARGEST", 1000)
    with pytest.raises(ValueError, match="too large"):
        unpack(gzip.compress(b" " * 100_000))


def test_the_index_of_another_version_is_built_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Index] = []

    def build(progress: object) -> Index:
        built.append(small())
        return built[-1]

    monkeypatch.setattr(building, "build_index", build)
    monkeypatch.setattr(architectures, "version", lambda name: "0.0.1")
    assert read_index() is built[0]
    architectures._kept.clear()
    assert pack(read_index()) == pack(small())
    assert len(built) == 1


def test_without_an_index_one_is_not_built_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "version", lambda name: "0.0.1")
    assert not is_indexed()
    cache_path("0.0.1").parent.mkdir(parents=True)
    cache_path("0.0.1").write_bytes(pack(small()))
    assert is_indexed()


def test_a_damaged_cache_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cache_path("0.0.1").parent.mkdir(parents=True)
    cache_path("0.0.1").write_bytes(b"damaged")
    monkeypatch.setattr(building, "build_index", lambda progress: small())
    monkeypatch.setattr(architectures, "version", lambda name: "0.0.1")
    read_index()
    assert unpack(cache_path("0.0.1").read_bytes()).version == "0.0.1"


def test_the_shipped_index_holds_the_architectures_of_its_version() -> None:
    index = shipped_index()
    assert len(index.architectures) > 600
    assert not {"bert", "llama", "vit", "t5", "resnet"} & set(index.skipped)


def test_a_cache_folder_cannot_be_left_by_a_version() -> None:
    assert cache_path("../../etc/1.0").parent == cache_path("1.0").parent
