from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import load_file, save_file

from porting.errors import PortingError
from porting.tensorfiles import read_header
from porting.trace.bits import pieces, plain
from porting.weights.conversion.layout import INDEX, SINGLE, lay_out
from porting.weights.conversion.writing import WeightsWriter
from porting.weights.report import Spec

STATE = {
    "b": torch.arange(6.0).reshape(2, 3),
    "a.odd": torch.tensor([1, 2, 3], dtype=torch.uint8),
    "a.half": torch.ones(3, dtype=torch.float16),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(7, dtype=torch.int64),
    'quote"\\\n\u202e\u00e9': torch.ones(2, dtype=torch.bfloat16),
}


def specs(state: dict[str, torch.Tensor]) -> dict[str, Spec]:
    return {name: Spec.of(tensor) for name, tensor in state.items()}


def write(folder: Path, state: dict[str, torch.Tensor], most: int = 1 << 30) -> None:
    layout = lay_out(specs(state), most)
    with WeightsWriter(folder, layout) as writer:
        for name in reversed(state):
            writer.write(name, pieces(plain(state[name])))
        writer.finish()


def test_what_is_written_is_what_the_library_reads(tmp_path: Path) -> None:
    write(tmp_path, STATE)
    found = load_file(tmp_path / SINGLE)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)
    assert read_header(tmp_path / SINGLE).metadata == {"format": "pt"}
    assert [path.name for path in tmp_path.iterdir()] == [SINGLE]


def test_every_tensor_is_aligned_and_otherwise_in_order(tmp_path: Path) -> None:
    write(tmp_path, STATE)
    header = read_header(tmp_path / SINGLE)
    for name, entry in header.tensors.items():
        assert entry.start % STATE[name].element_size() == 0, name
    widths = [STATE[name].element_size() for name in header.tensors]
    assert widths == sorted(widths, reverse=True)
    alike = {f"{index}": torch.ones(3) for index in (3, 1, 2)}
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", alike)
    assert list(read_header(tmp_path / "other" / SINGLE).tensors) == ["3", "1", "2"]


def test_files_have_the_bytes_that_the_library_writes_where_both_have_one_order(tmp_path: Path) -> None:
    state = {f"layers.{index}.weight": torch.rand(3, 5) for index in range(4)}
    write(tmp_path, state)
    save_file(state, tmp_path / "library.safetensors", metadata={"format": "pt"})
    assert (tmp_path / SINGLE).read_bytes() == (tmp_path / "library.safetensors").read_bytes()


@pytest.mark.parametrize("most", [1, 100, 130, 260, 10_000])
def test_files_are_split_and_named_as_save_pretrained_does(most: int, tmp_path: Path) -> None:
    state = {f"t{index}": torch.zeros(size) for index, size in enumerate((10, 40, 3, 20, 12, 65, 1, 1))}
    layout = lay_out(specs(state), most)
    theirs = split_torch_state_dict_into_shards(
        state, max_shard_size=most, filename_pattern="model{suffix}.safetensors"
    )
    assert {file.name: list(file.tensors) for file in layout.files} == theirs.filename_to_tensors
    assert (layout.index is not None) == theirs.is_sharded
    if layout.index is not None:
        document = json.loads(layout.index)
        assert document["weight_map"] == theirs.tensor_to_filename
        assert document["metadata"] == {"total_size": theirs.metadata["total_size"]}


def test_an_index_is_written_with_several_files_only(tmp_path: Path) -> None:
    write(tmp_path, {"a": torch.ones(4), "b": torch.zeros(4)}, most=20)
    index = json.loads((tmp_path / INDEX).read_bytes())
    assert index["metadata"] == {"total_size": 32}
    for name, file in index["weight_map"].items():
        assert list(load_file(tmp_path / file)) == [name]


def test_the_size_is_known_beforehand(tmp_path: Path) -> None:
    layout = lay_out(specs(STATE), 20)
    write(tmp_path, STATE, 20)
    assert layout.size == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_headers_stay_below_what_readers_take() -> None:
    many = {f"{'x' * 200}{index}": Spec("uint8", ()) for index in range(60_000)}
    layout = lay_out(many, 1 << 40)
    assert len(layout.files) > 1
    assert max(len(file.head) for file in layout.files) <= 25_000_000


def test_dtypes_of_the_format_that_torch_lacks_are_kept_and_others_refused() -> None:
    layout = lay_out({"a": Spec("F4", (3, 2))}, 100)
    assert layout.places["a"].stop - layout.places["a"].start == 3
    with pytest.raises(PortingError, match="complex128, which a safetensors file cannot hold"):
        lay_out({"a": Spec("complex128", (1,))}, 100)
