"""Run the original's functions of a portfile in the interpreter of ORIGINAL_PYTHON; started by `other_python`.

This file is copied into an empty folder beside the recorder, as ``porting_recorder.py``, and runs there alone: the
standard library, NumPy, and what the portfile's own functions import.

    python porting_child.py REQUEST.json

The request names the portfile, the inputs' file, the folder of the trace, the recorder's options, and a file
descriptor. Messages go there, one JSON object a line: progress, and at the end either a problem or that it is done.
"""

import collections
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, Dict, Iterable, List, Set

import numpy as np

EVERY = 0.1
"""Seconds between two messages of progress in one piece of work."""
BITS = {"bfloat16": "int16"}
"""The dtypes of NumPy in which the bits of others are passed to torch; uint8 for all of float8."""


MOST = 5000
"""Files of a kind that are told, the first ones."""
CODE = (".py", ".pyc", ".so")
"""What is opened by the thousand as modules are imported, and told apart from data."""
STOPS = (signal.SIGTERM, signal.SIGINT)


class Messages:
    """What the parent process is told."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self.descriptor = descriptor
        self.doing = ""
        self.last = 0.0

    def progress(self, text: str, done: int, total: int) -> None:
        """Tell how far the work is, now and then."""
        now = time.monotonic()
        if text != self.doing or now - self.last >= EVERY:
            self.doing, self.last = text, now
            self.send({"progress": [text, done, total]})

    def send(self, message: Dict[str, Any]) -> None:
        """Tell anything."""
        os.write(self.descriptor, (json.dumps(message) + "\n").encode("ascii"))


def main() -> int:
    """Record the original; what goes wrong is told."""
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    messages = Messages(request["messages"])
    for number in STOPS:
        signal.signal(number, stop)
    doing = "portfile.py"
    opened = watch()
    try:
        import porting_recorder  # type: ignore[import-not-found]

        names = load(request["portfile"])
        doing = "original()"
        messages.progress("building the original model", 0, 1)
        model = names["original"]()
        messages.send({"used": {"files": list(opened)[:MOST], "code": code_of(model)[:MOST]}})
        doing = "the recording"
        given, valid = read_inputs(request["inputs"])
        porting_recorder.record(
            model,
            given,
            request["folder"],
            run=names.get("run_original"),
            valid_positions=valid,
            progress=messages.progress,
            **request["options"],
        )
    except Exception as error:
        traceback.print_exc()
        messages.send({"problem": {"doing": doing, "error": f"{type(error).__name__}: {error}"[:2000]}})
        return 1
    messages.send({"done": True})
    return 0


def watch() -> Dict[str, None]:
    """The files that are opened for reading from now on, without code, in order; none are known before Python 3.8."""
    opened: Dict[str, None] = {}

    def hear(event: str, args: Any) -> None:
        if event != "open" or not isinstance(args[0], str) or args[0].endswith(CODE):
            return
        if set(str(args[1])).isdisjoint("wax+"):
            opened[os.path.abspath(args[0])] = None

    if hasattr(sys, "addaudithook"):
        sys.addaudithook(hear)
    return opened


def code_of(model: Any) -> List[str]:
    """The files of the model's classes, and of the loaded modules that are neither installed nor Python's own.

    Of torch it is the one of its version.
    """
    paths = files_of(sys.modules)
    own = (sys.prefix + os.sep, sys.base_prefix + os.sep, os.path.dirname(os.path.abspath(__file__)) + os.sep)
    local = {path for path in paths if not path.startswith(own) and "site-packages" not in path}
    parts = list(model.modules()) if hasattr(model, "modules") else [model]
    names = {base.__module__ for part in parts for base in type(part).__mro__}
    made_of = files_of(name for name in names if name.partition(".")[0] not in ("torch", "builtins"))
    return [path for path in paths if path.endswith(os.path.join("torch", "version.py"))] + sorted(local | made_of)


def files_of(names: Iterable[str]) -> Set[str]:
    """The Python files of loaded modules."""
    found = [getattr(sys.modules.get(name), "__file__", None) for name in list(names)]
    return {os.path.abspath(path) for path in found if isinstance(path, str) and path.endswith(".py")}


def stop(number: int, _: Any) -> None:
    """End the program, so that what is half written is removed; a second signal does not disturb that."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def load(path: str) -> Dict[str, Any]:
    """The names that a portfile defines; it runs in its folder, which is searched for imports last."""
    os.chdir(os.path.dirname(path))
    sys.path.append(os.path.dirname(path))
    names: Dict[str, Any] = {"__name__": "portfile", "__file__": path}
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), names)  # noqa: S102 - the user's own file, named by the user
    return names


def read_inputs(path: str) -> Any:
    """The inputs that were shipped: tensors where there is torch, else arrays; and the valid positions, or None."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(arrays.pop("facts").tobytes().decode("ascii"))
    made = {name: as_tensor(arrays[name], **kind) for name, kind in facts["arrays"].items()}
    leaves = [made[each["array"]] if "array" in each else each["value"] for each in facts["leaves"]]
    return rebuild(facts["structure"], iter(leaves)), arrays.get("valid")


def as_tensor(raw: np.ndarray, dtype: str, shape: List[int]) -> Any:
    """Bytes as a torch tensor of a dtype; as an array where there is no torch."""
    try:
        import torch
    except ImportError:
        return raw.view(np.dtype(dtype)).reshape(shape)
    if not hasattr(torch, dtype):
        raise TypeError(f"an input is of {dtype}, which torch {torch.__version__} does not have")
    bits = "uint8" if dtype.startswith("float8") else BITS.get(dtype, dtype)
    tensor = torch.from_numpy(raw.view(np.dtype(bits)).reshape(shape))
    return tensor if bits == dtype else tensor.view(getattr(torch, dtype))


def rebuild(structure: Dict[str, Any], leaves: Any) -> Any:
    """A nested value from its structure and its leaves in order."""
    if structure["kind"] == "leaf":
        return next(leaves)
    keys = structure["keys"]
    items: List[Any] = [rebuild(item, leaves) for item in structure["items"]]
    if structure["kind"] == "dict":
        return dict(zip(keys, items))
    if structure["kind"] == "list":
        return items
    if keys != [str(index) for index in range(len(keys))]:
        return collections.namedtuple(structure["class"], keys, rename=True)(*items)
    return tuple(items)


if __name__ == "__main__":
    sys.exit(main())
