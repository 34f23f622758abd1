"""Record a model where porting cannot be installed: this one file, with NumPy, and torch if the model is of torch.

Copy it beside the original (``porting recorder > record.py``) and record there; compare the trace where porting is:

    import record
    record.record(model, {"tokens": tokens}, "traces/original")        # a torch model: hooks on every module

    with record.Recorder("traces/original", model="jax.Net") as recorder:    # any framework: explicit taps
        recorder.parameter("encoder.layer.0", "weight", array)
        with recorder.running():
            recorder.tap("encoder.layer.0", outputs=array, inputs={"x": array})
        recorder.result(inputs={"x": array}, outputs=array)

Tensors go to the disk as they pass, so that little memory is needed; the folder appears when all of it is written.
It needs Python 3.7, NumPy 1.17 or newer, and torch 1.8 or newer for torch models, on Linux or macOS. The folder that
it writes is described in docs/trace-format.md of the porting project.
"""

import contextlib
import copy
import dataclasses
import functools
import hashlib
import inspect
import itertools
import json
import os
import platform
import random
import re
import shutil
import sys
import threading
import types
import zlib
from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping, ValuesView
from fnmatch import fnmatchcase
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 128 << 20
CHECKSUMS = {"tensor": "crc32", "shard header": "sha256", "manifest": "sha256", "layout": "compact"}
DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "C64", "float8_e5m2": "F8_E5M2", "float8_e4m3fn": "F8_E4M3", "float8_e8m0fnu": "F8_E8M0",
    "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e4m3fnuz": "F8_E4M3FNUZ",
}  # fmt: skip
"""The dtypes that a trace can hold, and the names that the safetensors format has for them."""
SEQUENCES = (list, tuple, deque, ValuesView)
"""What is taken apart item by item."""
CONTAINERS = (dict, OrderedDict, defaultdict, list, set, deque)
"""What is put back after a run, in just these classes: others may have rules of their own."""
COPIED_BYTES = 64 << 20
"""Most bytes of parameters that are copied before a run: the smallest ones first, as far as they go."""
MOST_PARTS = 100_000
"""Parts that a value may have in all, at every level."""
MOST_LEVELS = 100
"""Levels that a value may have."""
MOST_DIMENSIONS = 64
"""As many as NumPy and torch's own indexing take."""
SPREAD_BYTES = 1 << 30
SPREAD_TIMES = 1000
"""An expanded tensor of more bytes than this, and so many times its memory, is not written out."""
PIECE_BYTES = 4 << 20
"""Most bytes of a tensor that are copied at a time."""
BLOCK_ELEMENTS = 1 << 19
"""Elements of a parameter that are converted to float64 at a time."""
KEPT_PROJECTION = 1 << 20
"""Length up to which the projection of sketches is kept for the next parameter."""
SHARD_BYTES = 1 << 30
"""A shard that has grown to this size is closed."""
HEADER_BYTES = (1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20)
"""Room for the header in the first shards, and in every one after them."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts are done and about how many there are."""
Entry = Dict[str, Any]
"""Something as it stands in the manifest."""


# What is used -------------------------------------------------------------------------------------------------------


def record(
    model: Any,
    inputs: Any,
    folder: Any,
    run: Optional[Callable[[Any, Any], Any]] = None,
    valid_positions: Any = None,
    seed: int = 0,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    classes: Sequence[str] = (),
    depth: Optional[int] = None,
    limit: Optional[int] = None,
    record_inputs: bool = True,
    wrap_forward: bool = False,
    noise: bool = False,
    progress: Optional[Progress] = None,
) -> str:
    """Run a torch model once, without gradients, and write the trace of every module call.

    The model runs in the mode it is in, on copies of the inputs, and is left as it was found, as the random states
    are. A forward that raises leaves a trace of what ran before, with the status ``failed``, and raises on.

    Args:
        model: any eager torch module.
        inputs: keyword arguments as a dict, or positional ones as a tuple.
        folder: of the trace; an earlier one there is replaced, anything else is not.
        run: ``run(model, inputs)``, when that is not ``model(**inputs)``; each outermost call is a step of its own.
        valid_positions: booleans over (batch, sequence): what counts in a comparison.
        seed: of the random generators of Python, NumPy and torch.
        include: patterns of module paths whose tensors are recorded, as those of a shell; empty: all.
        exclude: patterns of module paths whose tensors are left out in any case.
        classes: names of module classes whose tensors are recorded; empty: all.
        depth: how many names a path may have for its tensors to be recorded; 0 is the model itself.
        limit: most bytes that all tensors together may have; what comes after them is left out.
        record_inputs: False to record what the modules return alone.
        wrap_forward: listen around each module's ``forward`` instead of its call, which also sees modules whose
            ``forward`` is called directly.
        noise: run it some more times, and note by how much its results move by themselves.
        progress: called as the work goes on: what is done, how many parts are done and about how many there are.

    Returns:
        The folder.

    Raises:
        RuntimeError: a module is scripted or compiled, or the run called no module.
        OSError: the folder cannot be written; what was there before stays.
    """
    import torch

    _refuse_opaque(model)
    given, valid = _arguments_by_name(inputs), _positions(valid_positions)
    recorder = Recorder(folder, f"{type(model).__module__}.{type(model).__qualname__}", seed=seed, progress=progress)
    recorder._selection = _Selection(include, exclude, classes, depth, limit)
    watch = _Watch(recorder, model, record_inputs)
    with recorder:
        with _preserved(model), torch.no_grad():
            _describe(recorder, model)
            recorder.result(inputs=given, valid_positions=valid)
            fresh = _fresh(inputs, {})
            untouched = _seeded(seed)
            try:
                with watch.listening(wrap_forward):
                    outputs = _called(model, fresh, run)
            finally:
                recorder.run["random"] = not torch.equal(torch.get_rng_state(), untouched)
                recorder.unobserved = _unobserved(model, watch.called)
            recorder.result(outputs=outputs)
        if noise and watch.called:
            _Noise(recorder, model, inputs, run, valid, wrap_forward).measure()
    return recorder.folder


class Recorder:
    """Writes a trace, call by call: a context manager, whose folder is there when its block has ended.

    A block that raises leaves a trace with the status ``failed``, which names the innermost call that was open; one
    that is interrupted leaves nothing. Arrays may be of any framework whose arrays NumPy can read.
    """

    def __init__(
        self,
        folder: Any,
        model: str = "model",
        side: str = "original",
        seed: int = 0,
        progress: Optional[Progress] = None,
    ) -> None:
        """Begin a trace in ``folder``; ``model`` names what is recorded."""
        self.folder = str(os.fspath(folder))
        self.progress: Progress = progress or _silent
        self.run: Entry = {
            "side": side,
            "model": model,
            "seed": seed,
            "training": 0,
            "devices": ["cpu"],
            "versions": {"python": platform.python_version(), "numpy": np.__version__},
        }
        self.modules: Dict[str, Entry] = {}
        self.unobserved: List[str] = []
        self._calls = _Calls()
        self._selection = _Selection()
        self._left_out = {"tensors": 0, "bytes": 0}
        self._result: Entry = {}
        self._valid: Optional[Entry] = None
        self._broken: Optional[Exception] = None
        self._limited = 0
        self._folder = _Folder(self.folder)
        self._shards = _Shards(self._folder, self.progress)
        self.module("", class_name=model.rpartition(".")[2])

    def __enter__(self) -> "Recorder":
        self._folder.begin()
        self._calls.stack()  # the thread that records is the first
        return self

    def __exit__(self, _: Any, error: Optional[BaseException], __: Any) -> None:
        try:
            if not isinstance(error, (KeyboardInterrupt, SystemExit)):  # asyncio's CancelledError is no Exception
                self._finish(error)
        finally:
            self._shards.release()
            self._folder.clear()

    def module(self, path: str, class_name: str = "", settings: Optional[Entry] = None) -> Entry:
        """Make a module known, and those above it."""
        if path and path not in self.modules:
            self.module(path.rpartition(".")[0])
        entry = self.modules.setdefault(path, _module_entry(path, "", False, {}, None))
        entry["class"] = class_name or entry["class"] or path.rpartition(".")[2]
        entry["settings"].update(settings or {})
        return entry

    def parameter(self, path: str, name: str, array: Any, kind: str = "parameter") -> None:
        """Note a parameter, ``buffer`` or ``non-persistent buffer`` of a module, to align modules by their weights."""
        self.module(path)["parameters"].append(self._parameter(name, kind, array, None))

    def tap(self, path: str, outputs: Any, inputs: Any = None, class_name: str = "") -> None:
        """Record one call of a module that has returned: what it made, and what it was given, by parameter name."""
        self.enter(path, inputs, class_name)
        self.leave(outputs)

    def enter(self, path: str, inputs: Any = None, class_name: str = "") -> None:
        """A call begins; what is recorded until `leave` was called from it."""
        with self._calls.lock:
            call = self._calls.opened(path, self.module(path, class_name)["class"])
            call.entry["inputs"] = self._value(_arguments_by_name(inputs))

    def leave(self, outputs: Any) -> None:
        """The call that was entered last, in this thread, has returned."""
        with self._calls.lock:
            stack = self._calls.stack()
            if not stack:
                raise RuntimeError("leave() without a call that was entered; tap() does both")
            call = stack.pop()
            call.entry["outputs"] = self._value(outputs)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Everything within is one step of the model itself: taps in it are calls that it made."""
        self.enter("")
        model = self._calls.stack()[-1]
        try:
            yield
        except BaseException as error:
            self._calls.fell(model, error)
            raise
        self.leave(None)

    def result(self, inputs: Any = None, outputs: Any = None, valid_positions: Any = None) -> None:
        """Note what the run was given and what it returned; may be called in parts, before the block ends.

        Args:
            inputs: what the run was given, by name.
            outputs: what it returned.
            valid_positions: booleans over (batch, sequence): what counts in a comparison.
        """
        with self._calls.lock:
            if inputs is not None:
                self._result["inputs"] = self._value(_arguments_by_name(inputs))
            if outputs is not None:
                self._result["outputs"] = self._value(outputs)
            if valid_positions is not None:
                positions = _NumpyArray(_positions(valid_positions))
                self._valid = dict({"shape": list(positions.shape)}, **self._kept(positions))

    def _finish(self, error: Optional[BaseException]) -> None:
        if self._broken is not None:
            raise self._broken
        if error is None and not self._calls.entries:
            raise RuntimeError("no module was called or tapped, so there is nothing to record")
        document = self._document(error)
        document["shards"] = self._shards.close()
        document["sha256"] = _manifest_hash(document)
        text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
        if len(text) > MAX_MANIFEST_BYTES:
            wanted = f"no reader takes more than {MAX_MANIFEST_BYTES:,}: record fewer steps, or leave inputs out"
            raise RuntimeError(f"{self._folder.target}: its manifest would have {len(text):,} bytes, and {wanted}")
        _write_new(os.path.join(self._folder.partial, MANIFEST), text.encode("ascii"))
        self._folder.move()

    def _document(self, error: Optional[BaseException]) -> Entry:
        failure = None if error is None else self._calls.failure(error)
        left_out = dict(self._selection.entry, **self._left_out) if self._selection.is_any else None
        outputs = self._result.get("outputs") or self._value(None)
        document = {
            "format": FORMAT,
            "status": "failed" if failure else "complete",
            "checksums": CHECKSUMS,
            "run": self.run,
            "modules": list(self.modules.values()),
            "calls": self._calls.entries,
            "inputs": self._result.get("inputs") or self._value({}),
            "outputs": _without_tensor("nothing: it raised") if failure else outputs,
            "valid": self._valid,
            "failure": failure,
            "unobserved": self.unobserved,
            "left_out": left_out,
        }
        return dict(document, **_listed_once(document))

    def _value(self, value: Any, taken: bool = True) -> Entry:
        """A value taken apart, with what it holds now; its tensors are left out unless ``taken``."""
        self._require_open()
        structure, leaves = _flatten(value)
        return {"structure": structure, "leaves": [self._leaf(name, leaf, taken) for name, leaf in leaves]}

    def _leaf(self, name: str, value: Any, taken: bool) -> Entry:
        if value is None or isinstance(value, (bool, int, float, str)):
            return {"name": name, "value": _scalar(value)}
        if not _is_array(value):
            return {"name": name, "type": value.why if isinstance(value, _Untaken) else type(value).__name__}
        array = _array(value)
        if array.refusal:
            return {"name": name, "type": "not recorded: " + array.refusal}
        return dict({"name": name}, **self._content(array, taken))

    def _content(self, array: "_Array", taken: bool) -> Entry:
        kind = {"dtype": array.dtype, "shape": list(array.shape)}
        try:
            place = self._put(array, self._selection.limit) if taken else None
        except (RuntimeError, MemoryError) as error:
            return dict({"type": "not recorded: " + _shown(error, 200)}, **kind)
        if place is None:
            self._left_out["tensors"] += 1
            self._left_out["bytes"] += array.count * array.itemsize
            return dict({"type": "left out: " + ("the limit is reached" if taken else "not selected")}, **kind)
        strides = {} if array.strides is None else {"strides": list(array.strides)}
        return dict(kind, **dict(strides, **place))

    def _parameter(self, name: str, kind: str, value: Any, tied_to: Optional[str]) -> Entry:
        array = _array(value)
        return {
            "name": name,
            "kind": kind,
            "dtype": array.dtype,
            "shape": list(array.shape),
            "tied_to": tied_to,
            "sketch": self._sketch(array),
        }

    def _sketch(self, array: "_Array") -> Optional[Entry]:
        if array.opaque:
            return None
        try:
            axes = [self._kept(axis) for axis in _sketch_axes(array)]
        except NotImplementedError:  # torch has no float64 of this dtype
            return None
        return {"crc32": array.crc32(), "axes": axes}

    def _kept(self, array: "_Array") -> Entry:
        """Where an array that no limit leaves out lies."""
        self._require_open()
        place = self._put(array, None)
        assert place is not None
        return place

    def _require_open(self) -> None:
        if not self._folder.partial:
            raise RuntimeError("nothing is recorded outside of the block: with Recorder(folder) as recorder: ...")
        if self._broken is not None:
            raise self._broken

    def _put(self, array: "_Array", limit: Optional[int]) -> Optional[Entry]:
        """Where an array lies, once it is written; None if the limit is reached, which counts what has one."""
        before = self._shards.bytes
        try:
            place = self._shards.add(array, None if limit is None else limit - self._limited)
        except OSError as error:
            error.filename = error.filename or self.folder
            self._broken = error
            raise
        self._limited += 0 if limit is None else self._shards.bytes - before
        return place


def _listed_once(document: Entry) -> Entry:
    """Tables of structures and leaves; the document's values get their numbers in them."""
    tables: Dict[str, List[Entry]] = {"structures": [], "leaves": []}
    numbers: Dict[Tuple[str, str], int] = {}

    def number(table: str, entry: Entry) -> int:
        key = (table, json.dumps(entry))
        if key not in numbers:
            numbers[key] = len(tables[table])
            tables[table].append(entry)
        return numbers[key]

    owners = [document] + document["calls"]
    for value in [owner[name] for owner in owners for name in ("inputs", "outputs")]:
        value["structure"] = number("structures", value["structure"])
        value["leaves"] = [number("leaves", leaf) for leaf in value["leaves"]]
    return tables


