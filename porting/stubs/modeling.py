"""The test of a port's outputs, and the fixtures that it reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from porting.portfile import Portfile, command_line
from porting.progress import Progress
from porting.stubs.expectations import ExpectedOutput, expected_outputs, require_passing, tolerance_of
from porting.stubs.generated import GeneratedTests
from porting.stubs.importing import lines_of, of_transformers
from porting.stubs.layout import MARKER, Tree
from porting.stubs.literals import camel
from porting.stubs.rendering import render
from porting.stubs.replay import (
    MOST_IN_TEST,
    MOST_STORED,
    MOST_WRITTEN,
    Replay,
    plain_inputs,
    provenance,
    replay_of,
    require_small,
    stored_inputs,
    written_inputs,
)
from porting.stubs.sensitivity import moves, of_output
from porting.stubs.ways import other_ways, replayed
from porting.stubs.writing import Wanted
from porting.verification import Verification

TEMPLATE = "test_modeling.py.jinja"
MOST_VALUES = 400
"""Numbers that a test holds itself; more are in a fixture."""


def modeling_tests(
    portfile: Portfile,
    verification: Verification,
    model: torch.nn.Module,
    place: Tree | Path,
    wanted: Wanted,
    progress: Progress,
) -> GeneratedTests:
    """The test of the outputs of a verified port, with its fixtures.

    Args:
        portfile: of both models.
        verification: that says match.
        model: the port, live.
        place: a tree, or the one file of a test that stands alone.
        wanted: how tests are to be written.
        progress: called as the work goes on.

    Raises:
        GenerationError: the port or its outputs are of a kind that a test cannot be written for.
        PortfileError: a function of the portfile does not keep its contract.
    """
    replay = replay_of(portfile, verification)
    in_test = MOST_WRITTEN if wanted.standalone else MOST_IN_TEST
    require_small(replay.given, in_test if wanted.standalone else MOST_STORED)
    outputs = informed(expected_outputs(portfile, verification, replay.call), model, replay, progress)
    measured = max(output.noise for output in outputs)
    atol, rtol = tolerance_of(replay.dtype, measured, verification.comparison.tolerance)
    for output in outputs:
        require_passing(output, replay.dtype, atol, rtol)
    variables = [output.variables(replay.dtype) for output in outputs]
    stored = stored_inputs(replay.given, in_test)
    in_fixture = not wanted.standalone and sum(map(_count, variables)) > MOST_VALUES
    test_class = f"{camel(portfile.model_name)}IntegrationTest"
    path, apart = place.modeling() if isinstance(place, Tree) else (place, False)
    loaded = [("safetensors.torch", "load_file")] if stored else []
    imported = lines_of([(replay.module, replay.model_class), *loaded])
    names = {
        "test_class": test_class,
        "own": [line for line in imported if of_transformers(line)],
        "others": [line for line in imported if not of_transformers(line)],
        "model_class": replay.model_class,
        "dtype": replay.dtype,
        "in_fixture": in_fixture,
        "stored": bool(stored),
        "standalone": wanted.standalone,
        "source": "",
    }
    data = {
        **provenance(verification.original),
        "checkpoint": replay.checkpoint,
        "revision": replay.revision,
        "folder": place.name if isinstance(place, Tree) else "",
        "scalars": plain_inputs(replay.given),
        "tensors": written_inputs(replay.given, in_test),
        "outputs": variables,
        "device_keys": [(None, None)],
        "atol": atol,
        "rtol": rtol,
        "measured": f"{measured:.2g}",
        "verified": str(verification.comparison.tolerance),
        "command": command_line(portfile.path.name, "tests"),
        "notes": list(replay.left),
    }
    files: dict[Path, str | bytes] = {path: render(TEMPLATE, names, data)}
    if isinstance(place, Tree) and in_fixture:
        files[place.fixtures / "expected_results_outputs.json"] = fixture(variables)
    if isinstance(place, Tree) and stored:
        files[place.fixtures / "inputs.safetensors"] = save(stored, {"note": MARKER})
    left = replay.left
    if apart:
        left = (*left, f"{path.name} stands beside the model tests: move its class there if you wish.")
    return GeneratedTests(
        files,
        test_class,
        tuple(output.name for output in outputs),
        atol,
        rtol,
        left,
        dry_run=wanted.dry_run,
        slow=not wanted.standalone,
    )


def informed(
    outputs: Sequence[ExpectedOutput], model: torch.nn.Module, replay: Replay, progress: Progress
) -> tuple[ExpectedOutput, ...]:
    """The outputs with what running the port in other ways, and with perturbed modules, tells about them."""
    subject = replayed(model, replay.given)
    progress("running the port in other ways", 0, 2)
    ways = other_ways(subject)
    progress("perturbing the port's modules", 1, 2)
    moved = moves(subject)
    return tuple(
        output.informed(
            of_output(moved, output.leaf.name),
            [
                way[output.leaf.name]
                for way in ways
                if output.leaf.name in way and way[output.leaf.name].shape == output.original.shape
            ],
        )
        for output in outputs
    )


def fixture(outputs: Sequence[Mapping[str, Any]]) -> str:
    """The JSON file of what the outputs are expected to be, by name; a line for each value."""
    results = [f"  {json.dumps(output['name'])}: {_lines(output['expected'])}" for output in outputs]
    return "\n".join(['{"note": ' + json.dumps(MARKER) + ",", ' "results": {', ",\n".join(results), " }}", ""])


def _lines(values: Mapping[str, Any]) -> str:
    lines = (f"   {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in values.items())
    return "{\n" + ",\n".join(lines) + "\n  }"


def _count(value: Any) -> int:
    """The numbers in a nested value."""
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, (list, tuple)) else isinstance(value, (int, float))
