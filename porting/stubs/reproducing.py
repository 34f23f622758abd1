"""The script that records how expected values were made, and makes them again."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from porting.errors import GenerationError
from porting.portfile import Portfile, command_line
from porting.stubs.expectations import ExpectedOutput, expected_outputs
from porting.stubs.layers import layer_outputs
from porting.stubs.literals import snake
from porting.stubs.material import Material
from porting.stubs.rendering import render
from porting.stubs.replay import forward_of, provenance
from porting.stubs.sampling import Sample
from porting.text import show
from porting.trace.folders import MANIFEST
from porting.verifying import verify_portfile

TEMPLATE = "reproducer.py.jinja"
MOST_FILES = 64
"""Files of a checkpoint whose hashes are kept."""
VERSIONS = ("torch", "python", "numpy")


def reproducer_name(portfile: Portfile) -> str:
    """The file name of the script, beside the portfile."""
    return f"reproduce_{snake(portfile.model_name)}.py"


def reproducer_text(material: Material) -> str:
    """The script: where the values come from, the values, and the call that makes them again.

    Raises:
        GenerationError: something cannot be written as a literal.
    """
    expected = [(output.name, list(output.expected(material.atol).items())) for output in material.outputs]
    facts = provenance_of(material)
    return render(TEMPLATE, {}, {"provenance": facts, "expected": expected})


def provenance_of(material: Material) -> dict[str, Any]:
    """What the values were made from: files by their SHA-256, versions, seed and command."""
    portfile, original = material.portfile, material.verification.original
    facts = provenance(original)
    return {
        "portfile": portfile.path.name,
        "files": dict(_hashes(portfile)),
        "original": facts["original_class"],
        "devices": facts["devices"],
        "versions": {name: str(original.run.get("versions", {}).get(name, "unknown")) for name in VERSIONS},
        "seed": int(original.run.get("seed", 0)),
        "threads": int(original.run.get("threads", 0)),
        "atol": material.atol,
        "rtol": material.rtol,
        "date": facts["date"],
        "command": command_line(portfile.path.name, "tests"),
    }


def reproduce(folder: Path, made_from: Mapping[str, Any], expected: Mapping[str, Mapping[str, Any]]) -> None:
    """Run the original again as the portfile says, and print how far it is from the values that were kept.

    Args:
        folder: of the portfile.
        made_from: `provenance_of` when the values were made.
        expected: where the test looks at each output, and what it expects there.

    Raises:
        GenerationError: an output is no longer there, or its values are others.
        PortingError: the portfile cannot be run.
    """
    portfile = Portfile.load(folder / made_from["portfile"])
    now = dict(_hashes(portfile))
    for name, sha256 in made_from["files"].items():
        if now.get(name) != sha256:
            _say(f"changed since then: {show(name)}")
    outputs = {each.name: each for each in _outputs(portfile, (made_from["atol"], made_from["rtol"]))}
    for name, values in expected.items():
        if name not in outputs or list(outputs[name].original.shape) != list(values["shape"]):
            raise GenerationError(f"the original has no output {show(name)} of the shape {values['shape']} any more")
        difference = _difference(outputs[name].original, values)
        _say(f"{show(name)}: the original's values again, within {difference:.2g}")
        if not difference <= values["sums_atol"]:
            raise GenerationError(f"the original's {show(name)} differs from the expected values by {difference:.2g}")


def _outputs(portfile: Portfile, tolerance: tuple[float, float]) -> tuple[ExpectedOutput, ...]:
    ported = portfile.build("ported")
    verification = verify_portfile(portfile, ported=ported)
    call, given = forward_of(verification)
    outputs = expected_outputs(portfile, verification, call)
    return outputs + layer_outputs(verification, ported, given, outputs, tolerance)


def _difference(original: torch.Tensor, values: Mapping[str, Any]) -> float:
    sample = Sample(tuple(values["places"]), list(values["channels"]), values["valid"])
    looks = ((sample.means, "means"), (sample.values, "slice"), (sample.sums, "sums"))
    return max(
        float((look(original).double() - torch.tensor(values[key]).double()).abs().max()) for look, key in looks
    )


def _hashes(portfile: Portfile) -> Iterator[tuple[str, str]]:
    """The SHA-256 of the portfile, of the checkpoint's files and of a recorded trace's manifest."""
    yield portfile.path.name, _sha256(portfile.path)
    checkpoint = portfile.checkpoint()
    files = [checkpoint] if checkpoint is None or checkpoint.is_file() else sorted(checkpoint.iterdir())
    for file in files[:MOST_FILES]:
        if file is not None and file.is_file():
            yield f"checkpoint: {file.name}", _sha256(file)
    if portfile.original_trace is not None:
        yield f"trace: {MANIFEST}", _sha256(portfile.original_trace / MANIFEST)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
