"""``dropout-active`` and ``batch-norm-training``: what is random or taken from the batch, as in training."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import torch
from torch.nn import functional

from porting.diagnosis import changes
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.intercepting import functions_used, intercepted, name_of

_DROPOUTS = {
    "dropout": "training", "dropout1d": "training", "dropout2d": "training", "dropout3d": "training",
    "alpha_dropout": "training", "feature_alpha_dropout": "training", "feature_dropout": "train",
    "scaled_dot_product_attention": "dropout_p",
}  # fmt: skip
"""Functions that drop elements, and the argument that turns that off."""


class TrainingMode(Cause):
    """The module, or one below it, is in training mode."""

    codes: ClassVar = ("dropout-active", "batch-norm-training")
    rank: ClassVar = 0

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Evaluation mode for the module and all below it."""
        below = [module for module in case.module.modules() if module.training]
        if not below:
            return
        averaging = [module for module in below if getattr(module, "running_mean", None) is not None]
        whole = "the whole model is" if case.model.training else f"{type(below[0]).__name__} is"
        yield Repair(
            code="batch-norm-training" if averaging else "dropout-active",
            summary=f"{whole} in training mode: " + ("statistics of the batch" if averaging else "dropout is active"),
            fix="call model.eval() after loading" if case.model.training else "put this module into evaluation mode",
            apply=partial(changes.training, case.module, False),
        )


class DropoutInCode(Cause):
    """The code drops elements whatever the mode is: ``functional.dropout`` without its training flag."""

    codes: ClassVar = ("dropout-active",)
    rank: ClassVar = 1

    def repairs(self, case: Case) -> Iterator[Repair]:
        """The same functions, told not to drop."""
        active = [used.name for used in functions_used(case.moments[0]) if _drops(used.name, used.args, used.kwargs)]
        if active:
            yield Repair(
                code="dropout-active",
                summary=f"the code calls {active[0]} with dropout on, in evaluation mode too",
                fix="pass training=self.training (to attention: dropout_p=0.0 unless self.training)",
                apply=partial(intercepted, case.module, _without_dropout),
            )


def _without_dropout(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = name_of(function)
    if not _drops(name, args, kwargs):
        return function(*args, **kwargs)
    if name != "scaled_dot_product_attention":
        return args[0] if args else kwargs["input"]
    return function(*args[:4], **{**kwargs, **dict(zip(("dropout_p", "is_causal"), (0.0, *args[5:]), strict=False))})


def _drops(name: str, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether a call drops anything."""
    if name not in _DROPOUTS:
        return False
    if name == "scaled_dot_product_attention":
        return bool(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    function = getattr(functional, name, None) or getattr(torch, name)
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
    except (TypeError, ValueError):
        given = dict(zip(("input", "p", "train"), args, strict=False)) | dict(kwargs)
    return bool(given.get("p")) and bool(given.get(_DROPOUTS[name], given.get("train")))