class _Selection:
    """Which calls have their tensors recorded; every call is listed in any case."""

    def __init__(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        classes: Sequence[str] = (),
        depth: Optional[int] = None,
        limit: Optional[int] = None,
    ) -> None:
        self.include, self.exclude, self.classes = (
            [each] if isinstance(each, str) else list(each) for each in (include, exclude, classes)
        )
        self.depth, self.limit = depth, limit

    @property
    def entry(self) -> Entry:
        return dict(vars(self))

    @property
    def is_any(self) -> bool:
        return self.entry != _Selection().entry

    def takes(self, path: str, class_name: str) -> bool:
        return (
            (not self.include or any(fnmatchcase(path, pattern) for pattern in self.include))
            and not any(fnmatchcase(path, pattern) for pattern in self.exclude)
            and (not self.classes or class_name in self.classes)
            and (self.depth is None or (path.count(".") + 1 if path else 0) <= self.depth)
        )


# Calls --------------------------------------------------------------------------------------------------------------


class _Call:
    """A call that has been entered: its entry in the manifest, the module, and what was being handled then.

    Attributes:
        frame: that calls the module, while it is open; None for a call that was noted by hand.
    """

    def __init__(self, index: int, entry: Entry, parent: Optional["_Call"], module: Any, frame: Any) -> None:
        self.index = index
        self.entry = entry
        self.parent = parent
        self.module = module
        self.frame = frame
        self.handled = _handled()

    def is_below(self, other: "_Call") -> bool:
        call = self.parent
        while call is not None and call is not other:
            call = call.parent
        return call is other


class _Calls:
    """The calls in order of entry, and those that are open, in each thread."""

    def __init__(self) -> None:
        self.entries: List[Entry] = []
        self.step = -1
        self.lock = threading.RLock()
        self._stacks: Dict[threading.Thread, List[_Call]] = {}
        self._repeats: Dict[Tuple[int, str], int] = {}
        self._raised: List[Tuple[BaseException, _Call]] = []

    def stack(self) -> List[_Call]:
        """The open calls of this thread, the innermost last."""
        return self._stacks.setdefault(threading.current_thread(), [])

    def opened(self, path: str, class_name: str, module: Any = None) -> _Call:
        """A call begins; in a thread of its own it counts as made from what is open in the first one."""
        stack = self.stack()
        frame = None if module is None else _calling_frame()
        while stack and stack[-1].frame is not None and not _is_called_from(stack[-1].frame, frame):
            stack.pop().frame = None  # torch does not tell of every exception that ends a call
        first = next(iter(self._stacks.values()))
        parent = stack[-1] if stack else first[-1] if first else None
        self.step += 1 if parent is None else 0
        repeat = self._repeats.get((self.step, path), 0)
        self._repeats[self.step, path] = repeat + 1
        thread = list(self._stacks).index(threading.current_thread())
        entry: Entry = {
            "step": self.step,
            "path": path,
            "repeat": repeat,
            "class": class_name,
            "parent": None if parent is None else parent.index,
            **({"thread": thread} if thread else {}),
            "inputs": _without_tensor("left out: inputs were not asked for"),
            "outputs": _without_tensor("nothing: it raised"),
        }
        call = _Call(len(self.entries), entry, parent, module, frame)
        self.entries.append(entry)
        stack.append(call)
        return call

    def closed(self, module: Any) -> Optional[_Call]:
        """The call of a module ends; None if it raised, or a hook of the user did before it was entered."""
        stack = self.stack()
        if all(call.module is not module for call in stack):
            return None
        call = stack.pop()
        while call.module is not module:
            call = stack.pop()
        call.frame = None
        error = _handled()
        if error == call.handled:
            return call
        self._note(call, error[0])
        return None

    def fell(self, call: _Call, error: BaseException) -> None:
        """An exception leaves a call, and with it those that are open in it."""
        stack = self.stack()
        if call in stack:
            self._note(stack[-1], error)
            del stack[stack.index(call) :]

    def failure(self, error: BaseException) -> Entry:
        """What raised: the innermost call that did, as far as that is known."""
        stack = self.stack()
        found = stack[-1] if stack else None
        for link in _chain(error):
            call = next((call for raised, call in self._raised if raised is link), None)
            if call is not None and (found is None or call.is_below(found)):
                found = call
        path, name = ("", "") if found is None else (found.entry["path"], found.entry["class"])
        return {"path": path, "class": name, "error": f"{type(error).__name__}: {_shown(error, 1000)}"}

    def _note(self, call: _Call, error: Optional[BaseException]) -> None:
        if error is not None and all(error is not seen for seen, _ in self._raised):
            self._raised.append((error, call))


def _handled() -> Tuple[Optional[BaseException], Any]:
    """The exception that is being handled, and how far it has come: one that is raised again has come further."""
    error = sys.exc_info()[1]
    return error, None if error is None else error.__traceback__


def _calling_frame() -> Any:
    """The frame outside this file that calls a module."""
    frame: Any = sys._getframe()
    own = frame.f_code.co_filename
    while frame is not None and frame.f_code.co_filename == own:
        frame = frame.f_back
    return frame


def _is_called_from(frame: Any, inner: Any) -> bool:
    """Whether ``inner`` was called, directly or not, from ``frame``."""
    while inner is not None and inner is not frame:
        inner = inner.f_back
    return inner is not None


def _chain(error: BaseException) -> List[BaseException]:
    """An exception and those that it was raised from, the latest first."""
    chain: List[BaseException] = []
    link: Optional[BaseException] = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


# Values -------------------------------------------------------------------------------------------------------------


class _Untaken:
    """Stands for a value that was not taken apart, and says why."""

    def __init__(self, why: str) -> None:
        self.why = why


def _flatten(value: Any) -> Tuple[Entry, List[Tuple[str, Any]]]:
    """The structure of a nested value, and its leaves by name; what cannot be taken apart is a leaf."""
    taker = _Taker()
    return taker.take(value, "", frozenset()), taker.leaves


