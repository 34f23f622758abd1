"""The original's inputs as a file of plain arrays, for another interpreter: bytes, dtypes and structure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from porting.errors import PortfileError
from porting.portfile import Portfile
from porting.text import show
from porting.trace import flatten
from porting.trace.apart import Untaken
from porting.trace.bits import as_bytes, plain


def ship_inputs(portfile: Portfile, path: Path) -> None:
    """Write what `child` reads: every tensor as bytes, whatever its dtype; one that is given twice, once.

    Raises:
        PortfileError: an input is of another kind than tensors, numbers and texts.
    """
    structure, leaves = flatten(portfile.inputs("original").as_given())
    parcel = _Parcel()
    listed = [parcel.leaf(name, leaf) for name, leaf in leaves]
    facts = json.dumps({"structure": structure, "leaves": listed, "arrays": parcel.kinds})
    arrays = {**parcel.arrays, "facts": np.frombuffer(facts.encode("ascii"), dtype=np.uint8)}
    valid = portfile.valid_positions()
    if valid is not None:
        arrays["valid"] = valid.cpu().numpy()
    np.savez(path, **arrays)  # type: ignore[arg-type]


class _Parcel:
    """The arrays that are sent, and what they are."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.kinds: dict[str, dict[str, Any]] = {}
        self._keys: dict[int, str] = {}

    def leaf(self, name: str, leaf: Any) -> dict[str, Any]:
        if leaf is None or isinstance(leaf, (bool, int, float, str)):
            return {"value": leaf}
        kind = leaf.why if isinstance(leaf, Untaken) else type(leaf).__name__
        if isinstance(leaf, torch.Tensor):
            if leaf.layout == torch.strided and not (leaf.is_meta or leaf.is_quantized or leaf.is_nested):
                return {"array": self._key(leaf)}
            kind = "sparse, quantized, nested or without data"
        raise PortfileError(
            f"the input {show(name)} ({show(kind)}) cannot be sent to ORIGINAL_PYTHON",
            hint="send dense tensors, numbers and texts, and make anything else in run_original()",
        )

    def _key(self, tensor: torch.Tensor) -> str:
        if id(tensor) not in self._keys:
            key = self._keys[id(tensor)] = f"a{len(self._keys)}"
            self.arrays[key] = as_bytes(plain(tensor).cpu().contiguous()).numpy()
            dtype = str(tensor.dtype).removeprefix("torch.")
            self.kinds[key] = {"dtype": dtype, "shape": list(tensor.shape)}
        return self._keys[id(tensor)]
