"""Apply rules to a state dict in memory, inside a conversion script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from porting.errors import RuleError
from porting.text import show
from porting.weights.report import Spec
from porting.weights.rules.planning import Rules, plan
from porting.weights.rules.steps import Plan, listing


def apply_rules(
    rules: Rules, state_dict: Mapping[str, torch.Tensor], *, config: Any = None, model: Any = None
) -> dict[str, torch.Tensor]:
    """The state dict of the port: every tensor of the original's used or left out by name, every one made once.

    The tensors are contiguous, and share memory neither with each other nor with the given ones.

    Args:
        rules: a list of rules, a mapping or a function of names.
        state_dict: the original's, names to tensors.
        config: the port's, where rules take numbers from it.
        model: the port, where Transformers' own transforms are among the rules.

    Raises:
        RuleError: a tensor is taken by no rule, two make the same target, or a rule cannot be applied.
    """
    specs: dict[str, Spec] = {}
    for name, tensor in state_dict.items():
        if not isinstance(tensor, torch.Tensor):
            raise RuleError(f"{show(name)} of the state dict is a {show(type(tensor).__name__)}, not a tensor")
        specs[name] = Spec.of(tensor)
    planned = plan(rules, specs, config=config, model=model)
    _check(planned)
    state: dict[str, torch.Tensor] = {}
    for step in planned.steps:
        results = step.run(state_dict.__getitem__)
        state |= {
            name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in results.items()
        }
    return state


def _check(planned: Plan) -> None:
    if planned.problems:
        problem = planned.problems[0]
        raise RuleError(f"{listing(problem.sources)} cannot be converted: {problem.message}", hint=problem.hint)
    if planned.unmatched:
        raise RuleError(
            f"no rule takes {listing(planned.unmatched)}",
            hint='rename them, or leave them out by name with a reason: Drop("…", "computed by the port")',
        )
    makers: dict[str, tuple[str, ...]] = {}
    for step in planned.steps:
        for target in step.targets:
            if target in makers:
                raise RuleError(
                    f"{show(target)} is made twice: from {listing((*makers[target], *step.sources))}",
                    hint="leave one out by name with a reason, or join them in one rule",
                )
            makers[target] = step.sources