class _Taker:
    """Takes one value apart; ``leaves`` are those found so far."""

    def __init__(self) -> None:
        self.leaves: List[Tuple[str, Any]] = []
        self._room = MOST_PARTS
        self._objects: Dict[int, str] = {}

    def take(self, value: Any, name: str, above: FrozenSet[int]) -> Entry:
        """The structure of a part, which lies in the values whose ``id`` is in ``above``."""
        parts = None if id(value) in above else self._parts(value, name, len(above))
        if parts is None or isinstance(parts, _Untaken):
            self.leaves.append((name, parts or value))
            return {"kind": "leaf"}
        kind, keys, items = parts
        above |= {id(value)}
        return {
            "kind": kind,
            "class": type(value).__name__,
            "keys": keys,
            "items": [self.take(item, f"{name}.{key}" if name else key, above) for key, item in zip(keys, items)],
        }

    def _parts(self, value: Any, name: str, depth: int) -> Any:
        if id(value) in self._objects:
            return _Untaken(f"the same as {self._objects[id(value)]}")
        try:
            parts = _parts(value)
        except Exception as error:  # what the code of a value raises is its own business
            text = f"{type(value).__name__} raised {type(error).__name__}: {_shown(error, 200)}"
            return _Untaken(f"not recorded: {text}")
        if parts is None:
            return None
        if depth >= MOST_LEVELS:
            return _Untaken(f"not recorded: nested deeper than {MOST_LEVELS} levels")
        if len(parts[2]) > self._room:
            return _Untaken(f"not recorded: more than {MOST_PARTS} parts")
        self._room -= len(parts[2])
        if not isinstance(value, (Mapping, *SEQUENCES)) and not dataclasses.is_dataclass(value):
            self._objects[id(value)] = name
        return parts


def _parts(value: Any) -> Optional[Tuple[str, List[str], List[Any]]]:
    """One level of a value: kind, keys and items; None if it is whole. Sets have no order, and are whole."""
    if _is_whole(value):
        return None
    if isinstance(value, Mapping):
        return "dict", _key_names(value), [value[key] for key in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "tuple", list(value._fields), list(value)
    if isinstance(value, SEQUENCES):
        items = list(value)
        return "tuple" if isinstance(value, tuple) else "list", [str(index) for index in range(len(items))], items
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
        return "dict", names, [getattr(value, name) for name in names]
    if callable(value) or not hasattr(value, "__dict__"):
        return None
    held = {key: item for key, item in vars(value).items() if any(map(_is_array, _within(item, value)))}
    return ("dict", list(held), list(held.values())) if held else None


def _key_names(keys: Any) -> List[str]:
    """Keys as text; one that reads like another also says its type."""
    taken = {key for key in keys if type(key) is str}
    names = []
    for key in keys:
        name = str(key)
        while type(key) is not str and name in taken:
            name += f" ({type(key).__name__})"
        taken.add(name)
        names.append(name)
    return names


def _within(value: Any, *known: Any) -> Iterator[Any]:
    """What a value leads to at any depth, itself first, each object once; what is ``known`` is passed over."""
    seen = {id(item): item for item in known}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) not in seen and not isinstance(item, (str, bytes, int, float)):
            seen[id(item)] = item
            yield item
            waiting += () if _is_whole(item) else _below(item)


def _below(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [value[key] for key in value]
    if isinstance(value, SEQUENCES):
        return value
    return () if callable(value) else getattr(value, "__dict__", {}).values()


def _is_whole(value: Any) -> bool:
    """Whether a value is not taken apart, whatever it is made of."""
    scalars = (str, bytes, int, float, type)
    return value is None or isinstance(value, scalars) or _is_array(value) or _is_module(value) or _is_a(value, "Size")


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) or _is_a(value, "Tensor") or hasattr(type(value), "__array__")


def _is_module(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _is_a(value: Any, name: str) -> bool:
    """Whether a value is an instance of a class of torch, which may not be there."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, name))


def _scalar(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _without_tensor(why: str) -> Entry:
    return {"structure": {"kind": "leaf"}, "leaves": [{"name": "", "type": why}]}


def _arguments_by_name(inputs: Any) -> Any:
    """Arguments by name; ``args.0`` and so on where they have none."""
    if inputs is None or isinstance(inputs, Mapping):
        return {} if inputs is None else inputs
    return _named(None, inputs if isinstance(inputs, tuple) else (inputs,), {})


def _named(signature: Optional[inspect.Signature], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    """Arguments by parameter name in the signature's order; ``args.0`` and so on where there is no name."""
    try:
        bound = None if signature is None else dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        bound = None
    if signature is None or bound is None:
        return dict({f"args.{index}": value for index, value in enumerate(args)}, **kwargs)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and parameter.name in bound:
            bound.update(bound.pop(parameter.name))
    return bound


def _positions(valid: Any) -> Any:
    """Valid positions as a NumPy array of booleans over (batch, sequence), or None."""
    if valid is None:
        return None
    array = np.asarray(valid.detach().cpu().numpy() if _is_a(valid, "Tensor") else valid).astype(bool)
    if array.ndim != 2:
        raise ValueError(f"valid_positions must be over (batch, sequence), and has the shape {array.shape}")
    return array


def _shown(value: Any, limit: int) -> str:
    """A text that may be printed anywhere: what is not printable as escapes, cut in the middle."""
    whole = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in whole)
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}\u2026{text[-half:]}"


# Arrays -------------------------------------------------------------------------------------------------------------


def _array(value: Any) -> "_Array":
    """Anything that NumPy can read, to be read piece by piece."""
    if _is_a(value, "Tensor"):
        try:
            return _TorchArray(value)
        except (RuntimeError, MemoryError) as error:
            return _Unreadable(_shown(error, 200))
    try:
        return _NumpyArray(np.asarray(value))
    except Exception:  # what a framework's __array__ raises is its own business
        return _Unreadable(f"a {type(value).__name__} that NumPy cannot read")


