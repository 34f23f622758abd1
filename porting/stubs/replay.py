"""How a generated test runs the port again: its class, weights and inputs, and where its values come from."""

from __future__ import annotations

import base64
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from porting.errors import GenerationError
from porting.portfile import Portfile
from porting.stubs.checkpoint import Weights, weights_of
from porting.text import show
from porting.trace import Call, Trace
from porting.verification import Verification

MOST_WRITTEN = 4096
"""Elements of one input that a script can hold as a literal."""
MOST_IN_TEST = 512
"""The same for a test that has a folder for larger ones."""
MOST_STORED = 1 << 20
"""Elements of one input that such a folder can hold."""
DeviceKey = tuple[str, tuple[int, int]] | tuple[None, None]


@dataclass(frozen=True, slots=True)
class Replay:
    """What it takes to load the port and run it once on the inputs that were verified.

    Attributes:
        call: the port's one forward.
        given: the forward's arguments by name; None is left out.
        module: where the port's class is imported from.
        model_class: its name.
        dtype: of its parameters.
        weights: where it is loaded from.
        device_keys: kinds of device, with their capability, on which the original ran; last any other.
    """

    call: Call
    given: Mapping[str, Any]
    module: str
    model_class: str
    dtype: str
    weights: Weights
    device_keys: tuple[DeviceKey, ...] = ((None, None),)


def replay_of(portfile: Portfile, verification: Verification) -> Replay:
    """Find out how a verified port can be run again.

    Raises:
        GenerationError: the run was not one forward in eval mode, or the port's class or weights cannot be loaded by
            a test.
        PortfileError: ``checkpoint()`` does not keep its contract.
    """
    ported = verification.ported
    call, given = forward_of(verification)
    module, model_class = _class_of(ported, call)
    weights = weights_of(portfile)
    keys = device_keys(portfile, verification.original)
    return Replay(call, given, module, model_class, dtype_of(ported), weights, keys)


def device_keys(portfile: Portfile, original: Trace) -> tuple[DeviceKey, ...]:
    """The device of the original's run as Transformers' ``Expectations`` names it, where it is this machine's, and the
    default, which every other device takes.
    """
    devices = {str(name).split(":")[0] for name in original.run.get("devices", [])}
    here = portfile.original_trace is None and portfile.original_python is None
    if devices != {"cuda"} or not here or not torch.cuda.is_available():
        return ((None, None),)
    return (("cuda", torch.cuda.get_device_capability()), (None, None))


def forward_of(verification: Verification) -> tuple[Call, dict[str, Any]]:
    """The port's one forward, and its arguments by name, without those that are None.

    Raises:
        GenerationError: the run was not one forward in eval mode, or has an input that is neither a tensor nor a
            plain value.
    """
    _require_eval(verification)
    call = _only_forward(verification.ported)
    for leaf in call.inputs.leaves:
        if leaf.type_name is not None:
            raise GenerationError(f"the input {show(leaf.name)} ({show(leaf.type_name)}) cannot be written down")
    given = dict(verification.ported.value(call.inputs))
    return call, {name: value for name, value in given.items() if value is not None}


