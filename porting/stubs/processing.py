"""The test of a port's processor: samples made by code, with the values of the original's preprocessing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from porting.errors import PortingError
from porting.processors import ArrayPair, Processor, pair_arrays, processors_of
from porting.processors.running import ProcessorError, as_array
from porting.stubs.expectations import ExpectedOutput, Leaf, tolerance_of
from porting.stubs.layout import Tree
from porting.stubs.literals import camel
from porting.stubs.material import Files, Material, Untested
from porting.stubs.modeling import fixture
from porting.stubs.quoting import quoted
from porting.stubs.rendering import render
from porting.stubs.replay import provenance
from porting.stubs.sampling import choose
from porting.text import show

TEMPLATE = "test_processing.py.jinja"
RESULTS = "expected_results_processing.json"
NEEDED = ("original_preprocess", "ported_processor")
IMAGES = ((320, 160), (96, 144), (37, 53))
"""Width and height of the images."""
SECONDS = (1.0, 0.37)
"""Lengths of the sounds."""

Found = tuple[list[int], ArrayPair]


def processing_files(material: Material) -> Files:
    """The test file and its fixture.

    Raises:
        Untested: the portfile has not both sides, or they differ.
        PortfileError: a function of the portfile does not keep its contract.
    """
    portfile, place = material.portfile, material.place
    if missing := [name for name in NEEDED if name not in portfile.functions]:
        raise Untested(f"processor: the portfile has no {missing[0]}()")
    if not isinstance(place, Tree):
        raise Untested("processor: a test that stands alone looks at the model only")
    value = portfile.call("ported_processor")
    found = {processor.kind: list(_compared(material, processor)) for processor in processors_of(value)}
    if not any(found.values()):
        raise Untested("processor: no array of the original's could be compared")
    measured = max(pair.max_abs for pairs in found.values() for _, pair in pairs)
    atol, rtol = tolerance_of("float32", measured, material.verification.comparison.tolerance)
    source = quoted(portfile, ("original_preprocess",))
    data = {
        **provenance(material.verification.original),
        **material.weights,
        "folder": place.name,
        "source": source,
        "atol": atol,
        "rtol": rtol,
    }
    names = {
        "test_class": f"{camel(portfile.model_name)}ProcessingIntegrationTest",
        "quotes": bool(source),
        "images": bool(found.get("image")),
        "sounds": bool(found.get("audio")),
        **material.replay.weights.flags,
    }
    results: dict[str, Any] = {kind: [_result(*each, atol) for each in pairs] for kind, pairs in found.items()}
    return {
        place.test(kind_of_test(value)): render(TEMPLATE, names, data),
        place.fixtures / RESULTS: fixture(results),
    }


def kind_of_test(processor: Any) -> str:
    """What Transformers calls the tests of a processor."""
    from transformers import FeatureExtractionMixin, ProcessorMixin
    from transformers.image_processing_utils import BaseImageProcessor

    if isinstance(processor, ProcessorMixin):
        return "processing"
    if isinstance(processor, BaseImageProcessor):
        return "image_processing"
    return "feature_extraction" if isinstance(processor, FeatureExtractionMixin) else "processing"


def make_image(width: int, height: int) -> Any:
    """The image that the test makes of the same numbers."""
    from PIL import Image

    row, column, channel = np.ogrid[:height, :width, :3]
    values = row * 3 + column * 2 + channel * 50 + row * column // 40 + 60 * ((row // 9 + column // 7) % 2)
    return Image.fromarray((values % 256).astype(np.uint8))


def make_sound(length: int, rate: int) -> Any:
    """The sound that the test makes of the same numbers."""
    time = np.arange(length) / rate
    sound = 0.4 * np.sin(2 * np.pi * (80 + 0.1 * rate * time) * time)
    sound[length // 2 : length // 2 + length // 8] = 0
    return sound.astype(np.float32)


def _compared(material: Material, processor: Processor) -> Iterator[Found]:
    """Every sample that the original takes, with each of its arrays and the port's.

    Raises:
        Untested: some array is another one.
    """
    tolerance = material.verification.comparison.tolerance
    for sample in _samples(processor):
        value = make_image(*sample) if processor.kind == "image" else make_sound(*sample)
        for pair in _pairs(material, processor, value):
            if not pair.agrees(tolerance):
                which = f"{show(pair.ported_name)} of a sample {sample}"
                raise Untested(f"processor: {which} differs ({pair.describe()}); see: porting check")
            if pair.original.dtype.kind == "f" and pair.original.ndim and np.isfinite(pair.original).all():
                yield sample, pair


def _samples(processor: Processor) -> list[list[int]]:
    if processor.kind == "image":
        return [list(size) for size in IMAGES]
    return [[int(seconds * processor.rate), processor.rate] for seconds in SECONDS]


def _pairs(material: Material, processor: Processor, value: Any) -> list[ArrayPair]:
    """Nothing if one side does not take the sample."""
    try:
        original = material.portfile.call("original_preprocess", value)
        if not isinstance(original, Mapping):
            return []
        ported = processor.alone(value)
    except (ProcessorError, PortingError):
        return []
    return pair_arrays({str(name): as_array(each) for name, each in original.items()}, ported)


def _result(sample: list[int], pair: ArrayPair, atol: float) -> dict[str, Any]:
    original, ported = (torch.tensor(each, dtype=torch.float32) for each in (pair.original, pair.ported))
    leaf = Leaf(pair.ported_name, (), ported)
    output = ExpectedOutput(pair.ported_name, leaf, original, None, pair.max_abs, choose(original, None))
    return {"sample": sample, "name": pair.ported_name, "expected": output.expected(atol)}
