"""Capture: hooks on every module of a torch model, one trace out."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from porting.errors import CaptureError
from porting.module_table import describe_modules
from porting.preserving import preserved, seed_everything
from porting.progress import Progress, silent
from porting.runs import Inputs, Run
from porting.tensorfiles import torch_dtypes
from porting.text import show
from porting.trace import Call, Failure, Leaf, Trace, flatten, require_writable, save_trace
from porting.trace.model import Value
from porting.tracking import CallTracker, OpenCall

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_STORED = frozenset(torch_dtypes().values())
_NOTHING = Value({"kind": "leaf"}, (Leaf(""),))
_RAISED = Value({"kind": "leaf"}, (Leaf("", type_name="nothing: it raised"),))


def capture(
    model: torch.nn.Module,
    inputs: Mapping[str, Any] | tuple[Any, ...] | Inputs,
    *,
    run: Run | None = None,
    folder: str | os.PathLike[str] | None = None,
    valid_positions: torch.Tensor | None = None,
    side: str = "",
    seed: int = 0,
    record_inputs: bool = True,
    sketches: bool = True,
    noise: bool = False,
    progress: Progress = silent,
) -> Trace:
    """Run a model once and record every module call, with the tensors that go in and come out.

    Tensors are copied when they pass, so that later in-place writes do not change them; identical content is kept
    once. The model runs without gradients, in the mode it is in, and is left as it was found.

    Args:
        model: any eager torch module.
        inputs: keyword arguments as a dict, positional ones as a tuple, or both as `Inputs`.
        run: how to run it, ``run(model, inputs)``, when that is not ``model(*args, **kwargs)``; may call the model
            several times (each outermost call is a step of its own).
        folder: also write the trace there, replacing an earlier trace.
        valid_positions: bool tensor over (batch, sequence) of what counts in a comparison; None: everything.
        side: ``original`` or ``ported``, noted in the trace.
        seed: of the random generators during the run.
        record_inputs: leave False to record outputs alone.
        sketches: fingerprint the parameters, which alignment by weights needs.
        noise: run it some more times, and note in the trace by how much its results move by themselves.
        progress: called as module calls complete.

    Returns:
        The trace, in memory.

    Raises:
        CaptureError: the model is scripted or compiled, the valid positions are not a bool tensor, the forward raised
            (the message names the innermost module; with ``folder`` the part that ran is kept as a failed trace), or
            no module was called.
        OutputError: the folder cannot be written.
    """
    _refuse_opaque(model)
    _refuse_other_positions(valid_positions)
    if folder is not None:
        require_writable(folder)
    given = inputs if isinstance(inputs, Inputs) else Inputs.of(inputs, "inputs")
    recorder = _Recorder(model, record_inputs, progress)
    with preserved(model), torch.no_grad():
        modules = describe_modules(model, sketches=sketches, progress=progress)
        run_inputs = recorder.value(given.named())
        seed_everything(seed)
        untouched = torch.get_rng_state()
        result, error = recorder.follow(run, given)
        drew = not torch.equal(torch.get_rng_state(), untouched)
        outputs = _RAISED if error else recorder.value(result)
    trace = Trace(
        calls=recorder.finished(),
        modules=modules,
        inputs=run_inputs,
        outputs=outputs,
        tensors=recorder.contents,
        run={**_run_facts(model, side, seed), "random": drew},
        valid=recorder.keep("valid", valid_positions),
        failure=recorder.failure(error) if error else None,
    )
    if not trace.calls and not error:
        raise CaptureError(
            "the run called no module of the model, so there is nothing to record",
            hint="check that run_original or run_ported calls the model it is given",
        )
    if noise and not error:
        from porting.measuring import measure_noise, with_noise

        trace = with_noise(trace, measure_noise(model, given, trace, run=run, progress=progress))
    if folder is not None:
        save_trace(trace, folder, lambda text: progress(text, len(trace.calls), len(trace.calls)))
    if trace.failure and error:
        raise _raised(trace.failure, side, folder) from error
    return trace


class _Recorder(CallTracker):
    """Collects calls and snapshots while the hooks are on."""

    def __init__(self, model: torch.nn.Module, record_inputs: bool, progress: Progress) -> None:
        super().__init__(model)
        self.record_inputs = record_inputs
        self.progress = progress
        self.contents: dict[str, torch.Tensor] = {}
        self._calls: list[OpenCall] = []
        self._inputs: dict[int, Value] = {}
        self._outputs: dict[int, Value] = {}
        self._seen: dict[tuple[Any, ...], str] = {}

    def follow(self, run: Run | None, given: Inputs) -> tuple[Any, Exception | None]:
        """Run the model with the hooks on: what it returned, or what it raised."""
        with self.hooked():
            try:
                fresh = given.fresh()
                return (run(self.model, fresh) if run else fresh.forward(self.model)), None
            except Exception as error:
                return None, error

    def entering(self, call: OpenCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note the call, and its arguments as they are now."""
        self._calls.append(call)
        if self.record_inputs:
            self._inputs[call.index] = self.value(self.arguments(call, args, kwargs))

    def leaving(self, call: OpenCall, output: Any) -> None:
        """Note what the call returned, as it is now."""
        self._outputs[call.index] = self.value(output)
        self.progress("running", len(self._outputs), len(self.paths))

    def value(self, value: Any) -> Value:
        """Take a value apart and snapshot its tensors."""
        structure, leaves = flatten(value)
        return Value(structure, tuple(self._leaf(name, leaf) for name, leaf in leaves))

    def keep(self, key: str, tensor: torch.Tensor | None) -> str | None:
        """Keep one more tensor under a key of its own."""
        if tensor is None:
            return None
        self.contents[key] = tensor.detach().cpu().clone()
        return key

    def finished(self) -> tuple[Call, ...]:
        """The calls in order of entry."""
        return tuple(
            Call(
                index=call.index,
                step=call.step,
                path=call.path,
                repeat=call.repeat,
                class_name=type(call.module).__name__,
                parent=call.parent.index if call.parent else None,
                inputs=self._inputs.get(call.index, _NOTHING),
                outputs=self._outputs.get(call.index, _RAISED),
            )
            for call in self._calls
        )

    def failure(self, error: Exception) -> Failure:
        """Where the run raised: the innermost call that did."""
        call = self.innermost(error)
        path = call.path if call else ""
        name = type(call.module).__name__ if call else ""
        return Failure(path, name, f"{type(error).__name__}: {show(error, 1000)}")

    def _leaf(self, name: str, value: Any) -> Leaf:
        if isinstance(value, torch.Tensor):
            return self._tensor_leaf(name, value)
        if isinstance(value, float) and not np.isfinite(value):
            return Leaf(name, value=str(value))
        if value is None or isinstance(value, (bool, int, float, str)):
            return Leaf(name, value=value)
        return Leaf(name, type_name=type(value).__name__)

    def _tensor_leaf(self, name: str, tensor: torch.Tensor) -> Leaf:
        reason = _not_recordable(tensor)
        if reason:
            return Leaf(name, type_name=f"not recorded: {reason}")
        dtype, shape = str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)
        strides = None if tensor.is_contiguous() else tuple(tensor.stride())
        return Leaf(name, dtype, shape, strides, self._snapshot(tensor))

    def _snapshot(self, tensor: torch.Tensor) -> str:
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), tensor.device)
        key = self._seen.get(place)
        if key is not None and _same_bits(self.contents[key], tensor):
            return key
        key = f"t{len(self.contents)}"
        plain = tensor.detach().resolve_conj().resolve_neg()
        if plain.device.type == "cpu":
            self.contents[key] = plain.clone(memory_format=torch.contiguous_format)
        else:
            self.contents[key] = plain.cpu().contiguous()
        self._seen[place] = key
        return key


