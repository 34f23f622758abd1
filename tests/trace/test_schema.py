"""The schema says what the reader takes: of what is written, and of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from torch import nn
from toys import make_inputs, make_pair
from tracing import edited, returned, small

from porting import Trace, capture, recorder
from porting.errors import CaptureError, TraceError
from porting.trace import Leaf, fields, open_trace, save_trace, validate_trace
from porting.trace.fields import Fields
from porting.trace.folders import MANIFEST
from porting.trace.manifest import manifest_hash

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "trace.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return document


def toy(folder: Path) -> None:
    model, _ = make_pair()
    inputs, _ = make_inputs()
    capture(model, inputs, folder=folder, valid_positions=inputs["mask"].bool())


def failed(folder: Path) -> None:
    with pytest.raises(CaptureError):
        capture(nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2)), (torch.ones(1, 2),), folder=folder)


def odd_values(folder: Path) -> None:
    values = {"none": None, "x": 0.5, "inf": float("inf"), "b": b"", "meta": torch.ones(2, device="meta")}
    save_trace(returned(**values, turned=torch.ones(2, 3).T, half=torch.ones(1).bfloat16()), folder)


def by_hooks(folder: Path) -> None:
    model, _ = make_pair()
    inputs, _ = make_inputs()
    recorder.record(model, inputs, str(folder), valid_positions=inputs["mask"])


def by_taps(folder: Path) -> None:
    with recorder.Recorder(folder) as taps:
        taps.parameter("layer", "weight", np.eye(2, dtype=np.complex64))
        with taps.running():
            taps.tap("layer", outputs=[np.ones((2, 2))[::-1], 3, "x"], inputs={"x": np.float32(1)})
        taps.result(inputs={"x": np.arange(3)}, outputs={"y": None}, valid_positions=[[True]])


def failed_taps(folder: Path) -> None:
    with suppress(ValueError), recorder.Recorder(folder) as taps:
        taps.enter("layer", {"x": np.ones(2)})
        raise ValueError("no")


WRITERS = (toy, failed, odd_values, by_hooks, by_taps, failed_taps)


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_written_is_valid(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "trace")
    VALIDATOR.validate(manifest(tmp_path / "trace"))
    assert validate_trace(tmp_path / "trace").modules


ADDITIONS = {
    "unobserved": ["0", "1"],
    "left_out": {
        "include": ["*"], "exclude": [], "classes": ["Linear"], "depth": None, "limit": 7, "tensors": 2, "bytes": 9,
    },
}  # fmt: skip


def with_additions(folder: Path) -> Path:
    def edit(document: dict[str, Any]) -> None:
        document.update(ADDITIONS)
        document["run"]["noise"] = {"float64": "measured"}
        call = document["calls"][1]
        call.update(gradients=call["outputs"], thread=2)
        leaf = document["outputs"]["leaves"][0]
        leaf["noise"] = {"float64": [0.5, 1], "threads": [0.0, 0.0]}
        document["modules"][1]["parameters"][1]["gradient"] = place_of(document)
        document["calls"][2]["inputs"]["leaves"] = [
            {"name": "input", "type": "left out: limit", "dtype": "float32", "shape": [1, 2]}
        ]

    return edited(save_trace(two_wide(), folder), edit)


def two_wide() -> Trace:
    return capture(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), (torch.ones(2),))


def place_of(document: dict[str, Any]) -> dict[str, Any]:
    leaf = document["calls"][1]["outputs"]["leaves"][0]
    return {key: leaf[key] for key in ("shard", "key", "crc32")}


def test_the_additions_are_valid_and_are_read(tmp_path: Path) -> None:
    folder = with_additions(tmp_path / "trace")
    VALIDATOR.validate(manifest(folder))
    trace = validate_trace(folder)
    assert (trace.unobserved, trace.left_out) == (("0", "1"), ADDITIONS["left_out"])
    assert (trace["0"].thread, trace["0"].gradients) == (2, trace["0"].outputs)
    assert trace.outputs.leaves[0].noise == {"float64": (0.5, 1.0), "threads": (0.0, 0.0)}
    assert torch.equal(trace.tensor("0:parameters.bias.gradient"), trace.tensor("0"))
    assert torch.equal(trace.tensor("0:gradients"), trace.tensor("0"))
    assert trace["1"].inputs.leaves[0] == Leaf("input", "float32", (1, 2), type_name="left out: limit")


def test_the_additions_may_be_null_or_absent(tmp_path: Path) -> None:
    folder = save_trace(small(), tmp_path / "trace")
    absent = {"unobserved", "left_out"}

    def without(document: dict[str, Any]) -> None:
        for key in absent:
            document.pop(key, None)

    trace = open_trace(edited(folder, without))
    assert (trace.unobserved, trace.left_out, trace[""].thread) == ((), None, 0)
    assert open_trace(edited(folder, lambda document: document.update(left_out=None))).left_out is None


def definitions() -> dict[str, tuple[Any, Fields]]:
    """Each object of the schema, and the reader's table of its fields."""
    defs, top = SCHEMA["$defs"], SCHEMA["properties"]
    nullable = {name: top[name]["oneOf"][1] for name in ("valid", "failure", "left_out")}
    leaf, branch = defs["structure"]["oneOf"]
    return {
        "manifest": (SCHEMA, fields.MANIFEST_FIELDS),
        "valid": (nullable["valid"], fields.VALID_FIELDS),
        "failure": (nullable["failure"], fields.FAILURE_FIELDS),
        "left_out": (nullable["left_out"], fields.LEFT_OUT_FIELDS),
        "shard": (top["shards"]["additionalProperties"], fields.SHARD_FIELDS),
        "call": (defs["call"], fields.CALL_FIELDS),
        "value": (defs["value"], fields.VALUE_FIELDS),
        "leaf of a structure": (leaf, fields.LEAF_STRUCTURE_FIELDS),
        "branch of a structure": (branch, fields.STRUCTURE_FIELDS),
        "tensor": (defs["tensor"], fields.TENSOR_FIELDS),
        "scalar": (defs["scalar_leaf"], fields.SCALAR_FIELDS),
        "other": (defs["other_leaf"], fields.OTHER_FIELDS),
        "place": (defs["place"], fields.PLACE_FIELDS),
        "module": (defs["module"], fields.MODULE_FIELDS),
        "parameter": (defs["parameter"], fields.PARAMETER_FIELDS),
        "sketch": (defs["sketch"], fields.SKETCH_FIELDS),
    }


