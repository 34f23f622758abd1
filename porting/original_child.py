"""Run the original's functions of a portfile in the interpreter of ORIGINAL_PYTHON; started by `other_python`.

This file is copied into an empty folder beside the recorder, as ``record.py``, and runs there alone: the standard
library, NumPy, and what the portfile's own functions import.

    python child.py PORTFILE INPUTS.npz FOLDER ERROR.json
"""

import json
import os
import signal
import sys
import traceback
from typing import Any, Dict, List

import numpy as np


def main() -> int:
    """Record the original; what goes wrong is described in the error file."""
    portfile, inputs, folder, errors = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half written is removed
    doing = "portfile.py"
    try:
        names = load(portfile)
        doing = "original()"
        model = names["original"]()
        doing = "the recording"
        given, valid = read_inputs(inputs)
        import record  # type: ignore[import-not-found]

        record.record(model, given, folder, run=names.get("run_original"), valid_positions=valid)
    except Exception as error:
        traceback.print_exc()
        with open(errors, "w", encoding="utf-8") as file:
            json.dump({"doing": doing, "error": f"{type(error).__name__}: {error}"[:2000]}, file)
        return 1
    return 0


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
    facts = json.loads(arrays.pop("facts").tobytes().decode("utf-8"))
    leaves = [
        as_tensor(arrays[each["array"]], each["dtype"]) if "array" in each else each["value"]
        for each in facts["leaves"]
    ]
    return rebuild(facts["structure"], iter(leaves)), arrays.get("valid")


def as_tensor(array: np.ndarray, dtype: str) -> Any:
    """An array as a torch tensor of its dtype; as it is where there is no torch."""
    try:
        import torch
    except ImportError:
        return array
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if dtype == "bfloat16" else tensor


def rebuild(structure: Dict[str, Any], leaves: Any) -> Any:
    """A nested value from its structure and its leaves in order."""
    if structure["kind"] == "leaf":
        return next(leaves)
    items: List[Any] = [rebuild(item, leaves) for item in structure["items"]]
    if structure["kind"] == "dict":
        return dict(zip(structure["keys"], items))
    return items if structure["kind"] == "list" else tuple(items)


if __name__ == "__main__":
    sys.exit(main())
