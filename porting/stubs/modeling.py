"""The test of a port's outputs and of its greedy tokens, and the fixtures that it reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save

from porting.portfile import command_line
from porting.stubs.generation import Continuation
from porting.stubs.importing import lines_of, of_transformers
from porting.stubs.layout import MARKER, Tree
from porting.stubs.literals import camel
from porting.stubs.material import Files, Material
from porting.stubs.quoting import quoted
from porting.stubs.rendering import render
from porting.stubs.replay import (
    MOST_IN_TEST,
    encoded_inputs,
    plain_inputs,
    provenance,
    stored_inputs,
    written_inputs,
)

TEMPLATE = "test_modeling.py.jinja"
MOST_VALUES = 400
"""Numbers that a test holds itself; more are in a fixture."""
OUTPUTS, INPUTS, PROMPT = "expected_results_outputs.json", "inputs.safetensors", "prompt.safetensors"


def class_name(material: Material) -> str:
    """The name of the test's class."""
    return f"{camel(material.portfile.model_name)}IntegrationTest"


def modeling_files(material: Material, continuation: Continuation | None, reproducer: str) -> Files:
    """The test file first, then its fixtures.

    Args:
        material: what is known of the port.
        continuation: how the original goes on with a prompt, if there is one.
        reproducer: the file name of the script that makes the values again; empty without one.

    Raises:
        GenerationError: something cannot be written as a literal or a name.
    """
    replay, place = material.replay, material.place
    outputs = [output.variables(material.atol) for output in material.outputs]
    in_fixture = not material.standalone and sum(map(_count, outputs)) > MOST_VALUES
    stored = {INPUTS: stored_inputs(replay.given, MOST_IN_TEST)}
    if continuation is not None:
        stored[PROMPT] = stored_inputs(continuation.given, MOST_IN_TEST)
    files: Files = {_path(material): _text(material, outputs, continuation, stored, in_fixture, reproducer)}
    if isinstance(place, Tree):
        files |= {
            place.fixtures / name: save(tensors, {"note": MARKER}) for name, tensors in stored.items() if tensors
        }
        files |= {place.fixtures / OUTPUTS: fixture(_by_name(outputs))} if in_fixture else {}
    return files


def fixture(results: Mapping[str, Any]) -> str:
    """The JSON file of expected results by name, a line for each."""
    lines = [f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in results.items()]
    return "\n".join(['{"note": ' + json.dumps(MARKER) + ",", ' "results": {', ",\n".join(lines), " }}", ""])


def _text(
    material: Material,
    outputs: Sequence[Mapping[str, Any]],
    continuation: Continuation | None,
    stored: Mapping[str, Mapping[str, torch.Tensor]],
    in_fixture: bool,
    reproducer: str,
) -> str:
    replay, place = material.replay, material.place
    loads = any(stored.values()) and not material.standalone
    loaded = [("safetensors.torch", "load_file")] if loads else []
    imported = lines_of([(replay.module, replay.model_class), *loaded])
    source = quoted(material.portfile)
    names = {
        "test_class": class_name(material),
        "own": [line for line in imported if of_transformers(line)],
        "others": [line for line in imported if not of_transformers(line)],
        "model_class": replay.model_class,
        "dtype": replay.dtype,
        "in_fixture": in_fixture,
        "stored": bool(stored[INPUTS]),
        "prompt_stored": bool(stored.get(PROMPT)),
        "fixtures": in_fixture or loads,
        "encodes": any(stored.values()) and material.standalone,
        "standalone": material.standalone,
        "generates": continuation is not None,
        "quotes": bool(source),
        "reproduces": bool(reproducer),
        **replay.weights.flags,
    }
    data = {
        **provenance(material.verification.original),
        **material.weights,
        "folder": place.name if isinstance(place, Tree) else "",
        "scalars": plain_inputs(replay.given),
        "tensors": written_inputs(replay.given, MOST_IN_TEST),
        "encoded": encoded_inputs(stored[INPUTS]),
        "prompt_encoded": encoded_inputs(stored.get(PROMPT, {})),
        "outputs": outputs,
        "device_keys": material.replay.device_keys,
        "atol": material.atol,
        "rtol": material.rtol,
        "measured": f"{material.measured:.2g}",
        "verified": str(material.verification.comparison.tolerance),
        "command": command_line(material.portfile.path.name, "tests"),
        "notes": list(replay.weights.left),
        "source": source,
        "reproducer": reproducer,
        **(continuation.variables() if continuation is not None else {}),
    }
    return render(TEMPLATE, names, data)


def _path(material: Material) -> Any:
    return material.place.modeling()[0] if isinstance(material.place, Tree) else material.place


def _by_name(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {output["name"]: output["expected"] for output in outputs}


def _count(value: Any) -> int:
    """The numbers in a nested value."""
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, (list, tuple)) else isinstance(value, (int, float))
