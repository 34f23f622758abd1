"""Weights that hide bugs: untrained norms, matrices of zeros, batch norms that have seen nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from porting.text import show
from porting.trace import ModuleInfo, ParameterInfo, Trace

Named = list[str]
INSTEAD = "verify a trained checkpoint, or: porting verify --reinit"


def weight_warnings(original: Trace, ported: Trace) -> Iterator[tuple[str, str]]:
    """What the weights of the original cannot show; of the port, where the original's were not read."""
    called = {path: module for path, module in original.modules.items() if path in original.first_calls}
    modules = list((called if _sketched(original) else ported.modules).values())
    level, empty, initial = _found(modules)
    if level:
        text = f"{len(level)} vectors of weights hold one value throughout (first: {show(level[0])})"
        yield "constant-weights", f"{text}, so norms that are exchanged or never loaded are not seen; {INSTEAD}"
    if empty:
        text = f"{len(empty)} weights are zero throughout (first: {show(empty[0])})"
        yield "zero-weights", f"{text}, so nothing is seen of what they are multiplied with or added to; {INSTEAD}"
    if initial:
        text = f"the statistics of {len(initial)} batch norms are 0 and 1 (first: {show(initial[0])})"
        yield "batch-norm-initial", f"{text}, so statistics that were not loaded and epsilons are not seen; {INSTEAD}"


def _sketched(trace: Trace) -> bool:
    return any(parameter.sketch for module in trace.modules.values() for parameter in module.parameters)


def _found(modules: list[ModuleInfo]) -> tuple[Named, Named, Named]:
    """Names of level vectors, of zero weights and of unused batch norms; single biases may well be zero."""
    matrices: dict[str, ParameterInfo] = {}
    vectors: dict[str, ParameterInfo] = {}
    for module in modules:
        for parameter in module.parameters:
            name = f"{module.path}.{parameter.name}" if module.path else parameter.name
            if parameter.kind == "parameter" and parameter.sketch is not None and "float" in parameter.dtype:
                (matrices if len(parameter.shape) > 1 else vectors)[name] = parameter
    zeros = [name for name, parameter in vectors.items() if _zero(parameter)]
    level = [name for name, parameter in vectors.items() if name not in zeros and _level(parameter)]
    empty = [name for name, parameter in matrices.items() if _zero(parameter)]
    return level, empty + zeros * (2 * len(zeros) > len(vectors)), [m.path for m in modules if _initial(m)]


def _zero(parameter: ParameterInfo) -> bool:
    return parameter.sketch is not None and not any(axis.any() for axis in parameter.sketch.axes)


def _level(parameter: ParameterInfo) -> bool:
    sketch = parameter.sketch
    return sketch is not None and sketch.axes[0].size > 1 and not np.ptp(sketch.axes[0])


def _initial(module: ModuleInfo) -> bool:
    values = {p.name: p.sketch.axes[0] for p in module.parameters if p.sketch is not None and len(p.sketch.axes)}
    mean, variance = values.get("running_mean"), values.get("running_var")
    if mean is None or variance is None:
        return False
    return not mean.any() and bool((variance == 1).all())
