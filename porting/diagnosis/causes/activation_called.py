"""``activation``: a torch function called in the culprit's code where the original calls another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import torch

from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.modules.functions import FIXED, IDENTITY, Elementwise
from porting.diagnosis.modules.intercepting import functions_used, intercepted, judged_children, name_of

_CALLED = ("relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu", "relu6", "mish", "hardswish")
MOST_OTHERS = 8
"""Functions that are tried in the place of one."""


class ActivationCalled(Cause):
    """A function that the code calls, exchanged everywhere in it: where its result is not seen by itself."""

    codes: ClassVar = ("activation", "missing-activation")
    rank: ClassVar = 4

    def repairs(self, case: Case) -> Iterator[Repair]:
        """Another usual function in the place of each that is called."""
        if case.culprit.where not in ("glue", "output") or not case.moments:
            return
        moment = case.moments[0]
        used = dict.fromkeys(_text(u.name, u.kwargs) for u in functions_used(moment, own=True) if u.name in _CALLED)
        for mine in used:
            for theirs in _others(mine):
                missing = theirs.kind == "identity"
                yield Repair(
                    code="missing-activation" if missing else "activation",
                    summary=f"the code calls {mine}, the original {theirs.text}",
                    fix="leave the function out there" if missing else f"call {theirs.text} there",
                    apply=partial(intercepted, case.module, _instead(mine, theirs), but=judged_children(moment)),
                )


def _others(mine: str) -> list[Elementwise]:
    others = [each for each in FIXED if each.text.partition(" ")[0] != mine and each.text != mine]
    # a tanh that is too much is as often a soft cap
    return [*others[:MOST_OTHERS], *([] if mine == "tanh" else [IDENTITY])]


def _text(name: str, kwargs: Any) -> str:
    if name != "gelu":
        return name
    return "gelu (tanh approximation)" if kwargs.get("approximate") == "tanh" else "gelu (exact, erf)"


def _instead(mine: str, theirs: Elementwise) -> Callable[..., Any]:
    def instead(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _text(name_of(function), kwargs) != mine:
            return function(*args, **kwargs)
        tensor: torch.Tensor = args[0] if args else kwargs["input"]
        return theirs.apply(tensor)

    return instead