def _same_bits(kept: torch.Tensor, tensor: torch.Tensor) -> bool:
    if tensor.device.type != "cpu" or tensor.is_conj() or tensor.is_neg():
        return False
    bits = _BITS[tensor.element_size()]
    return torch.equal(kept.view(bits), tensor.detach().view(bits))


def _not_recordable(tensor: torch.Tensor) -> str:
    if tensor.is_meta:
        return "no data (on meta)"
    if tensor.is_quantized:
        return "quantized tensor"
    if tensor.is_nested:
        return "nested tensor"
    if tensor.layout != torch.strided:
        return f"{tensor.layout} tensor".replace("torch.", "")
    if tensor.dtype not in _STORED:
        return f"{tensor.dtype} tensor".replace("torch.", "")
    return ""


def _refuse_opaque(model: torch.nn.Module) -> None:
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            kind, advice = "scripted or traced", "return the Python module it was made from"
        elif hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            kind, advice = "compiled", "return the module before torch.compile"
        else:
            continue
        raise CaptureError(
            f"{show(path) or 'the model'} ({type(module).__name__}) is {kind}: hooks do not see inside it",
            hint=advice,
        )


def _refuse_other_positions(valid: torch.Tensor | None) -> None:
    if valid is not None and (valid.dtype != torch.bool or valid.dim() != 2):
        raise CaptureError(
            f"valid_positions must be a bool tensor over (batch, sequence), and is {valid.dtype} of shape "
            f"{tuple(valid.shape)}",
            hint="for an attention mask of ones and zeros: attention_mask.bool()",
        )


def _run_facts(model: torch.nn.Module, side: str, seed: int) -> dict[str, Any]:
    training = [path for path, module in model.named_modules() if module.training]
    return {
        "side": side,
        "model": f"{type(model).__module__}.{type(model).__qualname__}",
        "seed": seed,
        "training": len(training),
        "threads": torch.get_num_threads(),
        "sources": source_of(type(model)),
        "devices": sorted({str(parameter.device) for parameter in model.parameters()}),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def source_of(model_class: type) -> dict[str, str]:
    """The file that a class is written in, with its SHA-256; empty if it has none."""
    try:
        path = inspect.getsourcefile(model_class)
        content = Path(path).read_bytes() if path else None
    except (OSError, TypeError):
        return {}
    return {} if path is None or content is None else {str(Path(path).absolute()): hashlib.sha256(content).hexdigest()}


def _raised(failure: Failure, side: str, folder: str | os.PathLike[str] | None) -> CaptureError:
    hint = (
        f"see what ran before it: porting capture --show {show(folder)}"
        if folder is not None
        else "add --debug for the traceback"
    )
    which = f"the {side} model" if side else "the model"
    if not failure.class_name:
        return CaptureError(f"the code that runs {which} raised {failure.error}", hint=hint)
    return CaptureError(f"{which}'s forward raised in {failure.where}: {failure.error}", hint=hint)