@pytest.mark.parametrize("name", definitions())
def test_the_schema_and_the_reader_know_the_same_keys(name: str) -> None:
    schema, table = definitions()[name]
    assert sorted(schema["required"]) == sorted(table.required)
    assert sorted(schema["properties"]) == sorted([*table.required, *table.optional])
    assert schema["additionalProperties"] is False
    assert set(fields.DTYPES) == set(SCHEMA["$defs"]["dtype"]["enum"])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a manifest, but those whose content is open."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [] if path == ("run",) else [p for key, item in inside for p in places(item, (*path, key))]
    return [path, *below] if path else below


def put(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value


WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {}, [None], {"x": None}, [[]])


def rewritten(folder: Path, document: dict[str, Any]) -> None:
    """Put another manifest there, with its hash."""
    document["sha256"] = manifest_hash(document)
    (folder / MANIFEST).write_text(json.dumps(document))


def test_whatever_the_schema_refuses_the_reader_refuses_in_words(tmp_path: Path) -> None:
    folder = with_additions(tmp_path / "trace")
    whole = manifest(folder)
    random = np.random.default_rng(0)
    candidates = [(path, value) for path in places(whole) for value in WRONG if path[0] != "sha256"]
    refusals: list[str] = []
    for number in random.choice(len(candidates), size=300, replace=False):
        path, value = candidates[number]
        document = json.loads(json.dumps(whole))
        put(document, path, value)
        rewritten(folder, document)
        try:
            open_trace(folder, allow_failed=True)
        except TraceError as error:
            refusals.append(error.message)
        else:
            assert VALIDATOR.is_valid(manifest(folder)), (path, value)
    assert len(refusals) > 200
    assert not [message for message in refusals if "Error(" in message]


def test_every_missing_key_is_refused_and_named(tmp_path: Path) -> None:
    folder = with_additions(tmp_path / "trace")
    whole = manifest(folder)
    for path in places(whole):
        document = json.loads(json.dumps(whole))
        parent: Any = document
        for key in path[:-1]:
            parent = parent[key]
        if isinstance(parent, list) or path == ("sha256",):
            continue
        del parent[path[-1]]
        rewritten(folder, document)
        if VALIDATOR.is_valid(manifest(folder)):
            continue
        with pytest.raises(TraceError):
            open_trace(folder)
        with pytest.raises(TraceError) as caught:
            validate_trace(folder)
        assert path[0] in ("format", "shards") or str(path[-1]) in caught.value.message, path
