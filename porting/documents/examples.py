"""Code that loads a port and runs it once: the examples of its documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from porting.documents.port import Port
from porting.documents.trying import fault_of
from porting.errors import PortingError
from porting.pretrained import is_pretrained
from porting.stubs.importing import imports
from porting.stubs.rendering import render
from porting.stubs.replay import plain_inputs, written_inputs
from porting.weights.emitting.script import class_of

PLACE = "[[you: HUB_ID in the portfile: organisation/name]]"
"""What stands for the id of the Hub where the portfile has none."""
TEMPLATE = "usage_example.py.jinja"
MOST_WRITTEN = 64
"""Elements of an input that an example has as numbers; of a larger one, ones of its shape."""
TEXT = "The sun rises in the east, and it sets in the"
CLASSIFYING = ("text-classification", "image-classification", "audio-classification")
AUTO = {"tokenizer": "AutoTokenizer", "processor": "AutoProcessor"}
NOTHING: dict[str, Any] = {"images": False, "sounds": False, "reader": "", "reader_class": "", "classifies": False}


@dataclass(frozen=True, slots=True)
class Example:
    """A program for readers.

    Attributes:
        code: it, with the id of the Hub; empty where there is none.
        fault: what went wrong when it ran on the converted folder, or why there is none; empty if it ended well.
        tried: whether it ran.
    """

    code: str
    fault: str = ""
    tried: bool = False


def example_of(port: Port, *, tried: bool) -> Example:
    """The first program that runs on the converted folder, else the first one with what went wrong.

    Args:
        port: of which it is.
        tried: whether to run them.
    """
    try:
        shown = list(examples_of(port, port.hub_id or PLACE))
        local = list(examples_of(port, str(port.folder)))
    except PortingError as error:
        return Example("", error.message)
    if not shown:
        return Example("", "the class has no from_pretrained, or nothing that it could run on is known")
    if not tried or port.folder is None:
        return Example(shown[0])
    faults = []
    for code, program in zip(shown, local, strict=True):
        faults.append(fault_of(program, port.portfile.folder))
        if not faults[-1]:
            return Example(code, tried=True)
    return Example(shown[0], faults[0], tried=True)


def examples_of(port: Port, checkpoint: str) -> Iterator[str]:
    """Yield programs that load the port from a checkpoint and run it: on a text, image or sound of its own tokenizer
    or processor, then on tensors as ``inputs()`` gives them.

    Args:
        port: of a class with ``from_pretrained``.
        checkpoint: a folder, or an id of the Hub.

    Raises:
        PortingError: the class cannot be imported, or something not be written down.
    """
    if not hasattr(port.kind, "from_pretrained"):
        return
    own = class_of(port.kind)
    generates = is_pretrained(port.model) and bool(port.model.can_generate())
    names = {**NOTHING, "model_class": own[1], "generates": generates}
    if reading := _reading(port):
        reader = ("transformers", reading["reader_class"])
        yield _rendered({**names, **reading, "imports": imports((own, reader))}, {"checkpoint": checkpoint})
    if given := _tensors(port):
        yield _rendered({**names, "imports": imports((own,))}, {"checkpoint": checkpoint, **given})


def _rendered(names: dict[str, Any], data: dict[str, Any]) -> str:
    given = {"written": [], "ones": [], "scalars": [], "rate": names.get("rate", 0), "text": TEXT, **data}
    return render(TEMPLATE, {key: value for key, value in names.items() if key != "rate"}, given).strip() + "\n"


def _reading(port: Port) -> dict[str, Any]:
    """What reads a text, an image or a sound for the port; empty where nothing does."""
    made = port.processor or port.tokenizer
    if made is None:
        return {}
    reader = "processor" if port.processor else "tokenizer"
    rate = getattr(getattr(made, "feature_extractor", made), "sampling_rate", 0)
    return {
        "reader": reader,
        "reader_class": AUTO[reader],
        "images": "image" in port.materials and reader == "processor",
        "sounds": "audio" in port.materials and reader == "processor",
        "rate": int(rate or 0),
        "classifies": port.task in CLASSIFYING,
    }


def _tensors(port: Port) -> dict[str, Any]:
    """The port's own inputs, as an example writes them; empty where it has none by name."""
    try:
        inputs = port.portfile.inputs("ported")
    except PortingError:
        return {}
    given = dict(inputs.kwargs) if not inputs.args else {}
    tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
    large = {name: value for name, value in tensors.items() if value.numel() > MOST_WRITTEN}
    plain = [(name, value) for name, value in plain_inputs(given) if isinstance(value, bool | int | float | str)]
    return (
        {
            "written": written_inputs(tensors, MOST_WRITTEN),
            "ones": [
                (name, list(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in large.items()
            ],
            "scalars": plain,
        }
        if tensors
        else {}
    )