def plain_inputs(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The arguments that are no tensors."""
    return [(name, value) for name, value in given.items() if not isinstance(value, torch.Tensor)]


def written_inputs(given: Mapping[str, Any], most: int = MOST_WRITTEN) -> list[tuple[str, Any, str]]:
    """Name, nested list and dtype of the tensors of at most so many elements."""
    return [
        (name, literal(value), str(value.dtype).removeprefix("torch."))
        for name, value in given.items()
        if isinstance(value, torch.Tensor) and value.numel() <= most
    ]


def stored_inputs(given: Mapping[str, Any], most: int = MOST_WRITTEN) -> dict[str, torch.Tensor]:
    """The tensors of more elements, by name."""
    return {
        name: value.contiguous()
        for name, value in given.items()
        if isinstance(value, torch.Tensor) and value.numel() > most
    }


def encoded_inputs(tensors: Mapping[str, torch.Tensor]) -> list[tuple[str, str, list[int], str]]:
    """Name, dtype, shape and compressed bytes, as text, of tensors."""
    return [
        (
            name,
            str(value.dtype).removeprefix("torch."),
            list(value.shape),
            base64.b64encode(zlib.compress(value.cpu().view(torch.uint8).numpy().tobytes(), 9)).decode("ascii"),
        )
        for name, value in tensors.items()
    ]


def require_small(given: Mapping[str, Any], most: int) -> None:
    """Check that no input is too much to be kept.

    Raises:
        GenerationError: one has more elements, or is complex.
    """
    for name, value in given.items():
        if isinstance(value, torch.Tensor) and (value.numel() > most or value.is_complex()):
            raise GenerationError(
                f"the input {show(name)} is too much for a test to hold: {value.numel():,} elements of {value.dtype}",
                hint=f"let inputs() in the portfile return real tensors of at most {most:,} elements",
            )


def literal(tensor: torch.Tensor) -> Any:
    """Nested lists of a tensor's values; floating-point ones as the shortest decimals that stand for them."""
    if tensor.dim() > 1:
        return [literal(row) for row in tensor]
    if not tensor.is_floating_point():
        return tensor.tolist()
    if tensor.dtype is torch.float64:
        return tensor.tolist()
    return float(str(tensor.float().numpy())) if not tensor.dim() else [float(str(v)) for v in tensor.float().numpy()]


def provenance(original: Trace) -> dict[str, Any]:
    """Where the expected values come from, for the test's docstring and licence header."""
    versions = original.run.get("versions", {})
    now = datetime.now(UTC)
    return {
        "original_class": original.run.get("model", "unknown"),
        "devices": ", ".join(original.run.get("devices", [])) or "unknown",
        "torch_version": versions.get("torch", "unknown"),
        "python_version": versions.get("python", "unknown"),
        "date": now.date().isoformat(),
        "year": now.year,
    }


def _require_eval(verification: Verification) -> None:
    for side, trace in (("original", verification.original), ("ported", verification.ported)):
        if trace.run.get("training") != 0:
            raise GenerationError(
                f"the {side} model is not known to have run in eval mode, which is the mode of an integration test",
                hint=f"return model.eval() from {side}() in the portfile",
            )


def _only_forward(ported: Trace) -> Call:
    calls = ported.children.get(None, ())
    if len(calls) != 1 or calls[0].path:
        raise GenerationError(
            f"the port ran {len(calls)} forwards, and a test is written for exactly one of the whole model",
            hint="let run_ported() in the portfile call the model once",
        )
    return calls[0]


def _class_of(ported: Trace, call: Call) -> tuple[str, str]:
    """Module and name to import the port's class from."""
    module = str(ported.run["model"]).removesuffix(f".{call.class_name}")
    if module.split(".")[0] == "transformers" and hasattr(sys.modules["transformers"], call.class_name):
        module = "transformers"
    found = getattr(sys.modules.get(module), call.class_name, None)
    if found is None:
        raise GenerationError(
            f"the port's class {show(call.class_name)} of {show(module)} cannot be imported by a test",
            hint="define it at the top of a module of its own, not in the portfile or in a function",
        )
    if not hasattr(found, "from_pretrained"):
        raise GenerationError(
            f"the port's class {show(call.class_name)} has no from_pretrained",
            hint="let it inherit from transformers.PreTrainedModel",
        )
    return module, call.class_name


def dtype_of(ported: Trace) -> str:
    """The one floating dtype of the port's parameters.

    Raises:
        GenerationError: there are several.
    """
    parameters = [item for module in ported.modules.values() for item in module.parameters if item.kind == "parameter"]
    dtypes = sorted({item.dtype for item in parameters if "float" in item.dtype})
    if len(dtypes) != 1:
        raise GenerationError(
            f"the port's parameters have the floating dtypes {', '.join(dtypes) or '(none)'}; a test loads it in one",
            hint="load the port with one dtype: from_pretrained(..., dtype=torch.float32)",
        )
    return dtypes[0]
