"""A pair: an independent implementation of a model and its Transformers port, with equal weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from porting import Verification, verify
from porting.runs import Inputs, OutputPairs


@dataclass(frozen=True)
class Pair:
    """Two models that are the same model.

    Attributes:
        original: the independent implementation.
        ported: the one of Transformers.
        original_inputs: what the original's forward is given.
        ported_inputs: the same for the port.
        module_map: original path to ported path of modules that are known to return the same.
        outputs: (name, original, ported) of the final outputs.
        attentions: the implementations of attention under which the port is right.
    """

    original: nn.Module
    ported: nn.Module
    original_inputs: Inputs
    ported_inputs: Inputs
    module_map: Mapping[str, str]
    outputs: Callable[[Any, Any], OutputPairs]
    attentions: tuple[str, ...] = ("eager", "sdpa")

    def verify(self) -> Verification:
        """Verify the port without any map."""
        return verify(
            self.original,
            self.ported,
            self.ported_inputs,
            original_inputs=self.original_inputs,
            outputs=self.outputs,
        )

    def run(self) -> OutputPairs:
        """The final outputs of one forward of each model."""
        with torch.no_grad():
            results = (
                self.original_inputs.fresh().forward(self.original),
                self.ported_inputs.fresh().forward(self.ported),
            )
        return self.outputs(*results)

    def difference(self) -> float:
        """The largest absolute difference of the final outputs, infinite for other shapes or NaN."""
        return max(_difference(original, ported) for _, original, ported in self.run())


def _difference(original: torch.Tensor, ported: torch.Tensor) -> float:
    if original.shape != ported.shape:
        return float("inf")
    largest = float((original.double() - ported.double()).abs().max())
    return largest if largest == largest else float("inf")
