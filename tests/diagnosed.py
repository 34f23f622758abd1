"""A port with one bug, verified, and the causes of its first culprit."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from porting import verify
from porting.diagnosis.cause import Finding


def findings(original: nn.Module, ported: nn.Module, *inputs: Any) -> tuple[Finding, ...]:
    """The causes found at the first culprit; none if there is no culprit."""
    culprits = verify(original.eval(), ported, inputs).culprits
    return culprits[0].causes if culprits else ()


def diagnosed(model: nn.Module, broken: Callable[[Any], None], *inputs: Any) -> tuple[Finding, ...]:
    """The causes found when a copy of a model is broken."""
    ported = deepcopy(model.eval())
    with torch.no_grad():
        broken(ported)
    return findings(model, ported, *inputs)


def proven(found: tuple[Finding, ...]) -> list[str]:
    """The codes of the proven causes."""
    return [cause.code for cause in found if cause.verified]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def informative(model: nn.Module) -> nn.Module:
    """The model with weights of its own in every parameter and buffer of floats."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
                if tensor.dim() > 1:
                    tensor.sub_(1.0)
    return model.eval()
