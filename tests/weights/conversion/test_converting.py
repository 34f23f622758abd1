from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from porting import Conversion, convert
from porting.errors import CheckpointError, MismatchError, OutputError, PortingError, RuleError
from porting.weights import Apply, Concatenate, Convert, Drop, Rename, Split, Stack, Transpose, build_on_meta
from porting.weights.conversion.writing import WeightsWriter

CONFIG: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
}
RULES = [
    Convert(
        "blocks.{i:d}.qkv",
        [f"model.layers.{{i}}.self_attn.{part}_proj.weight" for part in "qkv"],
        Split((32, 16, 16)),
    ),
    Convert("blocks.{i:d}.out", "model.layers.{i}.self_attn.o_proj.weight", Transpose()),
    Rename("blocks.{i:d}.{rest:*}", "model.layers.{i}.{rest}"),
    Rename("wte", "model.embed_tokens.weight"),
    Rename("norm", "model.norm.weight"),
    Rename("head", "lm_head.weight"),
    Drop("freqs", "computed by the port"),
]


def llama(tied: bool = False, **changed: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**CONFIG, tie_word_embeddings=tied, **changed))


def original(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    """The model's weights as an original would keep them: q, k and v in one, one projection transposed."""
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    names = {"model.embed_tokens.weight": "wte", "model.norm.weight": "norm", "lm_head.weight": "head"}
    found = {new: state.pop(old) for old, new in names.items()}
    for index in range(2):
        attention = f"model.layers.{index}.self_attn"
        found[f"blocks.{index}.qkv"] = torch.cat([state.pop(f"{attention}.{part}_proj.weight") for part in "qkv"])
        found[f"blocks.{index}.out"] = state.pop(f"{attention}.o_proj.weight").T.contiguous()
    return {**found, **{name.replace("model.layers", "blocks"): tensor for name, tensor in state.items()}}


def loaded(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("kind", ["safetensors", "pt", "npz", "state dict"])
def test_a_converted_checkpoint_is_the_port_bit_for_bit(kind: str, tmp_path: Path) -> None:
    model = llama()
    state = {**original(model), "freqs": torch.rand(4)}
    source: Any = {"state dict": state}.get(kind, tmp_path / f"source.{kind}")
    if kind == "safetensors":
        save_file(state, source)
    elif kind == "pt":
        torch.save(state, source)
    elif kind == "npz":
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in state.items()}
        np.savez(source, **arrays)
    port = build_on_meta(LlamaForCausalLM, model.config)
    found = convert(source, port, tmp_path / "out", RULES, max_shard_size="20kB")
    found.assert_ok()
    assert equal(loaded(tmp_path / "out"), dict(model.state_dict()))
    assert (found.ok, found.written, found.tensors, found.exit_code) == (True, True, 21, 0)
    assert found.audit is not None
    assert found.audit.values
    assert found.dropped == {"freqs": "computed by the port"}
    again = LlamaForCausalLM.from_pretrained(tmp_path / "out")
    assert equal(dict(again.state_dict()), dict(model.state_dict()))


def test_the_record_says_what_was_done(tmp_path: Path) -> None:
    model = llama()
    save_file({**original(model), "freqs": torch.rand(4)}, tmp_path / "source.safetensors")
    found = convert(tmp_path / "source.safetensors", model, tmp_path / "out", RULES)
    record = json.loads((tmp_path / "out" / "porting-conversion.json").read_bytes())
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {*record["files"], "porting-conversion.json"}
    assert {"config.json", "generation_config.json", "model.safetensors"} < written
    for name, file in record["files"].items():
        raw = (tmp_path / "out" / name).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (file["size"], file["sha256"])
    raw = (tmp_path / "source.safetensors").read_bytes()
    header = raw[: 8 + int.from_bytes(raw[:8], "little")]
    assert record["source"]["files"] == [
        {"name": "source.safetensors", "size": len(raw), "header_sha256": hashlib.sha256(header).hexdigest()}
    ]
    assert record["dropped"] == {"computed by the port": ["freqs"]}
    assert str(RULES[0]) in record["rules"]
    assert record["audited"]
    assert str(tmp_path) not in json.dumps(record)
    assert found.hashes == {name: file["sha256"] for name, file in record["files"].items()}


def test_config_states_class_and_dtype_of_the_weights(tmp_path: Path) -> None:
    model = llama()
    state = {name: tensor.bfloat16() for name, tensor in original(model).items()}
    state["norm"] = state["norm"].float()
    found = convert(state, build_on_meta(LlamaForCausalLM, model.config), tmp_path / "out", RULES)
    found.assert_ok()
    config = json.loads((tmp_path / "out" / "config.json").read_bytes())
    assert (config["dtype"], config["architectures"]) == ("bfloat16", ["LlamaForCausalLM"])
    assert loaded(tmp_path / "out")["model.norm.weight"].dtype == torch.float32
    assert model.config.architectures is None


class Saved:
    """Like a tokenizer: something that Transformers saves beside the weights."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def save_pretrained(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")
        if self.error is not None:
            raise self.error


def test_what_belongs_to_the_weights_is_saved_beside_them(tmp_path: Path) -> None:
    model = llama()
    found = convert(original(model), model, tmp_path / "out", RULES, also=[Saved()])
    assert found.hashes["tokenizer.json"] == hashlib.sha256(b"{}").hexdigest()
    with pytest.raises(PortingError, match=r"Saved.save_pretrained raised RuntimeError: no"):
        convert(original(model), model, tmp_path / "other", RULES, also=[Saved(RuntimeError("no"))])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_tied_tensors_that_are_equal_are_written_once(tmp_path: Path) -> None:
    model = llama(tied=True)
    found = convert(original(model), model, tmp_path / "out", RULES)
    found.assert_ok()
    assert found.tied == {"lm_head.weight": "model.embed_tokens.weight"}
    model.save_pretrained(tmp_path / "theirs")
    assert equal(loaded(tmp_path / "out"), loaded(tmp_path / "theirs"))


def test_a_tied_tensor_that_comes_under_its_other_name_is_written_under_the_main_one(tmp_path: Path) -> None:
    model = llama(tied=True)
    state = original(model)
    del state["wte"]
    convert(state, model, tmp_path / "out", RULES).assert_ok()
    assert "lm_head.weight" not in loaded(tmp_path / "out")
    assert torch.equal(loaded(tmp_path / "out")["model.embed_tokens.weight"], state["head"])


def test_tied_tensors_that_differ_are_refused(tmp_path: Path) -> None:
    model = llama(tied=True)
    state = original(model)
    state["head"] = state["head"] + 1
    found = convert(state, model, tmp_path / "out", RULES)
    with pytest.raises(MismatchError, match=r"lm_head.weight.*ties it to model.embed_tokens.weight.*data differs"):
        found.assert_ok()
    assert found.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_tied_tensors_of_different_dtypes_are_refused(tmp_path: Path) -> None:
    model = llama(tied=True)
    state = original(model)
    state["head"] = state["head"].half()
    assert not convert(state, model, tmp_path / "out", RULES).ok
    zeros = torch.zeros(state["head"].shape, dtype=torch.float16)
    state |= {"wte": zeros, "head": zeros.bfloat16()}  # the same bytes
    assert not convert(state, model, tmp_path / "out", RULES).ok


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("norm"), "MISSING model.norm.weight"),
        (lambda state: state.update(extra=torch.ones(1)), "UNUSED extra"),
        (lambda state: state.update({"blocks.0.nothing": torch.ones(1)}), "UNEXPECTED blocks.0.nothing"),
        (lambda state: state.update(norm=torch.ones(31)), "MISMATCH model.norm.weight"),
        (lambda state: state.update({"blocks.0.qkv": torch.ones(60, 32)}), "CONVERSION"),
        (lambda state: state.update({"model.norm.weight": torch.ones(32)}), "COLLISION model.norm.weight"),
    ],
)
def test_what_is_not_covered_is_said_and_nothing_is_written(change: Any, says: str, tmp_path: Path) -> None:
    model = llama()
    state = original(model)
    change(state)
    found = convert(state, model, tmp_path / "out", RULES)
    assert (found.ok, found.written, found.exit_code) == (False, False, 1)
    with pytest.raises(MismatchError, match=says):
        found.assert_ok()
    assert "not converted" in found.summary()
    assert not list(tmp_path.iterdir())


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path: Path) -> None:
    model = llama()
    found = convert(original(model), model, tmp_path / "out", RULES, dry_run=True)
    assert found.ok
    assert not found.written
    assert not list(tmp_path.iterdir())
    document = found.to_dict()
    json.dumps(document, allow_nan=False)
    assert (document["dry_run"], document["tensors"], document["files"]) == (True, 21, {})
    assert {
        "targets": "model.layers.{0, 1}.self_attn.q_proj.weight, model.layers.{0, 1}.self_attn.k_proj.weight, "
        "model.layers.{0, 1}.self_attn.v_proj.weight",
        "sources": "blocks.{0, 1}.qkv",
        "change": "split dimension 0 into 32 + 16 + 16",
        "tensors": 6,
        "bytes": 2 * 64 * 32 * 4,
    } in document["steps"]
    assert sum(line["bytes"] for line in document["steps"]) == sum(
        tensor.nbytes for tensor in model.state_dict().values()
    )
    text = found.text()
    assert "split dimension 0 into 32 + 16 + 16" in text
    assert "can be converted: 21 tensors" in text


def test_what_is_there_is_not_replaced_but_an_empty_folder(tmp_path: Path) -> None:
    model, out = llama(), tmp_path / "out"
    out.mkdir()
    convert(original(model), model, out, RULES).assert_ok()
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    for dry_run in (False, True):
        with pytest.raises(OutputError, match="exists, so it is not replaced"):
            convert(original(model), model, out, RULES, dry_run=dry_run)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="exists, so it is not replaced"):
        convert(original(model), model, tmp_path / "file", RULES)


def test_a_name_that_no_disk_takes_is_an_output_error(tmp_path: Path) -> None:
    model = llama()
    with pytest.raises(OutputError, match="File name too long"):
        convert(model.state_dict(), model, tmp_path / ("x" * 300))


def test_a_disk_without_room_is_found_out_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    model = llama()
    assert not convert(original(model), model, tmp_path / "out", RULES, dry_run=True).ok
    with pytest.raises(OutputError, match=r"it takes [0-9.]+ kB, and 1\.0 kB are free"):
        convert(original(model), model, tmp_path / "out", RULES)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_changes_meanwhile_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = llama(), tmp_path / "source.safetensors"
    save_file(original(model), source)
    real = WeightsWriter.finish

    def finish(writer: Any) -> dict[str, str]:
        os.utime(source, ns=(0, 0))
        return real(writer)

    monkeypatch.setattr(WeightsWriter, "finish", finish)
    with pytest.raises(CheckpointError, match="was changed while it was converted"):
        convert(source, model, tmp_path / "out", RULES)
    assert [path.name for path in tmp_path.iterdir()] == ["source.safetensors"]


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = llama(), tmp_path / "source.safetensors"
    save_file(original(model), source)

    real = os.preadv

    def fails(descriptor: int, *rest: Any) -> int:
        if os.path.samestat(os.fstat(descriptor), source.stat()):
            raise OSError(5, "Input/output error")
        return real(descriptor, *rest)

    monkeypatch.setattr(os, "preadv", fails)
    with pytest.raises(CheckpointError, match=r"cannot read .*source\.safetensors: Input/output error"):
        convert(source, model, tmp_path / "out", RULES)
    assert [path.name for path in tmp_path.iterdir()] == ["source.safetensors"]


def test_a_function_that_gives_another_shape_than_planned_is_an_error(tmp_path: Path) -> None:
    port = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False)})

    def drifting(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.is_meta else tensor.double()

    rules = [Convert("x", "a.weight", Apply(drifting))]
    with pytest.raises(RuleError, match=r"makes a.weight as float64 \[2, 2\], and float32 \[2, 2\] was planned"):
        convert({"x": torch.ones(2, 2)}, port, tmp_path / "out", rules)
    assert not list(tmp_path.iterdir())


class Reinitialised(LlamaForCausalLM):  # type: ignore[misc]
    """Loses a weight after loading, as a wrong ``_init_weights`` does."""

    @classmethod
    def from_pretrained(cls, *arguments: Any, **options: Any) -> Any:
        model, info = super().from_pretrained(*arguments, **options)
        with torch.no_grad():
            model.model.norm.weight += 1
        return model, info


def test_a_result_that_is_not_right_when_it_is_loaded_again_is_not_kept(tmp_path: Path) -> None:
    state = original(llama())
    port = Reinitialised(LlamaConfig(**CONFIG))
    found = convert(state, port, tmp_path / "out", RULES)
    assert (found.ok, found.written, found.exit_code) == (False, False, 1)
    with pytest.raises(MismatchError, match=r"loaded again[\s\S]*VALUE model.norm.weight"):
        found.assert_ok()
    assert not list(tmp_path.iterdir())
    assert convert(state, port, tmp_path / "out", RULES, audit=False).written


class Raising(LlamaForCausalLM):  # type: ignore[misc]
    @classmethod
    def from_pretrained(cls, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("cannot")


def test_a_result_that_cannot_be_loaded_is_not_kept(tmp_path: Path) -> None:
    found = convert(original(llama()), Raising(LlamaConfig(**CONFIG)), tmp_path / "out", RULES)
    assert not found.ok
    assert "cannot be loaded again: RuntimeError: cannot" in found.failure_message()
    assert not list(tmp_path.iterdir())


class Tied(nn.Module):
    """A plain module with a tie that nothing declares."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("steps", torch.tensor(3))


def test_a_plain_module_is_loaded_again_by_its_state_dict(tmp_path: Path) -> None:
    state = {"e": torch.rand(5, 4), "steps": torch.tensor(9)}
    found = convert(state, Tied(), tmp_path / "out", [Rename("e", "embed.weight")])
    found.assert_ok()
    assert found.audit is not None
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.safetensors", "porting-conversion.json"}
    meta = build_on_meta(lambda _: Tied(), None)  # type: ignore[arg-type]
    with pytest.raises(PortingError, match="Tied is on the meta device"):
        convert(state, meta, tmp_path / "other", [Rename("e", "embed.weight")])
    convert(state, meta, tmp_path / "other", [Rename("e", "embed.weight")], build=Tied).assert_ok()
    convert(state, meta, tmp_path / "third", [Rename("e", "embed.weight")], audit=False).assert_ok()


def test_experts_are_stacked_and_joined(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = {f"e.{i}.{part}": torch.rand(3, 4) for i in range(12) for part in ("gate", "up")}
    port = nn.ParameterDict({"gate_up": nn.Parameter(torch.empty(12, 6, 4))})
    rules = [Convert(["e.{i:d}.gate", "e.{i:d}.up"], "gate_up", Stack(), Concatenate(1))]
    convert(state, port, tmp_path / "out", rules).assert_ok()
    expected = torch.stack([torch.cat([state[f"e.{i}.gate"], state[f"e.{i}.up"]]) for i in range(12)])
    assert torch.equal(loaded(tmp_path / "out")["gate_up"], expected)


def test_progress_counts_bytes_up_to_all(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    port = nn.ParameterDict({"a": nn.Parameter(torch.empty(5 << 20))})
    found = convert(
        {"a": torch.zeros(5 << 20)}, port, tmp_path / "out", progress=lambda *each: said.append(each), audit=False
    )
    counts = [done for _, done, _ in said]
    assert len(said) >= 3
    assert counts == sorted(counts)
    assert said[-1][1] == said[-1][2] == found.bytes
    assert isinstance(found, Conversion)
