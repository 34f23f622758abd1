"""What diagnosing costs: verifying a port of BERT-base shape with one bug, against verifying the healthy one."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

import porting
from porting.runs import Inputs

GOAL_HEALTHY = "6 times the two forwards + 2 s"
GOAL_MORE = 10.0
"""CPU seconds that the diagnosis of one culprit may add."""
LAYER = "encoder.layer.3"


def benchmark_diagnosis(pair: tuple[nn.Module, nn.Module], inputs: Inputs) -> None:
    """Verify two equal models, then one with each bug in the port, and print what each adds in CPU time."""
    warnings.simplefilter("ignore")
    original, ported = pair
    with torch.no_grad():
        forwards = min(timed(lambda: [inputs.forward(each) for each in pair])[0] for _ in range(3))
    healthy, verification = timed(lambda: porting.verify(original, ported, inputs))
    print(f"{'two forwards':36}{forwards:7.2f} s")
    more = (healthy - 2) / forwards
    print(f"{'healthy':36}{healthy:7.2f} s {more:6.1f} x + 2 s  {verification.verdict}  goal {GOAL_HEALTHY}")
    for name, bug in BUGS.items():
        broken = copy.deepcopy(ported)
        torch.manual_seed(1)
        bug(broken)
        spent, verification = timed(partial(porting.verify, original, broken, inputs))
        culprits = verification.culprits
        causes = [f"{cause.code}{'' if cause.verified else '?'}" for cause in culprits[0].causes] if culprits else []
        goal = f"goal {GOAL_MORE:.0f} s" if len(culprits) == 1 else f"{len(culprits)} culprits"
        print(f"{name:36}{spent:7.2f} s {spent - healthy:+8.2f} s  {goal}  {' '.join(causes) or 'unexplained'}")


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of an action, and its result."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def mixing(path: str) -> Callable[[nn.Module], None]:
    """What a module returns times a random matrix: glue that no cause explains."""

    def bug(model: nn.Module) -> None:
        module, matrix = model.get_submodule(path), torch.eye(768) + 0.03 * torch.randn(768, 768)

        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = super(type(self), self).forward(*args, **kwargs)
            if isinstance(result, torch.Tensor):
                return result @ matrix
            if isinstance(result, tuple):
                return (result[0] @ matrix, *result[1:])
            result.last_hidden_state = result.last_hidden_state @ matrix
            return result

        module.__class__ = type(type(module).__name__, (type(module),), {"forward": forward})

    return bug


def unloaded(path: str) -> Callable[[nn.Module], None]:
    """A matrix that was not loaded."""

    def bug(model: nn.Module) -> None:
        nn.init.normal_(model.get_parameter(f"{path}.weight"), std=0.02)

    return bug


def given(path: str, name: str, value: Any) -> Callable[[nn.Module], None]:
    """Another setting of one module."""
    return lambda model: setattr(model.get_submodule(path), name, value)


def half(model: nn.Module) -> None:
    """All weights went through bfloat16."""
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()


def activations(model: nn.Module) -> None:
    """Another activation in every layer."""
    for module in model.modules():
        if hasattr(module, "intermediate_act_fn"):
            module.intermediate_act_fn = nn.ReLU()


BUGS: dict[str, Callable[[nn.Module], None]] = {
    "glue of a layer": mixing(LAYER),
    "glue of an attention": mixing(f"{LAYER}.attention.self"),
    "glue of a norm": mixing(f"{LAYER}.output.LayerNorm"),
    "glue of the model": mixing(""),
    "attention scale": given(f"{LAYER}.attention.self", "scaling", 0.25),
    "norm epsilon": given(f"{LAYER}.output.LayerNorm", "eps", 1e-2),
    "activation": given(f"{LAYER}.intermediate", "intermediate_act_fn", nn.SiLU()),
    "unloaded matrix": unloaded(f"{LAYER}.intermediate.dense"),
    "unloaded query": unloaded(f"{LAYER}.attention.self.query"),
    "unloaded embedding": unloaded("embeddings.word_embeddings"),
    "all weights in bfloat16": half,
    "another activation everywhere": activations,
}
