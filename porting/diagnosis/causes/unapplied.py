"""``missing-layer``, ``extra-layer``, ``norm-placement``, ``missing-norm``: modules not applied, or too often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import torch

from porting.copying import copied
from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.glue.relating import place_of
from porting.diagnosis.glue.roles import NORM
from porting.diagnosis.scene import Gap, Moment
from porting.noise.floor import FACTOR

MOST_MODULES = 64
MOST_GAPS = 4
Function = Callable[[torch.Tensor], Any]


class Unapplied(Cause):
    """The right tensor is what a module of the culprit makes of the wrong one."""

    codes: ClassVar = ("missing-layer", "norm-placement", "missing-norm", "missing-activation")
    rank: ClassVar = 3

    def repairs(self, case: Case) -> Iterator[Repair]:
        """That module applied, at the place that goes wrong."""
        for gap in case.gaps[:MOST_GAPS]:
            moment = case.moment(gap)
            for path, module in _below(case):
                function = _function(module, moment, gap)
                if function is not None and _gives(function, gap):
                    yield _repair(case, gap, path, module, function)
                    break


class Skipped(Cause):
    """The culprit hands its input on, and runs none of its modules."""

    codes: ClassVar = ("missing-layer",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """What its class would do, where the instance does something else."""
        gap, moment = case.own_output, case.moments[0]
        if gap is None or moment.children or not any(True for _ in case.module.children()):
            return
        same = [t for t in moment.received().values() if t.shape == gap.wrong.shape and bool((t == gap.wrong).all())]
        if not same:
            return
        own = _own_forward(case.module)
        yield Repair(
            code="missing-layer",
            summary=f"{case.path} returns its input and runs none of its modules, the original's layer is run",
            fix="run the layer: check the bounds of the loop over the layers",
            apply=None if own is None else partial(changes.forward, case.module, partial(own, case.module)),
            recognised=True,
        )


class Repeated(Cause):
    """The culprit runs every one of its modules several times."""

    codes: ClassVar = ("extra-layer",)
    rank: ClassVar = 2

    def repairs(self, case: Case) -> Iterator[Repair]:
        """What its class does, which runs them once."""
        called = [child.path for child in case.moments[0].children]
        own = _own_forward(case.module)
        if len(set(called)) < 2 or own is None or any(called.count(path) < 2 for path in called):
            return
        yield Repair(
            code="extra-layer",
            summary=f"{case.path} runs its modules {called.count(called[0])} times in one call, the original once",
            fix=f"run {case.path} once",
            apply=partial(changes.forward, case.module, partial(own, case.module)),
        )


def _own_forward(module: torch.nn.Module) -> Callable[..., Any] | None:
    """The forward that one of its classes has, where the instance or a class derived from it does something else."""
    current = getattr(module.forward, "__func__", module.forward)
    own = (vars(each).get("forward") for each in type(module).__mro__ if each is not torch.nn.Module)
    return next((forward for forward in own if forward is not None and forward is not current), None)


def _below(case: Case) -> Iterator[tuple[str, torch.nn.Module]]:
    """What the culprit could call: its children, and whatever below it is never called."""
    found, called = 0, {call.path for call in case.ported.calls}
    for name, module in case.module.named_modules():
        path = f"{case.path}.{name}" if case.path else name
        near = "." not in name
        if name and (near or path not in called) and not _in_unused(case, name, called):
            found += 1
            if found <= MOST_MODULES:
                yield path, module


def _in_unused(case: Case, name: str, called: set[str]) -> bool:
    """Whether a module lies in one that is not called either, and is no list: that one is tried as a whole."""
    parent = name.rpartition(".")[0]
    if not parent or isinstance(case.module.get_submodule(parent), (torch.nn.ModuleList, torch.nn.ModuleDict)):
        return False
    return (f"{case.path}.{parent}" if case.path else parent) not in called


def _function(module: torch.nn.Module, moment: Moment, gap: Gap) -> Function | None:
    """A module as a function of one tensor; other arguments as a module of its class was given them."""
    if isinstance(module, (torch.nn.Dropout, torch.nn.Identity)):
        return None
    like = next((c for c in moment.children if type(c.module) is type(module)), None)
    if like is None or sum(isinstance(each, torch.Tensor) for each in like.arguments.values()) <= 1:
        return module.forward
    main = next((n for n, t in like.received().items() if t.shape == gap.wrong.shape), None)
    if main is None or main not in like.arguments:
        return None
    return partial(_among, module, dict(like.arguments), main)


def _among(module: torch.nn.Module, arguments: dict[str, Any], main: str, tensor: torch.Tensor) -> Any:
    plain = {
        name: value for name, value in copied(arguments, torch.Tensor.clone).items() if not name.startswith("kwargs.")
    }
    return module.forward(**{**plain, main: tensor})


def _gives(function: Function, gap: Gap) -> bool:
    try:
        with torch.no_grad():
            value = _first(function(gap.wrong.clone()))
    except Exception:
        return False
    if value is None or value.shape != gap.right.shape or not value.is_floating_point():
        return False
    error = (value.double() - gap.right.double()).abs()
    if gap.valid is not None:
        error = error[gap.valid.expand(error.shape)]
    return bool(error.numel()) and float(error.max()) <= max(
        FACTOR * gap.floor.max_abs, 1e-6 * float(gap.right.abs().max())
    )


def _first(result: Any) -> torch.Tensor | None:
    value = result[0] if isinstance(result, (tuple, list)) and result else result
    return value if isinstance(value, torch.Tensor) else None


def _applied(function: Function, tensor: torch.Tensor) -> torch.Tensor:
    value = _first(function(tensor))
    assert value is not None
    return value


def _repair(case: Case, gap: Gap, path: str, module: torch.nn.Module, function: Function) -> Repair:
    norm = any(stem in f"{path.rpartition('.')[2]} {type(module).__name__}".lower() for stem in NORM)
    called = any(call.path == path for call in case.ported.calls)
    code = ("norm-placement" if called else "missing-norm") if norm else "missing-layer"
    if not norm and not any(True for _ in module.parameters()):
        code = "missing-activation"
    hook = changes.argument if gap.where == "input" else changes.output
    return Repair(
        code=code,
        summary=f"in {place_of(gap)}, {path} is not applied, the original applies its counterpart",
        fix=f"apply {path} to it",
        apply=partial(hook, case.model.get_submodule(gap.path), partial(_applied, function), gap.leaf),
        recognised=norm,
    )
