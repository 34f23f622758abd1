"""The modules of a live model as the records that a trace stores: settings, parameters, buffers, sketches."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator

import torch
from torch.nn.parameter import is_lazy

from porting.hooks.module_tree import executed_modules, walk
from porting.progress import Progress, silent
from porting.trace import ModuleInfo, ParameterInfo, Sketch, sketch

Sketcher = Callable[[torch.Tensor], Sketch | None]


def describe_modules(
    model: torch.nn.Module, *, sketcher: Sketcher = sketch, progress: Progress = silent
) -> dict[str, ModuleInfo]:
    """Describe every module of ``model`` by path, in the order of ``named_modules``.

    A parameter of a lazy module that has not met its first input has no shape yet: ``()``, and no sketch.

    Args:
        model: the live model; nothing in it is changed.
        sketcher: makes the sketch of a parameter or buffer, or None.
        progress: called per module.
    """
    first_module: dict[int, str] = {}
    first_tensor: dict[Hashable, str] = {}
    table: dict[str, ModuleInfo] = {}
    modules = executed_modules(model, remove_duplicate=False)
    for done, (path, module) in enumerate(modules):
        progress("reading weights", done, len(modules))
        alias = first_module.setdefault(id(module), path)
        table[path] = ModuleInfo(
            path=path,
            class_name=type(module).__name__,
            training=module.training,
            settings=settings(module),
            parameters=() if alias != path else tuple(_parameters(path, module, first_tensor, sketcher)),
            alias_of=None if alias == path else alias,
        )
    return table


def settings(module: torch.nn.Module) -> dict[str, bool | int | float | str | None]:
    """The public scalars of a module: numbers, strings, booleans, functions by name, short tuples as text."""
    found: dict[str, bool | int | float | str | None] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name == "training":
            continue
        if value is None or isinstance(value, (bool, int, str)):
            found[name] = value
        elif isinstance(value, float):
            found[name] = value if math.isfinite(value) else str(value)
        elif isinstance(value, (tuple, list)) and len(value) <= 8 and all(isinstance(v, (int, float)) for v in value):
            found[name] = str(tuple(value))
        elif callable(value) and not isinstance(value, (type, torch.nn.Module)):
            found[name] = getattr(value, "__name__", type(value).__name__)
    return found


def owned_tensors(module: torch.nn.Module) -> Iterator[tuple[str, str, torch.Tensor]]:
    """The tensors that a module owns itself: name, kind (as in `ParameterInfo.kind`) and tensor.

    Those that torch's parametrizations keep for it are its own, too.
    """
    parametrizations = module._modules.get("parametrizations")
    if parametrizations is not None:
        for path, part in walk(parametrizations):
            prefix = f"parametrizations.{path}." if path else "parametrizations."
            yield from ((prefix + name, kind, tensor) for name, kind, tensor in owned_tensors(part))
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name, "parameter", parameter
    for name, buffer in module._buffers.items():
        if buffer is not None:
            persistent = name not in module._non_persistent_buffers_set
            yield name, "buffer" if persistent else "non-persistent buffer", buffer


def _parameters(
    path: str, module: torch.nn.Module, seen: dict[Hashable, str], sketcher: Sketcher
) -> Iterator[ParameterInfo]:
    for name, kind, tensor in owned_tensors(module):
        full = f"{path}.{name}" if path else name
        first = seen.setdefault(_memory(tensor), full)
        yield ParameterInfo(
            name=name,
            kind=kind,
            dtype=str(tensor.dtype).removeprefix("torch."),
            shape=() if is_lazy(tensor) else tuple(tensor.shape),
            sketch=None if is_lazy(tensor) else sketcher(tensor),
            tied_to=None if first == full else first,
        )


def _memory(tensor: torch.Tensor) -> Hashable:
    """What two tensors have in common if one is the other under a second name."""
    if is_lazy(tensor) or tensor.is_meta or tensor.layout != torch.strided or tensor.numel() == 0:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()