class _Array:
    """An array of some framework.

    Attributes:
        source: what parts are cut from.
        dtype: its name.
        shape: its lengths.
        strides: in elements, if it is not contiguous.
        refusal: why it has no place in a trace; empty if it has one.
        opaque: whether it has no content at all that could be read.
    """

    source: Any = None
    dtype: str = ""
    shape: Tuple[int, ...] = ()
    strides: Optional[Tuple[int, ...]] = None
    itemsize: int = 1
    contiguous: bool = True
    refusal: str = ""
    opaque: bool = False

    @property
    def count(self) -> int:
        """Number of elements."""
        return functools.reduce(lambda product, length: product * length, self.shape, 1)

    def pieces(self) -> Iterator[np.ndarray]:
        """The bytes, row-major and little-endian, in pieces of at most `PIECE_BYTES`."""
        for part in _split(self.source, max(1, PIECE_BYTES // self.itemsize), self.contiguous):
            piece = np.ascontiguousarray(self.raw(part)).reshape(-1)
            if piece.size:
                yield piece.view(np.uint8)

    def crc32(self) -> int:
        """The checksum of the bytes."""
        checksum = 0
        for piece in self.pieces():
            checksum = zlib.crc32(piece.data, checksum)
        return checksum

    def raw(self, part: Any) -> np.ndarray:
        """A part of the source with its bits, as some dtype of NumPy."""
        raise NotImplementedError

    def wide(self, part: Any) -> np.ndarray:
        """A part of `real` in float64."""
        raise NotImplementedError

    def real(self) -> Any:
        """The source, with an axis more for the two parts of complex numbers."""
        raise NotImplementedError


def _split(source: Any, most: int, contiguous: bool) -> Iterator[Any]:
    """Parts of an array or tensor, of at most ``most`` elements, row-major."""
    count = functools.reduce(lambda product, length: product * int(length), source.shape, 1)
    if count <= most:
        yield source
    elif contiguous:
        flat = source.reshape(-1)
        for start in range(0, count, most):
            yield flat[start : start + most]
    else:
        rows = max(1, most * len(source) // count)
        for start in range(0, len(source), rows):
            part = source[start : start + rows]
            yield from _split(part if len(part) > 1 else part[0], most, False)


class _Unreadable(_Array):
    """Something that claims to be an array and cannot be read."""

    def __init__(self, refusal: str) -> None:
        self.dtype = "unknown"
        self.refusal = refusal
        self.opaque = True


class _NumpyArray(_Array):
    """An array of NumPy, or of what NumPy has made one of; bfloat16 and float8 are those of ml_dtypes."""

    def __init__(self, array: np.ndarray) -> None:
        self.source = array
        self.dtype = array.dtype.name
        self.shape = tuple(array.shape)
        self.itemsize = max(array.itemsize, 1)
        self.contiguous = bool(array.flags.c_contiguous)
        steps = [divmod(step, self.itemsize) for step in array.strides]
        if not self.contiguous and all(step >= 0 and rest == 0 for step, rest in steps):
            self.strides = tuple(step for step, _ in steps)
        self.refusal = "" if self.dtype in DTYPES else f"{self.dtype} array"
        self.opaque = bool(self.refusal) and array.dtype.kind not in "biufc"

    def raw(self, part: Any) -> np.ndarray:
        if self.dtype == "bfloat16" or self.dtype.startswith("float8"):
            part = part.view(np.uint16 if self.itemsize == 2 else np.uint8)
        return np.asarray(part.astype(part.dtype.newbyteorder("<"), copy=False))

    def wide(self, part: Any) -> np.ndarray:
        return np.asarray(part.astype(np.float64))

    def real(self) -> Any:
        if self.source.dtype.kind != "c":
            return self.source
        return np.stack([self.source.real, self.source.imag], -1)


class _TorchArray(_Array):
    """A tensor of torch, on any device."""

    def __init__(self, tensor: Any) -> None:
        nested = bool(getattr(tensor, "is_nested", False))
        self.dtype = str(tensor.dtype).replace("torch.", "")
        self.shape = () if nested else tuple(int(length) for length in tensor.shape)
        absence = _why_absent(tensor, nested)
        excess = "" if absence else _why_excessive(tensor)
        self.opaque = bool(absence or excess) or _stands_for_others(tensor)
        self.refusal = absence or ("" if self.dtype in DTYPES else f"{self.dtype} tensor") or excess
        if not self.refusal and self.opaque:
            self.refusal = f"a {type(tensor).__name__}, which stands for other tensors"
        if not absence:
            self.itemsize = int(tensor.element_size())
            self.strides = None if tensor.is_contiguous() else tuple(tensor.stride())
        if not self.opaque:
            self.source = _plain(tensor)
            self.contiguous = bool(self.source.is_contiguous())

    def raw(self, part: Any) -> np.ndarray:
        import torch

        # a single element counts as contiguous whatever its stride is, and is viewed as bytes only with a stride of 1
        flat = part.cpu().contiguous().as_strided((part.numel(),), (1,))
        if self.dtype == "bfloat16":
            flat = flat.view(torch.int16)
        elif self.dtype != "bool" and not hasattr(np, self.dtype):
            flat = flat.view(torch.uint8)
        return np.asarray(flat.numpy())

    def wide(self, part: Any) -> np.ndarray:
        import torch

        return np.asarray(part.to("cpu", torch.float64).numpy())

    def real(self) -> Any:
        import torch

        return torch.view_as_real(self.source) if self.source.is_complex() else self.source


def _plain(tensor: Any) -> Any:
    """A tensor without its graph, and with the values that a conjugate or negative view stands for."""
    import torch

    plain = tensor.detach()
    for resolve in ("resolve_conj", "resolve_neg"):
        plain = getattr(plain, resolve)() if hasattr(plain, resolve) else plain
    return plain.as_subclass(torch.Tensor)


def _why_absent(tensor: Any, nested: bool) -> str:
    """Why a tensor has no bytes in rows, in a few words; empty if it has."""
    import torch

    functorch = getattr(torch._C, "_functorch", None)
    if functorch is not None and functorch.is_functorch_wrapped_tensor(tensor):
        return "a tensor of functorch, inside vmap, grad or jvp"
    if tensor.device.type == "meta":
        return "no data (on meta)"
    if tensor.is_quantized:
        return "quantized tensor"
    if nested:
        return "nested tensor"
    layout = str(tensor.layout).replace("torch.", "")
    return "" if layout == "strided" else f"{layout} tensor"


def _why_excessive(tensor: Any) -> str:
    """Why a tensor is not written out, in a few words; empty if it is."""
    if tensor.dim() > MOST_DIMENSIONS:
        return f"{tensor.dim()} dimensions, more than {MOST_DIMENSIONS}"
    size = tensor.numel() * tensor.element_size()
    if size <= SPREAD_BYTES:
        return ""
    new = hasattr(tensor, "untyped_storage")
    held = tensor.untyped_storage().nbytes() if new else tensor.storage().size() * tensor.element_size()
    return f"{tensor.numel():,} elements spread out from {held:,} bytes" if size > SPREAD_TIMES * held else ""


def _stands_for_others(tensor: Any) -> bool:
    import torch

    plain = getattr(torch.Tensor, "__torch_dispatch__", None)
    return getattr(type(tensor), "__torch_dispatch__", None) is not plain


class _Widened(_Array):
    """The values of an array as a vector of float64."""

    def __init__(self, array: _Array) -> None:
        self._array = array
        self.source = array.real().reshape(-1)
        self.dtype = "float64"
        self.shape = (int(self.source.shape[0]),)
        self.itemsize = 8
        self.contiguous = False

    def raw(self, part: Any) -> np.ndarray:
        return self._array.wide(part)


# Sketches -----------------------------------------------------------------------------------------------------------


def _sketch_axes(array: _Array) -> List[_Array]:
    """The axes of a sketch, as docs/trace-format.md defines them, made block by block."""
    if len(array.shape) < 2:
        return [_Widened(array)]
    values = array.real()
    rows, columns = array.shape[:2]
    depth = functools.reduce(lambda product, length: product * int(length), values.shape[2:], 1)
    cube = values.reshape(rows, columns, depth)
    first, second = np.zeros(rows), np.zeros(columns)
    for i, j, k in _blocks(rows, columns, depth):
        block = array.wide(cube[i, j, k])
        first[i] += block.reshape(len(block), -1) @ _weights(j, k, depth).reshape(-1)
        along = _weights(i, k, depth)
        second[j] += along[:, 0] @ block[..., 0] if depth == 1 else (block @ along[:, :, None]).sum((0, 2))
    return [_NumpyArray(first), _NumpyArray(second)]


def _blocks(rows: int, columns: int, depth: int) -> Iterator[Tuple[slice, slice, slice]]:
    deep = max(1, min(depth, BLOCK_ELEMENTS))
    wide = max(1, min(columns, BLOCK_ELEMENTS // deep))
    high = max(1, min(rows, BLOCK_ELEMENTS // (deep * wide)))
    starts = itertools.product(range(0, rows, high), range(0, columns, wide), range(0, depth, deep))
    for i, j, k in starts:
        yield slice(i, min(i + high, rows)), slice(j, min(j + wide, columns)), slice(k, min(k + deep, depth))


def _weights(rows: slice, depth: slice, stride: int) -> np.ndarray:
    """The projection at the places of a block within slices whose rows are ``stride`` long."""
    if depth.stop - depth.start == stride:
        return _projection(rows.start * stride, rows.stop * stride).reshape(-1, stride)
    spans = [(row * stride + depth.start, row * stride + depth.stop) for row in range(rows.start, rows.stop)]
    return np.stack([_projection(*span) for span in spans])


def _projection(start: int, stop: int) -> np.ndarray:
    """Elements of the fixed vector that slices are projected on."""
    if stop > KEPT_PROJECTION:
        return _mixed(start, stop)
    return _kept_projection(1 << max(stop - 1, 1).bit_length())[start:stop]


@functools.lru_cache(maxsize=32)
def _kept_projection(length: int) -> np.ndarray:
    return _mixed(0, length)


def _mixed(start: int, stop: int) -> np.ndarray:
    z = np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.asarray(z.astype(np.float64) / 2.0**63 - 1.0)


# Files --------------------------------------------------------------------------------------------------------------


class _Shards:
    """Appends arrays to safetensors files, whose headers are filled in at the end; a content is stored once."""

    def __init__(self, folder: "_Folder", progress: Progress) -> None:
        self.bytes = 0
        self._folder = folder
        self._progress = progress
        self._count = 0
        self._known: Dict[Any, Dict[int, List[Entry]]] = {}
        self._starts: Dict[str, int] = {}
        self._closed: Dict[str, Entry] = {}
        self._open: Optional[_Shard] = None

    def add(self, array: _Array, room: Optional[int]) -> Optional[Entry]:
        """Where an array lies, once it is written; None if it is new and has more bytes than there is ``room``."""
        size = array.count * array.itemsize
        known = self._known.setdefault((array.dtype, array.shape), {})
        too_large = room is not None and size > room
        if too_large and not known:
            return None  # without reading it
        crc32 = array.crc32()
        alike = known.setdefault(crc32, [])
        for place in alike:
            if self._holds(place, array):
                return place
        if too_large:
            return None
        key = f"t{self._count}"
        shard = self._shard_for(key, array, size)
        place = {"shard": shard.name, "key": key, "crc32": crc32}
        self._starts[key] = shard.append(key, array)
        alike.append(place)
        self._count += 1
        self.bytes += size
        return place

    def read(self, place: Entry, start: int, size: int) -> np.ndarray:
        """Bytes of an array that was added."""
        path = os.path.join(self._folder.partial, place["shard"])
        return np.fromfile(path, np.uint8, size, offset=self._starts[place["key"]] + start)

    def close(self) -> Dict[str, Entry]:
        """Complete the last shard; returns what the manifest says of each."""
        if self._open is not None:
            self._finish(self._open)
        return self._closed

    def release(self) -> None:
        """Let go of the file that is open, finished or not."""
        if self._open is not None:
            os.close(self._open.descriptor)
            self._open = None

    def _shard_for(self, key: str, array: _Array, size: int) -> "_Shard":
        if self._open is not None and not self._open.has_room(key, array, size):
            self._finish(self._open)
        if self._open is None:
            number = len(self._closed)
            name = f"tensors-{number + 1:05d}.safetensors"
            room = HEADER_BYTES[min(number, len(HEADER_BYTES) - 1)]
            self._open = _Shard(os.path.join(self._folder.partial, name), name, room)
        return self._open

    def _finish(self, shard: "_Shard") -> None:
        self._progress(f"writing {shard.name}, {shard.end / 2**20:,.0f} MiB", 0, 1)
        self._closed[shard.name] = shard.complete()
        os.close(shard.descriptor)
        self._open = None

    def _holds(self, place: Entry, array: _Array) -> bool:
        """Whether what is stored is the same, byte for byte."""
        name, start = place["shard"], self._starts[place["key"]]
        if self._open is not None and self._open.name == name:
            return _same(self._open.descriptor, start, array)
        descriptor = os.open(os.path.join(self._folder.partial, name), os.O_RDONLY)
        try:
            return _same(descriptor, start, array)
        finally:
            os.close(descriptor)


class _Shard:
    """The shard that is being written: room for its header, then the tensors."""

    def __init__(self, path: str, name: str, room: int) -> None:
        self.name = name
        self.room = room
        self.end = room
        self.header: Dict[str, Entry] = {}
        self.length = len("{}")
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def has_room(self, key: str, array: _Array, size: int) -> bool:
        fits = self.length + _length(key, self._entry(array, self.end + size)) <= self.room - 8
        return fits and (self.end + size <= SHARD_BYTES or not self.header)

    def append(self, key: str, array: _Array) -> int:
        """Write an array; returns where it begins in the file."""
        start, end = self.end, self.end
        for piece in array.pieces():
            _write_at(self.descriptor, piece, end)
            end += piece.nbytes
        entry = self._entry(array, end)
        self.header[key], self.end = entry, end
        self.length += _length(key, entry)
        return start

    def complete(self) -> Entry:
        """Fill the header in, padded with spaces as the format allows, and wait for the disk."""
        text = json.dumps(self.header, separators=(",", ":")).encode("ascii")
        head = (self.room - 8).to_bytes(8, "little") + text.ljust(self.room - 8)
        _write_at(self.descriptor, head, 0)
        os.fsync(self.descriptor)
        return {"bytes": self.end, "header_sha256": hashlib.sha256(head).hexdigest()}

    def _entry(self, array: _Array, end: int) -> Entry:
        offsets = [self.end - self.room, end - self.room]
        return {"dtype": DTYPES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}


def _length(key: str, entry: Entry) -> int:
    """Characters that an entry takes in the header, its comma included."""
    return len(json.dumps({key: entry}, separators=(",", ":"))) - 1


def _same(descriptor: int, start: int, array: _Array) -> bool:
    for piece in array.pieces():
        stored = np.frombuffer(os.pread(descriptor, piece.nbytes, start), np.uint8)
        if not np.array_equal(stored, piece):
            return False
        start += piece.nbytes
    return True


def _write_at(descriptor: int, content: Any, offset: int) -> None:
    """Write all of it, in as many system calls as it takes."""
    view, done = memoryview(content), 0
    while done < view.nbytes:
        done += os.pwrite(descriptor, view[done:], offset + done)


def _write_new(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write_at(descriptor, content, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: str) -> None:
    """Wait until a folder's list of names is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest_hash(document: Entry) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


_numbers = itertools.count()
_own: Set[str] = set()


class _Folder:
    """A folder that is there whole or not at all: written beside its place, moved there by one rename."""

    def __init__(self, folder: str) -> None:
        self.target = os.path.abspath(folder)
        self.partial = self.old = ""
        self._made: List[str] = []

    def begin(self) -> None:
        """Make it, under its unfinished name; refused in the place of anything but a trace."""
        suffix = f"{os.getpid()}-{next(_numbers)}"
        self.partial = f"{self.target}.partial-{suffix}"
        self.old = f"{self.target}.replaced-{suffix}"
        _own.update((self.partial, self.old))
        try:
            self._refuse_other()
            self._tidy()
            self._make_parents()
            os.mkdir(self.partial)
        except BaseException:
            self.clear()
            raise

    def move(self) -> None:
        """Put it in its place, once all is written; an earlier trace is moved aside."""
        _sync(self.partial)
        with _only_writer(os.path.dirname(self.target)):
            try:
                if os.path.exists(self.target):
                    os.rename(self.target, self.old)
                os.rename(self.partial, self.target)
            except BaseException:
                self._put_back(self.old)
                raise
        shutil.rmtree(self.old, ignore_errors=True)
        self._made = []
        _sync(os.path.dirname(self.target))

    def clear(self) -> None:
        """Leave nothing but the trace, or what was there before."""
        shutil.rmtree(self.partial, ignore_errors=True)
        for parent in self._made:
            with contextlib.suppress(OSError):
                os.rmdir(parent)
        _own.difference_update((self.partial, self.old))
        self.partial = ""

    def _put_back(self, old: str) -> None:
        """Move what was in its place there again, or remove it if there is something else by now."""
        if os.path.exists(self.target):
            shutil.rmtree(old, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.rename(old, self.target)

    def _refuse_other(self) -> None:
        place = os.path.dirname(self.target)
        if not os.path.isdir(place):
            return
        with _only_writer(place):
            if not os.path.lexists(self.target):
                return
            is_folder = os.path.isdir(self.target) and not os.path.islink(self.target)
            names = set(os.listdir(self.target)) if is_folder else {"?"}
        shards = {name for name in names if re.fullmatch(r"tensors-\d{5}\.safetensors", name)}
        if names and not (shards and names - shards == {MANIFEST}):
            raise FileExistsError(f"{self.target} exists and is not a trace, so it is not replaced")

    def _tidy(self) -> None:
        """Clear away what killed processes left; a trace that one had moved aside and not replaced is put back."""
        place, name = os.path.split(self.target)
        if not os.path.isdir(place):
            return
        pattern = re.compile(re.escape(name) + r"\.(partial|replaced)-(\d+)(-\d+)?")
        with _only_writer(place):
            for left in os.listdir(place):
                found, path = pattern.fullmatch(left), os.path.join(place, left)
                if found is None or path in _own or _runs(int(found.group(2))):
                    continue
                if found.group(1) == "replaced":
                    self._put_back(path)
                else:
                    shutil.rmtree(path, ignore_errors=True)

    def _make_parents(self) -> None:
        parent = os.path.dirname(self.target)
        missing = parent
        while not os.path.exists(missing):
            self._made.append(missing)
            missing = os.path.dirname(missing)
        os.makedirs(parent, exist_ok=True)


@contextlib.contextmanager
def _only_writer(parent: str) -> Iterator[None]:
    """Keep other threads and processes from moving folders in ``parent``, where its system can do that."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError, AttributeError):  # there is no fcntl on every system
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _runs(process: int) -> bool:
    """Whether another process with this number runs; one of ours that had it before is gone."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


# Models of torch ----------------------------------------------------------------------------------------------------


class _Unwritable(BaseException):
    """Ends a run whose trace can no longer be written; no ``except Exception`` of the model stops it."""


class _Listener:
    """Hooks on every module; each forward is wrapped instead where that is asked for, or torch's hooks see too little.

    torch before 2.1 has no hooks that see keyword arguments and calls that raise.
    """

    def __init__(self, model: Any, calls: _Calls) -> None:
        self._calls = calls
        self._modules = _executed(model)
        self._paths = {id(module): path for path, module in self._modules}
        self._signatures: Dict[int, Optional[inspect.Signature]] = {}

    def entering(self, call: _Call, args: Any, kwargs: Any) -> Any:
        """A call begins; what is returned replaces its arguments, None keeps them."""

    def leaving(self, call: _Call, output: Any) -> Any:
        """A call has returned; what is returned replaces that, None keeps it."""

    @contextlib.contextmanager
    def listening(self, wrap: bool) -> Iterator[None]:
        """Listen to every module; each takes a frame more, so that the recursion limit is doubled."""
        undo: List[Callable[[], None]] = []
        limit = sys.getrecursionlimit()
        wrap = wrap or not _hooks_see_all()
        self._calls.stack()  # the thread that runs the model is the first
        try:
            sys.setrecursionlimit(2 * limit)
            for _, module in self._modules:
                undo += [self._wrap(module)] if wrap else self._hook(module)
            with _eager():
                yield
        finally:
            for action in undo:
                action()
            sys.setrecursionlimit(limit)

    def _hook(self, module: Any) -> List[Callable[[], None]]:
        before = _Hook(module, self.enter)
        after = _Hook(module, lambda module, *passed: self.leave(module, passed[-1]))
        return [
            module.register_forward_pre_hook(before, with_kwargs=True).remove,
            module.register_forward_hook(after, with_kwargs=True, always_call=True).remove,
        ]

    def _wrap(self, module: Any) -> Callable[[], None]:
        if isinstance(inspect.getattr_static(type(module), "forward", None), property):
            raise RuntimeError(f"the forward of {type(module).__name__} is a property and cannot be wrapped")
        own, forward = "forward" in vars(module), module.forward
        vars(module)["forward"] = _Watched(module, self)
        return lambda: vars(module).update(forward=forward) if own else _dropped(vars(module), "forward")

    def enter(self, module: Any, args: Any, kwargs: Any) -> Any:
        """A module is called."""
        with self._calls.lock:
            return self.entering(
                self._calls.opened(self._paths[id(module)], type(module).__name__, module), args, kwargs
            )

    def leave(self, module: Any, output: Any) -> Any:
        """A module has returned or raised."""
        with self._calls.lock:
            call = self._calls.closed(module)
            return None if call is None else self.leaving(call, output)

    def _arguments(self, module: Any, args: Any, kwargs: Any) -> Dict[str, Any]:
        """The arguments of a call by name."""
        if id(module) not in self._signatures:
            try:
                self._signatures[id(module)] = inspect.signature(module.forward)
            except (TypeError, ValueError):
                self._signatures[id(module)] = None
        return _named(self._signatures[id(module)], args, kwargs)


class _Hook:
    """A hook of one module; a copy of the module that the run makes has one that does nothing."""

    def __init__(self, module: Any, action: Callable[..., Any]) -> None:
        self._module = module
        self._action = action

    def __call__(self, module: Any, *passed: Any) -> Any:
        return self._action(module, *passed) if module is self._module else None

    def __reduce__(self) -> Tuple[Any, ...]:
        return _Hook, (None, _silent)


class _Watched:
    """A forward that tells when it is entered and left; of a copy of its module it is the plain forward."""

    def __init__(self, module: Any, listener: _Listener) -> None:
        self._module = module
        self._listener = listener
        self._forward = module.forward
        functools.update_wrapper(self, self._forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_locals.get("self")
        if caller is not self._module and _is_module(caller) and vars(caller).get("forward") is self:
            return _own_forward(caller)(*args, **kwargs)  # of a shallow copy
        args, kwargs = self._listener.enter(self._module, args, kwargs) or (args, kwargs)
        try:
            output = self._forward(*args, **kwargs)
        except BaseException:
            self._listener.leave(self._module, None)
            raise
        replaced = self._listener.leave(self._module, output)
        return output if replaced is None else replaced

    def __deepcopy__(self, memo: Dict[int, Any]) -> Any:
        return _own_forward(memo.get(id(self._module), self._module))

    def __reduce__(self) -> Tuple[Any, ...]:
        return getattr, (self._module, "forward")


def _own_forward(module: Any) -> Any:
    return types.MethodType(type(module).forward, module)


def _dropped(items: Dict[str, Any], name: str) -> None:
    items.pop(name, None)


class _Watch(_Listener):
    """Records every call."""

    def __init__(self, recorder: Recorder, model: Any, record_inputs: bool) -> None:
        super().__init__(model, recorder._calls)
        self.called: Set[int] = set()
        self._recorder = recorder
        self._with_inputs = record_inputs
        self._returned = 0
        recorder.run.update(_facts(model))
        recorder.run["versions"] = dict(recorder.run["versions"], torch=_torch_version())

    def entering(self, call: _Call, args: Any, kwargs: Any) -> None:
        self.called.add(id(call.module))
        if self._with_inputs:
            call.entry["inputs"] = self._noted(call, lambda: self._arguments(call.module, args, kwargs))

    def leaving(self, call: _Call, output: Any) -> None:
        call.entry["outputs"] = self._noted(call, lambda: output)
        self._returned += 1
        self._recorder.progress("running", self._returned, len(self._modules))

    def _noted(self, call: _Call, value: Callable[[], Any]) -> Entry:
        recorder = self._recorder
        if recorder._broken is not None:
            return _without_tensor("nothing: it raised")
        try:
            return recorder._value(value(), recorder._selection.takes(call.entry["path"], call.entry["class"]))
        except OSError as error:
            recorder._broken = error
        except Exception as error:
            path = _shown(call.entry["path"], 200) or "the model itself"
            text = f"what passes {path} cannot be recorded: {type(error).__name__}: {_shown(error, 500)}"
            recorder._broken = RuntimeError(f"{text}; leave it out: exclude=[{path!r}]")
        raise _Unwritable from recorder._broken


def _hooks_see_all() -> bool:
    import torch

    known = inspect.signature(torch.nn.Module.register_forward_hook).parameters
    return "with_kwargs" in known and "always_call" in known


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """Have every module called in Python: neither fused by torch's fast path nor compiled, where that is known."""
    import torch

    attention = getattr(torch.backends, "mha", None)
    set_stance = getattr(getattr(torch, "compiler", None), "set_stance", None)
    fast = attention is not None and attention.get_fastpath_enabled()
    with contextlib.ExitStack() as stack:
        if attention is not None:
            stack.callback(attention.set_fastpath_enabled, fast)
            attention.set_fastpath_enabled(False)
        if set_stance is not None and "torch._dynamo" in sys.modules:
            stack.enter_context(set_stance("force_eager"))
        yield


def _called(model: Any, inputs: Any, run: Optional[Callable[[Any, Any], Any]]) -> Any:
    if run is not None:
        return run(model, inputs)
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def _seeded(seed: int) -> Any:
    """Seed all random generators; the state of torch's, to see later whether anything was drawn."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.get_rng_state()


def _facts(model: Any) -> Entry:
    import torch

    modules = [module for _, module in _walk(model)]
    tensors = [tensor for module in modules for _, _, tensor in _own_tensors(module)]
    return {
        "training": sum(1 for module in modules if module.training),
        "threads": torch.get_num_threads(),
        "devices": sorted({str(tensor.device) for tensor in tensors}),
    }


def _torch_version() -> str:
    import torch

    return str(torch.__version__)


def _walk(model: Any, remove_duplicate: bool = True) -> Iterator[Tuple[str, Any]]:
    """Every module by path, in the order of ``named_modules``, which itself ends at the recursion limit."""
    seen: Set[int] = set()
    waiting = [("", model)]
    while waiting:
        path, module = waiting.pop()
        if remove_duplicate and id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        waiting += _children(path, module)


def _children(path: str, module: Any) -> List[Tuple[str, Any]]:
    """The modules directly below one, the last first."""
    children = [(name, child) for name, child in module._modules.items() if child is not None]
    return [(f"{path}.{name}" if path else name, child) for name, child in reversed(children)]


def _executed(model: Any, remove_duplicate: bool = True) -> List[Tuple[str, Any]]:
    """The modules by path, without torch's own parametrizations: those belong to the module they serve."""
    modules = _walk(model, remove_duplicate)
    return [(path, module) for path, module in modules if "parametrizations" not in path.split(".")]


def _unobserved(model: Any, called: Set[int]) -> List[str]:
    """Paths of modules that were not seen called although the module around them was."""
    found: List[str] = []
    seen: Set[int] = set()
    waiting = [("", model, False)]
    while waiting:
        path, module, around = waiting.pop()
        if id(module) in seen or path.rpartition(".")[2] == "parametrizations":
            continue
        seen.add(id(module))
        if id(module) in called:
            around = True
        elif _has_forward(module):
            found += [path] if around else []
            around = False
        waiting += [(child_path, child, around) for child_path, child in _children(path, module)]
    return found


def _has_forward(module: Any) -> bool:
    import torch

    containers = (torch.nn.Module, torch.nn.ModuleList, torch.nn.ModuleDict)
    return "forward" in vars(module) or all(type(module).forward is not each.forward for each in containers)


def _describe(recorder: Recorder, model: Any) -> None:
    """Note the modules of a torch model, with their settings, parameters and buffers."""
    first_module: Dict[int, str] = {}
    first_tensor: Dict[Any, str] = {}
    modules = _executed(model, remove_duplicate=False)
    for done, (path, module) in enumerate(modules):
        recorder.progress("reading weights", done, len(modules))
        alias = first_module.setdefault(id(module), path)
        entry = _module_entry(
            path, type(module).__name__, bool(module.training), _settings(module), None if alias == path else alias
        )
        recorder.modules[path] = entry
        for name, kind, tensor in _owned(module) if alias == path else ():
            full = f"{path}.{name}" if path else name
            first = first_tensor.setdefault(_memory(tensor), full)
            entry["parameters"].append(recorder._parameter(name, kind, tensor, None if first == full else first))


def _silent(*_: Any) -> None:
    """Report no progress."""


def _module_entry(path: str, class_name: str, training: bool, settings: Entry, alias_of: Optional[str]) -> Entry:
    return {
        "path": path,
        "class": class_name,
        "training": training,
        "alias_of": alias_of,
        "settings": settings,
        "parameters": [],
    }


def _settings(module: Any) -> Entry:
    """The public scalars of a module: numbers, strings, booleans, functions by name, short tuples as text."""
    found: Entry = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training":
            continue
        if value is None or isinstance(value, (bool, int, float, str)):
            found[name] = _scalar(value)
        elif isinstance(value, (tuple, list)) and len(value) <= 8 and all(isinstance(v, (int, float)) for v in value):
            found[name] = str(tuple(value))
        elif callable(value) and not isinstance(value, type) and not _is_module(value):
            found[name] = getattr(value, "__name__", type(value).__name__)
    return found


def _owned(module: Any) -> Iterator[Tuple[str, str, Any]]:
    """Name, kind and tensor of what a module owns itself, and what torch's parametrizations keep for it."""
    parametrizations = module._modules.get("parametrizations")
    if parametrizations is not None:
        for path, part in _walk(parametrizations):
            prefix = f"parametrizations.{path}." if path else "parametrizations."
            for name, kind, tensor in _owned(part):
                yield prefix + name, kind, tensor
    for name, kind, tensor in _own_tensors(module):
        yield name, kind, tensor


def _own_tensors(module: Any) -> Iterator[Tuple[str, str, Any]]:
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield name, "parameter", tensor
    hidden = getattr(module, "_non_persistent_buffers_set", ())
    for name, tensor in module._buffers.items():
        if tensor is not None:
            yield name, "non-persistent buffer" if name in hidden else "buffer", tensor


def _memory(tensor: Any) -> Any:
    """What two tensors have in common if one is the other under a second name."""
    if str(tensor.layout) != "torch.strided" or tensor.device.type == "meta" or tensor.numel() == 0:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()


def _refuse_opaque(model: Any) -> None:
    """Refuse a model with a part that hooks do not see into."""
    import torch

    for path, module in _walk(model):
        if isinstance(module, torch.jit.ScriptModule):
            kind, advice = "scripted or traced", "record the Python module it was made from"
        elif _is_exported(module):
            kind, advice = "an exported graph", "record the module that was exported"
        elif "_orig_mod" in module._modules or vars(module).get("_compiled_call_impl") is not None:
            kind, advice = "compiled", "record the module before torch.compile"
        else:
            continue
        where = f"{_shown(path, 200) or 'the model'} ({type(module).__name__})"
        raise RuntimeError(f"{where} is {kind}: hooks do not see inside it; {advice}")


def _is_exported(module: Any) -> bool:
    """Whether a module is a graph that uses weights itself and calls no module, as those of torch.export."""
    fx = sys.modules.get("torch.fx")
    if fx is None or not isinstance(module, fx.GraphModule):
        return False
    nodes = [node for node in module.graph.nodes if node.target != "_guards_fn"]
    return any(node.op == "get_attr" for node in nodes) and all(node.op != "call_module" for node in nodes)


def _cloned(tensor: Any) -> Any:
    return tensor.clone()


def _fresh(value: Any, copies: Dict[int, Any], change: Callable[[Any], Any] = _cloned) -> Any:
    """A copy of what a model is given, with every tensor changed; an array given twice is one array again.

    What requires a gradient still does. Modules, functions and what cannot be copied are shared, wherever they are.
    """
    if id(value) not in copies:
        copies[id(value)] = _copied(value, copies, change)
    return copies[id(value)]


def _copied(value: Any, copies: Dict[int, Any], change: Callable[[Any], Any]) -> Any:
    if _is_a(value, "Tensor"):
        return _changed(value, change)
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)([_fresh(item, copies, change) for item in value])
    if type(value) is deque:
        return deque([_fresh(item, copies, change) for item in value], value.maxlen)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_fresh(item, copies, change) for item in value))
    if type(value) is dict:
        return {key: _fresh(item, copies, change) for key, item in value.items()}
    if isinstance(value, type) or callable(value) or not (hasattr(value, "__dict__") or isinstance(value, Mapping)):
        return value
    return _object_copied(value, copies, change)


def _object_copied(value: Any, copies: Dict[int, Any], change: Callable[[Any], Any]) -> Any:
    try:
        held = [item for item in _within(value) if id(item) not in copies]
        changed = {id(item): _changed(item, change) for item in held if _is_a(item, "Tensor")}
        stay = {id(item): item for item in held if _stays(item)}
        copies.update(changed)
        copies.update(stay)
        copies[id(copies)] = [*copies.get(id(copies), []), *held]  # as deepcopy does, so that no ``id`` is used again
        return copy.deepcopy(value, copies)
    except Exception:  # what the code of a value raises is its own business
        return value


def _changed(tensor: Any, change: Callable[[Any], Any]) -> Any:
    detached = tensor.detach()
    changed = change(detached)
    if changed is detached:
        return tensor
    return changed.requires_grad_() if tensor.requires_grad and changed.is_floating_point() else changed


def _stays(item: Any) -> bool:
    """Whether an object that is held is handed on as itself."""
    if _is_a(item, "Tensor"):
        return False
    try:
        return _is_module(item) or not (hasattr(item, "__deepcopy__") or item.__reduce_ex__(4))
    except Exception:
        return True


Undo = Tuple[str, Callable[[], Any]]
"""What is put back, in words, and what does it."""


@contextlib.contextmanager
def _preserved(model: Any) -> Iterator[None]:
    """Put back what a run changes in a model, and the random state of Python, NumPy and torch.

    Modules get back their class, attributes, hooks and parts, containers among the attributes their items. Tensors
    get back their memory, flags and gradients; their content, too, but of parameters beyond `COPIED_BYTES` in all.
    """
    undos = _random_states() + list(_held(model))
    try:
        yield
    except BaseException as error:
        lost = _put_back(undos)
        if lost and hasattr(error, "add_note"):
            error.add_note(lost)
        raise
    lost = _put_back(undos)
    if lost:
        raise RuntimeError(f"{lost}; build the model anew before it is used again")


def _put_back(undos: List[Undo]) -> str:
    """Put everything back; in words what could not be."""
    lost = []
    for name, action in undos:
        try:
            action()
        except Exception as error:
            lost.append(f"{_shown(name, 200)}: {_shown(error, 200)}")
    more = f"; and {len(lost) - 6} more" if len(lost) > 6 else ""
    return f"the run changed what could not be put back: {'; '.join(lost[:6])}{more}" if lost else ""


def _random_states() -> List[Undo]:
    import torch

    states: List[Undo] = [
        ("Python's random state", functools.partial(random.setstate, random.getstate())),
        ("NumPy's random state", functools.partial(np.random.set_state, np.random.get_state())),
        ("torch's random state", functools.partial(torch.set_rng_state, torch.get_rng_state())),
    ]
    for device in range(torch.cuda.device_count()):
        state = torch.cuda.get_rng_state(device)
        states.append(
            (f"the random state of cuda:{device}", functools.partial(torch.cuda.set_rng_state, state, device))
        )
    return states


def _held(model: Any) -> Iterator[Undo]:
    """Classes and containers before tensors: a lazy module that the run completed becomes a lazy one first."""
    modules = list(_walk(model))
    for path, module in modules:
        restore = functools.partial(object.__setattr__, module, "__class__", type(module))
        yield f"the class of {path or 'the model itself'}", restore
    tensors: Dict[int, Tuple[str, Any]] = {}
    for name, item in _held_items(modules):
        if not _is_a(item, "Tensor"):
            yield name or "the model itself", _undo(item)
            continue
        tensors[id(item)] = name, item
        if item.is_leaf and item.grad is not None:
            tensors[id(item.grad)] = f"the gradient of {name}", item.grad
    large = _large([tensor for _, tensor in tensors.values()], modules)
    for key, (name, tensor) in tensors.items():
        yield name, _KeptTensor(tensor, key not in large and _is_copyable(tensor)).put_back


def _held_items(modules: List[Tuple[str, Any]]) -> Iterator[Tuple[str, Any]]:
    """The containers, tensors and random generators that modules hold, each once, with a name."""
    waiting: List[Tuple[str, Any]] = [(path, vars(module)) for path, module in modules]
    seen: Set[int] = set()
    while waiting:
        name, item = waiting.pop()
        has_items = type(item) in (tuple, *CONTAINERS)
        if id(item) in seen or not (has_items or _is_a(item, "Tensor") or _is_generator(item)):
            continue
        seen.add(id(item))
        if type(item) is not tuple:
            yield name, item
        if has_items:
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            waiting += [(f"{name}.{key}" if name else str(key), part) for key, part in pairs]


def _is_generator(item: Any) -> bool:
    generators = [getattr(np.random, name, random.Random) for name in ("Generator", "RandomState")]
    return isinstance(item, (random.Random, *generators)) or _is_a(item, "Generator")


def _undo(item: Any) -> Callable[[], Any]:
    """What puts a container or a random generator back to how it is now."""
    if isinstance(item, (dict, set)):
        return functools.partial(_refill, item, item.update, item.copy())
    if isinstance(item, (list, deque)):
        return functools.partial(_refill, item, item.extend, list(item))
    if hasattr(item, "bit_generator"):
        return functools.partial(setattr, item.bit_generator, "state", item.bit_generator.state)
    if isinstance(item, random.Random):
        return functools.partial(item.setstate, item.getstate())
    return functools.partial(item.set_state, item.get_state())


def _refill(container: Any, fill: Callable[[Any], Any], items: Any) -> None:
    container.clear()
    fill(items)


def _large(tensors: List[Any], modules: List[Tuple[str, Any]]) -> Set[int]:
    """Which parameters and gradients are too large to be copied, by ``id``; what ``max_norm`` rescales never is."""
    import torch

    embeddings = [module for _, module in modules if isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag))]
    written = {id(each.weight) for each in embeddings if each.max_norm is not None}
    weights = [each for each in tensors if isinstance(each, torch.nn.Parameter) and id(each) not in written]
    gradients = [each.grad for each in weights if each.grad is not None]
    found, total = set(), 0
    for tensor in sorted(filter(_is_copyable, weights + gradients), key=_bytes_of):
        total += _bytes_of(tensor)
        found |= {id(tensor)} if total > COPIED_BYTES else set()
    return found


class _KeptTensor:
    """A tensor as it was: its memory, kind and flags, its gradient and, if it is copied, its content.

    Without a copy, torch's count of in-place writes tells whether there were any.
    """

    def __init__(self, tensor: Any, is_copied: bool) -> None:
        self.tensor = tensor
        self._kind = type(tensor)
        self._memory = tensor.data
        self._inference = not _is_lazy(tensor) and hasattr(tensor, "is_inference") and tensor.is_inference()
        self._writes = self._counted()
        self._leaf, self._requires_grad = tensor.is_leaf, tensor.requires_grad
        self._grad = tensor.grad if tensor.is_leaf else None
        self._content = _dense(self._memory).clone() if is_copied else None

    def put_back(self) -> None:
        """Make the tensor what it was, or raise if that cannot be."""
        with _modes(self._inference):
            exchanged = self._put_memory_back()
        self._put_flags_back()
        with _modes(self._inference):
            self._put_content_back(exchanged)

    def _put_memory_back(self) -> bool:
        """Whether that was needed."""
        tensor, other_kind = self.tensor, type(self.tensor) is not self._kind
        moved = other_kind or (_is_copyable(tensor) and _place(tensor) != _place(self._memory))
        if moved:
            tensor.data = self._memory
        if other_kind:
            tensor.__class__ = self._kind
        return moved

    def _put_flags_back(self) -> None:
        tensor = self.tensor
        if self._leaf and not tensor.is_leaf:
            tensor.detach_()
        if self._leaf and tensor.requires_grad != self._requires_grad:
            tensor.requires_grad_(self._requires_grad)
        if self._leaf and tensor.grad is not self._grad:
            tensor.grad = self._grad

    def _put_content_back(self, exchanged: bool) -> None:
        if self._content is None:
            if not exchanged and self._counted() != self._writes:
                raise ValueError("the run wrote into it, and it is not among what is copied before every run")
        elif not _same_bits(_dense(self._memory), self._content):
            _dense(self._memory).copy_(self._content)

    def _counted(self) -> int:
        """How often torch has written into the tensor; of tensors of inference mode it keeps no count."""
        try:
            return int(self.tensor._version)
        except RuntimeError:
            return 0


@contextlib.contextmanager
def _modes(inference: bool) -> Iterator[None]:
    """Compute without gradients, in inference mode or not, where torch has it."""
    import torch

    mode = getattr(torch, "inference_mode", None)
    with torch.no_grad(), mode(inference) if mode else contextlib.nullcontext():
        yield


def _is_lazy(tensor: Any) -> bool:
    import torch

    return bool(getattr(torch.nn.parameter, "is_lazy", _silent)(tensor))


def _is_copyable(tensor: Any) -> bool:
    return not _is_lazy(tensor) and not _TorchArray(tensor).refusal


def _bytes_of(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def _dense(tensor: Any) -> Any:
    """The tensor without what ``expand`` repeats: torch refuses to write to one place twice."""
    tensor = tensor.detach()
    for axis, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _same_bits(one: Any, other: Any) -> bool:
    """Whether two tensors of one shape and dtype have the same bits, NaN among them."""
    pairs = zip(*(_TorchArray(tensor.contiguous()).pieces() for tensor in (one, other)))
    return all(np.array_equal(piece, twin) for piece, twin in pairs)


def _place(tensor: Any) -> Tuple[Any, ...]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device


# Noise --------------------------------------------------------------------------------------------------------------

Key = Tuple[int, str, int]
"""Step, path and repeat of a call."""
Found = Dict[Tuple[Key, str, str], "_Moved"]
"""How far a rerun moved, by call, ``inputs`` or ``outputs``, and the name of the tensor there."""
RESULT: Key = (-1, "", 0)
"""Stands for what the whole run returned where there is a call elsewhere."""


class _UnmeasuredError(Exception):
    """Why a kind of noise cannot be measured, in words."""


class _Moved(NamedTuple):
    """How far a tensor is from another, infinitely if they cannot be compared; and how large the other is."""

    max_abs: float = 0.0
    l2: float = 0.0
    reference_l2: float = 0.0
    elements: int = 0
    scale: float = 0.0

    def with_part(self, other: "_Moved") -> "_Moved":
        """Of this and another part of the same tensor together."""
        l2, reference_l2 = np.hypot(self[1:3], other[1:3]).tolist()
        largest, scale = max(self.max_abs, other.max_abs), max(self.scale, other.scale)
        return _Moved(largest, l2, reference_l2, self.elements + other.elements, scale)

    def is_rounding(self, dtype: Any) -> bool:
        """Whether it is no more than rounding explains in a dtype, by the rule that porting has for verdicts."""
        import torch

        least = 2 * torch.finfo(dtype).eps if dtype.is_floating_point else 0.0
        floor = max(least * self.scale, min(8 * least * self.scale, (1 + self.scale) / 1e4))
        if not floor:
            return not self.max_abs > 0
        return self.max_abs <= 10 * floor and self.l2 <= 10 * floor / self.scale * self.reference_l2


class _Noise:
    """Reruns a recorded model, and notes how far its results move by themselves, as ``porting capture --noise`` does.

    Padding does not count in tensors over (batch, sequence, ...). Where the shape alone leaves open which axes these
    are, everything counts: (batch, heads, sequence, ...), (sequence, batch, ...), (batch * sequence, ...), (batch,
    sequence, sequence, ...), and (batch, sequence) where some result has channels as many as positions.
    """

    def __init__(self, recorder: Recorder, model: Any, inputs: Any, run: Any, valid: Any, wrap: bool) -> None:
        self.recorder, self.model, self._inputs, self._run, self._wrap = recorder, model, inputs, run, wrap
        self._valid = valid
        self._calls = {_key(entry): entry for entry in recorder._calls.entries}
        leaves = [leaf for key in self._calls for leaf in self.tensors(key, "outputs") if "float" in leaf["dtype"]]
        self._widths = {leaf["shape"][-1] for leaf in leaves if len(leaf["shape"]) > 2}

    def measure(self) -> None:
        """Note each kind of noise, or why it could not be measured."""
        kinds = {"float64": self._in_float64, "threads": self._other_threads, "batch": self._row_by_row}
        said, noisiest = {}, {}
        for number, (kind, rerun) in enumerate(kinds.items()):
            self.recorder.progress(f"measuring noise: {kind}", number, len(kinds))
            try:
                noisiest[kind] = self._noted(kind, rerun())
                said[kind] = "measured"
            except (_UnmeasuredError, RuntimeError, MemoryError) as error:  # float64 needs twice the memory
                said[kind] = _shown(error, 400)
        self.recorder.run.update(noise=said, noisiest=noisiest)

    def tensors(self, key: Key, where: str) -> List[Entry]:
        """The leaves of a call, or of the run, that have a content."""
        value = (self.recorder._result if key == RESULT else self._calls.get(key, {})).get(where, {"leaves": ()})
        return [leaf for leaf in value["leaves"] if "key" in leaf]

    def stored(self, leaf: Entry, row: Optional[int] = None) -> Any:
        """What was recorded, as a new tensor; or one row of it."""
        import torch

        dtype: str = leaf["dtype"]
        kind = np.dtype("uint8" if dtype.startswith("float8") else "int16" if dtype == "bfloat16" else dtype)
        shape = leaf["shape"] if row is None else [1, *leaf["shape"][1:]]
        size = functools.reduce(lambda product, length: product * length, shape, kind.itemsize)
        raw = self.recorder._shards.read(leaf, (row or 0) * size, size)
        tensor = torch.from_numpy(raw.view(kind)).reshape(shape)
        return tensor if kind.name == dtype else tensor.view(getattr(torch, dtype))

    def compared(self, leaf: Entry, reference: Any, other: Any, row: Optional[int] = None) -> _Moved:
        """How far an array is from another, at the valid positions of what was recorded or of one row of it."""
        one, two = _array(reference), _array(other) if _is_array(other) else _Unreadable("no array")
        if two.refusal or one.shape != two.shape:
            return _Moved(float("inf"))
        shape, valid = tuple(leaf["shape"]), self._valid
        is_open = shape[1:] in {(width,) for width in self._widths} or (len(shape) == 4 and shape[1] == shape[2])
        if valid is None or shape[:2] != valid.shape or is_open:
            return _moved(_Widened(one), _Widened(two), None)
        valid = valid if row is None else valid[row : row + 1]
        keep = np.broadcast_to(valid.reshape(*valid.shape, *[1] * (len(shape) - 2)), one.shape).reshape(-1)
        return _moved(_Widened(one), _Widened(two), keep)

    def _noted(self, kind: str, found: Found) -> Entry:
        """Note what a rerun found, at each leaf; the call of the largest difference relative to its output."""
        known = {place: moved for place, moved in found.items() if moved.elements and np.isfinite(moved[:3]).all()}
        if not known:
            raise _UnmeasuredError("the rerun gave nothing that could be compared with what was recorded")
        largest = (0.0, RESULT)
        for (key, where, name), moved in known.items():
            for leaf in self.tensors(key, where):
                if leaf["name"] == name:
                    leaf.setdefault("noise", {})[kind] = [moved.max_abs, moved.l2]
            if where == "outputs" and key != RESULT and moved.reference_l2:
                largest = max(largest, (moved.l2 / moved.reference_l2, key))
        relative, (step, path, repeat) = largest
        label = path + (f"#{repeat}" if repeat else "") + (f"@{step}" if step else "")
        return {"call": label if relative else None, "relative_l2": relative}

    def _in_float64(self) -> Found:
        """What each call rounds: its float64 result on its own recorded inputs, against what was recorded.

        A place counts only where the same rerun in the model's own precision comes back to what was recorded.
        """
        import torch

        self._refuse_random()
        if not hasattr(getattr(torch.overrides, "TorchFunctionMode", None), "__enter__"):
            raise _UnmeasuredError(f"torch {_torch_version()} has no TorchFunctionMode")
        control, exact = _Fed(self), _Fed(self)
        self._rerun(control, self._inputs)
        with _float64(self.model):
            self._rerun(exact, _fresh(self._inputs, {}, _doubled))
        return {place: moved for place, moved in exact.found.items() if place in control.faithful}

    def _other_threads(self) -> Found:
        """One thread if the recording used more, else two."""
        import torch

        before, free = torch.get_num_threads(), _Free(self)
        torch.set_num_threads(1 if before > 1 else 2)
        try:
            free.returned(RESULT, self._rerun(free, self._inputs))
        finally:
            torch.set_num_threads(before)
        return free.found

    def _row_by_row(self) -> Found:
        """Every row of the inputs by itself, each against its part of what was recorded."""
        self._refuse_random()
        together: Found = {}
        batch = self._batch()
        for number in range(batch):
            free = _Free(self, number, batch)
            row = _fresh(self._inputs, {}, functools.partial(_row, number, batch))
            free.returned(RESULT, self._rerun(free, row))
            for place, part in free.found.items():
                together[place] = together.get(place, _Moved()).with_part(part)
        return together

    def _batch(self) -> int:
        leaves = [leaf for _, leaf in _leaves(_arguments_by_name(self._inputs))]
        shapes = [tuple(leaf.shape) for leaf in leaves if _is_a(leaf, "Tensor")]
        lengths = {shape[0] for shape in shapes if len(shape) > 1}
        lengths |= set() if self._valid is None else {len(self._valid)}
        if lengths == {1}:
            raise _UnmeasuredError("the batch has one row")
        if len(lengths - {1}) != 1:
            found = ", ".join(map(str, sorted(lengths))) or "none"
            text = f"the inputs have no batch axis in common: the lengths of their first axes are {found}"
            raise _UnmeasuredError(text)
        (batch,) = lengths - {1}
        if (batch,) in shapes and any(batch in shape[1:] for shape in shapes):
            raise _UnmeasuredError(f"two axes of the inputs have length {batch}, and either may be the batch")
        return int(batch)

    def _refuse_random(self) -> None:
        if self.recorder.run["random"]:
            raise _UnmeasuredError("the run draws random numbers, and this rerun would draw others")

    def _rerun(self, listener: _Listener, inputs: Any) -> Any:
        """What one more run returns, if it makes the calls that were recorded; the model is left as it was."""
        import torch

        try:
            with _preserved(self.model), torch.no_grad():
                fresh = _fresh(inputs, {})
                _seeded(self.recorder.run["seed"])
                with listener.listening(self._wrap):
                    result = _called(self.model, fresh, self._run)
        except Exception as error:
            at = listener._calls.failure(error)
            where = f" in {_shown(at['path'], 200) or 'the model itself'}" if at["class"] else ""
            text = f"the rerun raised {type(error).__name__}{where}: {_shown(error, 300)}"
            raise _UnmeasuredError(text) from error
        paths, made = {key[1] for key in self._calls}, {_key(entry) for entry in listener._calls.entries}
        other = {key for key in made ^ set(self._calls) if key[1] in paths}
        if other:
            path = _shown(min(other)[1], 200) or "the model itself"
            raise _UnmeasuredError(f"the rerun made other calls, as of {path}")
        return result


class _Free(_Listener):
    """A rerun that is left to itself, on all rows or on one of them."""

    def __init__(self, noise: _Noise, row: Optional[int] = None, batch: int = 0) -> None:
        super().__init__(noise.model, _Calls())
        self.found: Found = {}
        self._noise, self._row, self._batch = noise, row, batch

    def leaving(self, call: _Call, output: Any) -> None:
        self.returned(_key(call.entry), output)

    def returned(self, key: Key, output: Any) -> None:
        """Compare what a call, or the run, has returned."""
        live = dict(_leaves(output))
        for leaf in self._noise.tensors(key, "outputs"):
            if _rounds(leaf["dtype"]) and (self._row is None or leaf["shape"][:1] == [self._batch]):
                recorded, place = self._noise.stored(leaf, self._row), (key, "outputs", leaf["name"])
                self.found[place] = self._noise.compared(leaf, recorded, live.get(leaf["name"]), self._row)


class _Fed(_Listener):
    """A rerun in which every call gets and returns what was recorded.

    Attributes:
        found: how far each tensor is from what was recorded, which takes its place then.
        faithful: where that is no more than rounding.
    """

    def __init__(self, noise: _Noise) -> None:
        super().__init__(noise.model, _Calls())
        self.found: Found = {}
        self.faithful: Set[Tuple[Key, str, str]] = set()
        self._noise = noise
        self._unfed: Set[Key] = set()

    def entering(self, call: _Call, args: Any, kwargs: Any) -> Any:
        given = self._arguments(call.module, args, kwargs)
        exchange = self._exchange(_key(call.entry), "inputs", given)
        if not exchange and any(_is_a(leaf, "Tensor") and _rounds(leaf.dtype) for _, leaf in _leaves(given)):
            self._unfed.add(_key(call.entry))  # nothing that it gets was recorded, so its output is no evidence
        return (_substituted(args, exchange), _substituted(kwargs, exchange)) if exchange else None

    def leaving(self, call: _Call, output: Any) -> Any:
        exchange = self._exchange(_key(call.entry), "outputs", output)
        return _substituted(output, exchange) if exchange else None

    def _exchange(self, key: Key, where: str, value: Any) -> Dict[int, Any]:
        """What takes the place of each tensor, by its ``id``; each is compared before that."""
        live, exchange = dict(_leaves(value)), {}
        for leaf in self._noise.tensors(key, where):
            tensor: Any = live.get(leaf["name"])
            if not _is_a(tensor, "Tensor") or list(tensor.shape) != leaf["shape"]:
                continue
            recorded = self._noise.stored(leaf)
            if _rounds(tensor.dtype) and not (where == "outputs" and key in self._unfed):
                place = (key, where, leaf["name"])
                self.found[place] = self._noise.compared(leaf, tensor, recorded)
                if self.found[place].is_rounding(recorded.dtype):
                    self.faithful.add(place)
            exchange[id(tensor)] = recorded.to(tensor)
        return exchange


def _moved(one: _Widened, two: _Widened, keep: Optional[np.ndarray]) -> _Moved:
    """The difference of two vectors of float64, piece by piece, at the places to ``keep``; None: at all."""
    if one.shape != two.shape:
        return _Moved(float("inf"))
    keep = np.ones(one.count, bool) if keep is None else np.repeat(keep, one.count // max(len(keep), 1))
    total = _Moved()
    for start in range(0, one.count, BLOCK_ELEMENTS):
        part = slice(start, start + BLOCK_ELEMENTS)
        a, b = one.raw(one.source[part]), two.raw(two.source[part])
        finite = np.isfinite(a) & np.isfinite(b)
        if (keep[part] & ~(finite | (a == b) | (np.isnan(a) & np.isnan(b)))).any():
            return _Moved(float("inf"))
        a, b = a[keep[part] & finite], b[keep[part] & finite]
        with np.errstate(over="ignore"):
            d = np.abs(b - a)
            l2, reference_l2 = np.sqrt([d @ d, a @ a]).tolist()
        largest, scale = (float(np.abs(each).max(initial=0)) for each in (d, a))
        total = total.with_part(_Moved(largest, l2, reference_l2, len(a), scale))
    return total


@contextlib.contextmanager
def _float64(model: Any) -> Iterator[None]:
    """Hold the model's parameters and buffers in float64, and compute in it; afterwards all is as it was."""
    import torch

    tensors = [tensor for _, module in _walk(model) for _, _, tensor in _own_tensors(module)]
    saved = [(each, each.data) for each in tensors if each.is_floating_point() and each.device.type != "meta"]
    default = torch.get_default_dtype()
    try:
        for tensor, data in saved:
            tensor.data = data.double()
        torch.set_default_dtype(torch.float64 if default is torch.float32 else default)
        with _promotion():
            yield
    finally:
        torch.set_default_dtype(default)
        for tensor, data in saved:
            tensor.data = data


def _promotion() -> Any:
    """A mode in which torch gives float64 where it is asked for float32, which norms and softmax do on purpose."""
    import torch

    def promoted(arg: Any) -> Any:
        return torch.float64 if arg is torch.float32 else arg

    class Promotion(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.Tensor.float:
                return args[0].double()
            return func(*map(promoted, args), **{name: promoted(arg) for name, arg in (kwargs or {}).items()})

    return Promotion()


def _substituted(value: Any, by_id: Dict[int, Any]) -> Any:
    """A value with the tensors of these ids exchanged; other objects, as caches, hold state, and are left alone."""
    if _is_a(value, "Tensor"):
        return by_id.get(id(value), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_substituted(item, by_id) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)([_substituted(item, by_id) for item in value])
    if type(value) is deque:
        return deque([_substituted(item, by_id) for item in value], value.maxlen)
    if type(value) is dict:
        return {key: _substituted(item, by_id) for key, item in value.items()}
    if isinstance(value, Mapping):
        changed: Any = copy.copy(value)
        for key in value:
            changed[key] = _substituted(value[key], by_id)
        return changed
    return _fields_substituted(value, by_id) if dataclasses.is_dataclass(value) else value


def _fields_substituted(value: Any, by_id: Dict[int, Any]) -> Any:
    if isinstance(value, type):
        return value
    changed = copy.copy(value)
    for field in dataclasses.fields(value):
        if hasattr(value, field.name):
            object.__setattr__(changed, field.name, _substituted(getattr(value, field.name), by_id))
    return changed


def _leaves(value: Any) -> List[Tuple[str, Any]]:
    """The leaves of a nested value, by name."""
    return _flatten(value)[1]


def _key(entry: Entry) -> Key:
    return entry["step"], entry["path"], entry["repeat"]


def _rounds(dtype: Any) -> bool:
    return "float" in str(dtype) or "complex" in str(dtype)


def _row(number: int, batch: int, tensor: Any) -> Any:
    return tensor[number : number + 1] if tensor.shape[:1] == (batch,) else tensor


def _doubled(tensor: Any) -> Any:
    return tensor.double() if tensor.is_floating_point() else tensor
