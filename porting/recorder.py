"""Record a model where porting cannot be installed: this one file, with NumPy, and torch if the model is of torch.

Copy it beside the original (``porting recorder > record.py``) and record there; compare the trace where porting is:

    import record
    record.record(model, {"tokens": tokens}, "traces/original")        # a torch model: hooks on every module

    recorder = record.Recorder()                                       # any framework: explicit taps
    recorder.parameter("encoder.layer.0", "weight", array)
    recorder.tap("encoder.layer.0", outputs=array, inputs={"x": array})
    recorder.save("traces/original", inputs={"x": array}, outputs=array)

It needs Python 3.7, NumPy 1.17 or newer, and torch 1.8 or newer for torch models. The folder that it writes is
described in docs/trace-format.md of the porting project.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
import platform
import shutil
import sys
import zlib
from collections.abc import Mapping
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

FORMAT = 1
MANIFEST = "manifest.json"
SHARD = "tensors-00001.safetensors"
DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "C64",
}  # fmt: skip
"""The dtypes that a trace can hold, and the names that the safetensors format has for them."""

Leaf = Dict[str, Any]


class Array:
    """A snapshot: bytes, dtype and shape, whatever framework they came from."""

    def __init__(
        self, data: np.ndarray, dtype: str, shape: Tuple[int, ...], strides: Optional[Tuple[int, ...]] = None
    ) -> None:
        self.data = data
        self.dtype = dtype
        self.shape = shape
        self.strides = strides


class Recorder:
    """Collects calls, module by module, and writes them as a trace."""

    def __init__(self, model: str = "model", side: str = "original", seed: int = 0) -> None:
        """Begin a trace; ``model`` names what is recorded."""
        self.run: Dict[str, Any] = {
            "side": side,
            "model": model,
            "seed": seed,
            "training": 0,
            "devices": ["cpu"],
            "versions": {"python": platform.python_version(), "numpy": np.__version__},
        }
        self.modules: Dict[str, Dict[str, Any]] = {}
        self.calls: List[Dict[str, Any]] = []
        self.failure: Optional[Dict[str, str]] = None
        self._shard = _Shard()
        self._open: List[Dict[str, Any]] = []
        self._repeats: Dict[Tuple[int, str], int] = {}
        self._step = -1
        self.module("", class_name=model.rpartition(".")[2])

    def module(self, path: str, class_name: str = "", settings: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Make a module known, and those above it."""
        if path and path not in self.modules:
            self.module(path.rpartition(".")[0])
        entry = self.modules.setdefault(
            path,
            {"path": path, "class": "", "training": False, "alias_of": None, "settings": {}, "parameters": []},
        )
        entry["class"] = class_name or entry["class"] or path.rpartition(".")[2]
        entry["settings"].update(settings or {})
        return entry

    def parameter(self, path: str, name: str, array: Any, kind: str = "parameter") -> None:
        """Note a parameter or buffer of a module, so that modules can be aligned by their weights."""
        kept = _array(array)
        if isinstance(kept, str):
            return
        entry = {"name": name, "kind": kind, "dtype": kept.dtype, "shape": list(kept.shape), "tied_to": None}
        entry["sketch"] = self._sketch(kept)
        self.module(path)["parameters"].append(entry)

    def tap(self, path: str, outputs: Any, inputs: Any = None, class_name: str = "") -> None:
        """Record one call of a module that has returned: what it made, and what it was given, by parameter name."""
        self.enter(path, inputs or {}, class_name)
        self.leave(outputs)

    def enter(self, path: str, inputs: Any, class_name: str = "") -> None:
        """A call begins; what is recorded until `leave` was called from it."""
        if not self._open:
            self._step += 1
        repeat = self._repeats.get((self._step, path), 0)
        self._repeats[self._step, path] = repeat + 1
        call = {
            "step": self._step,
            "path": path,
            "repeat": repeat,
            "class": self.module(path, class_name)["class"],
            "parent": self._open[-1]["index"] if self._open else None,
            "index": len(self.calls),
            "inputs": self._value(inputs),
            "outputs": {"structure": {"kind": "leaf"}, "leaves": [{"name": "", "type": "nothing: it raised"}]},
        }
        self.calls.append(call)
        self._open.append(call)

    def leave(self, outputs: Any) -> None:
        """The call that was entered last has returned."""
        self._open.pop()["outputs"] = self._value(outputs)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Everything within is one step of the model itself: taps in it are calls that it made."""
        self.enter("", {})
        yield
        self.leave(None)

    def raised(self, error: BaseException) -> None:
        """The run ended in an exception, in the innermost call that is open."""
        call = self._open[-1] if self._open else {"path": "", "class": ""}
        text = f"{type(error).__name__}: {str(error)[:1000]}"
        self.failure = {"path": call["path"], "class": call["class"], "error": text}
        self._open = []

    def save(self, folder: str, inputs: Any = None, outputs: Any = None, valid_positions: Any = None) -> str:
        """Write the trace; an earlier one there is replaced, anything else is not.

        Args:
            folder: where; its parents are made.
            inputs: what the run was given, by name.
            outputs: what it returned.
            valid_positions: booleans over (batch, sequence): what counts in a comparison.
        """
        partial = "{}.partial-{}".format(folder.rstrip("/\\"), os.getpid())
        _refuse_other(folder)
        os.makedirs(partial)
        try:
            document = self._document(inputs or {}, outputs, valid_positions)
            document["shards"] = self._shard.write(partial)
            document["sha256"] = _manifest_hash(document)
            with open(os.path.join(partial, MANIFEST), "w", encoding="ascii") as file:
                json.dump(document, file, allow_nan=False, indent=1)
                _flush(file)
            if os.path.isdir(folder):
                shutil.rmtree(folder)
            os.rename(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return folder

    def _document(self, inputs: Any, outputs: Any, valid_positions: Any) -> Dict[str, Any]:
        valid = None
        if valid_positions is not None:
            kept = _array(np.asarray(valid_positions).astype(bool))
            assert isinstance(kept, Array)
            valid = dict(self._shard.place(kept), shape=list(kept.shape))
        return {
            "format": FORMAT,
            "status": "failed" if self.failure else "complete",
            "checksums": {"tensor": "crc32", "shard header": "sha256", "manifest": "sha256"},
            "run": self.run,
            "modules": list(self.modules.values()),
            "calls": [{key: value for key, value in call.items() if key != "index"} for call in self.calls],
            "inputs": self._value(inputs),
            "outputs": self._value(outputs),
            "valid": valid,
            "failure": self.failure,
        }

    def _value(self, value: Any) -> Dict[str, Any]:
        leaves: List[Leaf] = []
        return {"structure": _flatten(value, "", leaves, ()), "leaves": [self._leaf(each) for each in leaves]}

    def _leaf(self, leaf: Leaf) -> Leaf:
        name, value = leaf["name"], leaf["value"]
        if value is None or isinstance(value, (bool, int, str)):
            return {"name": name, "value": value}
        if isinstance(value, float):
            return {"name": name, "value": value if np.isfinite(value) else str(value)}
        kept = _array(value)
        if isinstance(kept, str):
            return {"name": name, "type": kept}
        entry = {"name": name, "dtype": kept.dtype, "shape": list(kept.shape)}
        if kept.strides is not None:
            entry["strides"] = list(kept.strides)
        return dict(entry, **self._shard.place(kept))

    def _sketch(self, array: Array) -> Dict[str, Any]:
        axes = [self._shard.place(_plain(axis)) for axis in _signatures(array)]
        return {"crc32": zlib.crc32(array.data.tobytes()), "axes": axes}


def record(
    model: Any,
    inputs: Any,
    folder: str,
    run: Optional[Callable[[Any, Any], Any]] = None,
    valid_positions: Any = None,
    seed: int = 0,
) -> str:
    """Run a torch model once, without gradients, and write the trace of every module call.

    A forward that raises leaves a trace of what ran before, with the status ``failed``, and raises on.

    Args:
        model: in the mode in which it is to be recorded; it is left as it was found.
        inputs: keyword arguments as a dict, or positional ones as a tuple.
        folder: of the trace.
        run: ``run(model, inputs)``, when that is not ``model(**inputs)``.
        valid_positions: booleans over (batch, sequence): what counts.
        seed: of torch's random generator.
    """
    import torch

    recorder = Recorder(f"{type(model).__module__}.{type(model).__qualname__}", seed=seed)
    recorder.run["threads"] = torch.get_num_threads()
    recorder.run["training"] = sum(1 for module in model.modules() if module.training)
    recorder.run["versions"]["torch"] = str(torch.__version__)
    _describe(recorder, model)
    named = inputs if isinstance(inputs, dict) else {f"args.{index}": value for index, value in enumerate(inputs)}
    given = _copied(named)
    state = torch.get_rng_state()
    watch = _Watch(recorder, model)
    try:
        torch.manual_seed(seed)
        with torch.no_grad(), watch:
            if run is not None:
                outputs = run(model, inputs)
            else:
                outputs = model(**inputs) if isinstance(inputs, dict) else model(*inputs)
    except Exception as error:
        recorder.raised(error)
        recorder.save(folder, given, None, valid_positions)
        raise
    finally:
        torch.set_rng_state(state)
    return recorder.save(folder, given, outputs, valid_positions)


class _Watch:
    """Hooks on every module; where torch has none that see keyword arguments, each forward is wrapped instead."""

    def __init__(self, recorder: Recorder, model: Any) -> None:
        self.recorder = recorder
        self.paths: Dict[int, str] = {}
        self.modules: List[Any] = []
        for path, module in model.named_modules():
            if "parametrizations" not in path.split("."):
                self.paths.setdefault(id(module), path)
                self.modules.append(module)
        self.undo: List[Callable[[], None]] = []

    def __enter__(self) -> None:
        for module in self.modules:
            known = inspect.signature(type(module).register_forward_hook).parameters
            (self._hook if "with_kwargs" in known else self._wrap)(module)

    def __exit__(self, *_: Any) -> None:
        for undo in self.undo:
            undo()

    def _hook(self, module: Any) -> None:
        def before(_: Any, args: Any, kwargs: Any) -> None:
            self._entered(module, args, kwargs)

        def after(_: Any, __: Any, ___: Any, output: Any) -> None:
            self.recorder.leave(output)

        self.undo.append(module.register_forward_pre_hook(before, with_kwargs=True).remove)
        self.undo.append(module.register_forward_hook(after, with_kwargs=True).remove)

    def _wrap(self, module: Any) -> None:
        forward = module.forward
        own = "forward" in vars(module)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._entered(module, args, kwargs, forward)
            output = forward(*args, **kwargs)
            self.recorder.leave(output)
            return output

        def undo() -> None:
            if own:
                module.forward = forward
            else:
                del module.forward

        module.forward = wrapped
        self.undo.append(undo)

    def _entered(self, module: Any, args: Any, kwargs: Any, forward: Any = None) -> None:
        inputs = _named(forward or module.forward, args, kwargs)
        self.recorder.enter(self.paths[id(module)], inputs, type(module).__name__)


def _describe(recorder: Recorder, model: Any) -> None:
    """The modules of a torch model, with their settings, parameters and buffers."""
    for path, module in model.named_modules():
        parts = path.split(".")
        owner = ".".join(parts[: parts.index("parametrizations")]) if "parametrizations" in parts else path
        prefix = (
            "".join(part + "." for part in parts[len(owner.split(".")) if owner else 0 :]) if owner != path else ""
        )
        if owner == path:
            recorder.module(path, type(module).__name__, _settings(module))["training"] = bool(module.training)
        for name, tensor in module._parameters.items():
            if tensor is not None:
                recorder.parameter(owner, prefix + name, tensor)
        for name, tensor in module._buffers.items():
            if tensor is not None:
                hidden = name in getattr(module, "_non_persistent_buffers_set", ())
                recorder.parameter(owner, prefix + name, tensor, "non-persistent buffer" if hidden else "buffer")


def _settings(module: Any) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training":
            continue
        if value is None or isinstance(value, (bool, int, str)):
            found[name] = value
        elif isinstance(value, float):
            found[name] = value if np.isfinite(value) else str(value)
        elif isinstance(value, (tuple, list)) and len(value) <= 8 and all(isinstance(v, (int, float)) for v in value):
            found[name] = str(tuple(value))
        elif callable(value) and not isinstance(value, type) and not hasattr(value, "_parameters"):
            found[name] = getattr(value, "__name__", type(value).__name__)
    return found


def _named(forward: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """Arguments by parameter name; ``args.0`` and so on where there is no name."""
    try:
        signature = inspect.signature(forward)
        bound = dict(signature.bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return dict({f"args.{index}": value for index, value in enumerate(args)}, **kwargs)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and parameter.name in bound:
            bound.update(bound.pop(parameter.name))
    return bound


def _flatten(value: Any, name: str, leaves: List[Leaf], above: Tuple[int, ...]) -> Dict[str, Any]:
    """Take a nested value apart, as porting does; ``leaves`` is added to."""
    parts = None if id(value) in above else _parts(value)
    if parts is None:
        leaves.append({"name": name, "value": value})
        return {"kind": "leaf"}
    kind, keys, items = parts
    return {
        "kind": kind,
        "class": type(value).__name__,
        "keys": keys,
        "items": [
            _flatten(item, f"{name}.{key}" if name else key, leaves, (*above, id(value)))
            for key, item in zip(keys, items)
        ],
    }


def _parts(value: Any) -> Optional[Tuple[str, List[str], List[Any]]]:
    if value is None or isinstance(value, (str, bytes, int, float, np.ndarray, np.generic)) or _is_tensor(value):
        return None
    if isinstance(value, Mapping):
        return "dict", [str(key) for key in value], list(value.values())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "tuple", list(value._fields), list(value)
    if isinstance(value, (list, tuple)) and type(value).__name__ != "Size":
        kind = "list" if isinstance(value, list) else "tuple"
        return kind, [str(index) for index in range(len(value))], list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return "dict", names, [getattr(value, name) for name in names]
    if isinstance(value, type) or callable(value) or hasattr(value, "shape") or not hasattr(value, "__dict__"):
        return None
    held = {key: item for key, item in vars(value).items() if _holds_tensor(item, [id(value)])}
    return ("dict", list(held), list(held.values())) if held else None


def _holds_tensor(value: Any, seen: List[int]) -> bool:
    if _is_tensor(value) or isinstance(value, np.ndarray):
        return True
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
        return False
    seen.append(id(value))
    if isinstance(value, Mapping):
        return any(_holds_tensor(item, seen) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(item, seen) for item in value)
    if callable(value):
        return False
    return any(_holds_tensor(item, seen) for item in getattr(value, "__dict__", {}).values())


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _array(value: Any) -> Any:
    """A snapshot of a tensor or of anything that NumPy can read; a text that says why there is none."""
    if _is_tensor(value):
        return _tensor_array(value)
    if not (isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__")):
        return type(value).__name__
    array = np.asarray(value)
    name = str(array.dtype)
    if name not in DTYPES:
        return f"not recorded: {name} array"
    strides = None if array.flags.c_contiguous else tuple(step // array.itemsize for step in array.strides)
    little = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)
    return Array(little, name, tuple(array.shape), strides)


def _tensor_array(tensor: Any) -> Any:
    import torch

    if str(tensor.layout) != "torch.strided" or tensor.is_quantized or getattr(tensor, "is_nested", False):
        return "not recorded: {} tensor".format(str(tensor.layout).replace("torch.", ""))
    if tensor.device.type == "meta":
        return "not recorded: no data (on meta)"
    name = str(tensor.dtype).replace("torch.", "")
    if name not in DTYPES:
        return f"not recorded: {name} tensor"
    plain = tensor.detach()
    for resolve in ("resolve_conj", "resolve_neg"):
        plain = getattr(plain, resolve)() if hasattr(plain, resolve) else plain
    plain = plain.cpu().contiguous()
    raw = plain.view(torch.int16) if name == "bfloat16" else plain
    strides = None if tensor.is_contiguous() else tuple(tensor.stride())
    return Array(np.array(raw.numpy(), copy=True), name, tuple(tensor.shape), strides)


def _copied(value: Any) -> Any:
    """Arguments as they are before the run, which may write into them."""
    if _is_tensor(value):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_copied(item) for item in value)
    return value


def _plain(array: np.ndarray) -> Array:
    return Array(np.ascontiguousarray(array), str(array.dtype), tuple(array.shape))


def _signatures(array: Array) -> List[np.ndarray]:
    """The axes of a sketch, as docs/trace-format.md defines them."""
    values = array.data
    if array.dtype == "bfloat16":
        values = (values.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    dims = len(array.shape)
    if array.dtype == "complex64":
        values = np.ascontiguousarray(values).view(np.float32).reshape((*array.shape, 2))
    if dims < 2:
        return [values.reshape(-1).astype(np.float64)]
    found = []
    for axis in (0, 1):
        slices = np.moveaxis(values, axis, 0).reshape(array.shape[axis], -1)
        found.append(slices.astype(np.float64) @ _projection(slices.shape[1]))
    return found


def _projection(length: int) -> np.ndarray:
    z = np.arange(1, length + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.asarray(z.astype(np.float64) / 2.0**63 - 1.0)


class _Shard:
    """One file of tensors in the safetensors format; identical content is stored once."""

    def __init__(self) -> None:
        self.entries: Dict[str, Tuple[Array, bytes]] = {}
        self.known: Dict[Tuple[str, Tuple[int, ...], bytes], Dict[str, Any]] = {}

    def place(self, array: Array) -> Dict[str, Any]:
        """Where an array lies: shard, key and checksum."""
        data = array.data.tobytes()
        same = (array.dtype, array.shape, hashlib.sha256(data).digest())
        if same not in self.known:
            key = f"t{len(self.entries)}"
            self.entries[key] = (array, data)
            self.known[same] = {"shard": SHARD, "key": key, "crc32": zlib.crc32(data)}
        return self.known[same]

    def write(self, folder: str) -> Dict[str, Dict[str, Any]]:
        """Write the file; returns its size and the hash of its header."""
        header: Dict[str, Any] = {}
        end = 0
        for key, (array, data) in self.entries.items():
            offsets = [end, end + len(data)]
            header[key] = {"dtype": DTYPES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
            end = offsets[1]
        text = json.dumps(header, separators=(",", ":")).encode("ascii")
        text += b" " * (-len(text) % 8)
        head = len(text).to_bytes(8, "little") + text
        with open(os.path.join(folder, SHARD), "wb") as file:
            file.write(head)
            for _, data in self.entries.values():
                file.write(data)
            _flush(file)
        return {SHARD: {"bytes": len(head) + end, "header_sha256": hashlib.sha256(head).hexdigest()}}


def _manifest_hash(document: Dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _refuse_other(folder: str) -> None:
    if not os.path.lexists(folder):
        return
    names = set(os.listdir(folder)) if os.path.isdir(folder) and not os.path.islink(folder) else {"?"}
    shards = {name for name in names if name.startswith("tensors-") and name.endswith(".safetensors")}
    if names and not (shards and names - shards == {MANIFEST}):
        raise FileExistsError(f"{folder} exists and is not a trace, so it is not replaced")


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
