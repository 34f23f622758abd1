"""Which norms of a port multiply by one plus their weight, so that a checkpoint may hold the sum or the weight."""

from __future__ import annotations

import copy

import torch


def adding_one(model: torch.nn.Module) -> frozenset[str]:
    """The names of the weights that do not scale by zero when they are zero: each class of norms is tried once."""
    tried: dict[type[torch.nn.Module], bool] = {}
    found = set()
    for path, module in model.named_modules():
        if _is_norm(module):
            if type(module) not in tried:
                tried[type(module)] = _adds_one(module)
            if tried[type(module)]:
                found.add(f"{path}.weight")
    return frozenset(found)


def _is_norm(module: torch.nn.Module) -> bool:
    """Whether it is a norm of one vector, without a state that moves."""
    own = dict(module.named_parameters())
    plain = own.keys() <= {"weight", "bias"} and all(each.dim() == 1 for each in own.values())
    return "norm" in type(module).__name__.lower() and plain and "weight" in own and not list(module.buffers())


def _adds_one(module: torch.nn.Module) -> bool:
    """Whether a copy with weights of zero, on the CPU, returns anything else than zero; False if it cannot be run."""
    try:
        with torch.no_grad():
            twin = copy.deepcopy(module).to_empty(device="cpu").float().eval()
            for parameter in twin.parameters():
                parameter.zero_()
            given = torch.linspace(-1.0, 1.0, 2 * int(twin.get_parameter("weight").numel())).reshape(2, -1)
            made = twin(given)
    except Exception:
        return False
    return isinstance(made, torch.Tensor) and bool(made.any())
