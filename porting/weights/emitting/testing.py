"""The test of an emitted mapping."""

from __future__ import annotations

from datetime import UTC, datetime

from porting.stubs.importing import imports
from porting.stubs.literals import camel, snake
from porting.stubs.rendering import render
from porting.weights.emitting.mapping import ConversionMapping
from porting.weights.emitting.prepared import Prepared
from porting.weights.emitting.script import class_of

TEMPLATE = "test_conversion_mapping.py.jinja"


def test_text(prepared: Prepared, found: ConversionMapping, name: str, kind: str) -> str:
    """A test that loads the original through the mapping, and saves it both ways.

    Raises:
        GenerationError: the class of the port cannot be imported by a test.
    """
    own = class_of(type(prepared.model))
    names = {
        "model_class": own[1],
        "imports": imports([own, ("safetensors.torch", "load_file"), ("safetensors.torch", "save_file")]),
        "test_class": f"{camel(name)}ConversionMappingTest",
        "file": snake(name),
        "kind": kind,
        "ignored": bool(found.ignored),
        "has_one_way": bool(found.one_way),
    }
    return render(TEMPLATE, names, {"year": datetime.now(UTC).year, "name": name})
