"""The given inputs of both sides, and others made after them for both alike."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from porting.inputs.settings import most_positions
from porting.probes.deriving import Underivable, derive, filled, source_of
from porting.probes.making import Maker
from porting.probes.planning import Plan
from porting.probes.running import tensors_within
from porting.probes.surveying import Survey, survey
from porting.runs import Inputs

Tensors = Mapping[str, torch.Tensor]
"""Inputs of the port that are tensors, by name."""


@dataclass(frozen=True)
class Material:
    """What both sides are given, to be changed.

    Attributes:
        found: the port's inputs surveyed.
        ported: the port's given inputs.
        original: the original's.
        parameters: names of what the port's forward takes.
        known: names of what the original's forward takes; None if it is not live.
    """

    found: Survey
    ported: Inputs
    original: Inputs
    parameters: frozenset[str]
    known: frozenset[str] | None

    @classmethod
    def of(
        cls,
        ported: torch.nn.Module,
        inputs: Inputs,
        original: torch.nn.Module | None = None,
        original_inputs: Inputs | None = None,
    ) -> Material:
        """Survey the inputs of a port, and of its original where it is live."""
        return cls(
            survey(original or ported, ported, inputs, takes_mask=False),
            inputs,
            inputs if original_inputs is None else original_inputs,
            _parameters(ported),
            None if original is None else _parameters(original),
        )

    @property
    def obstacle(self) -> str:
        """Why other inputs cannot be made; empty if they can."""
        return tensors_within(self.ported)

    @property
    def most_positions(self) -> int | None:
        """The longest text that the port's config allows; None if it does not say."""
        return most_positions(self.found.settings)

    def made(self, plan: Plan) -> dict[str, torch.Tensor]:
        """Tensors of the port as a probe's plan says."""
        return Maker(self.found, plan).tensors()

    def inputs(self, tensors: Tensors) -> Inputs:
        """The port's inputs with these tensors."""
        return filled(self.ported, tensors)

    def original_inputs(self, tensors: Tensors) -> Inputs:
        """The original's inputs with the same content; what it does not take of what is added is left out.

        Raises:
            Underivable: the original is not live, or they cannot be made from the port's.
        """
        if self.known is None:
            raise Underivable("the original is a recorded one")
        added = (set(tensors) - set(self.found.tensors)) & self.known
        return derive(self.original, self.found.tensors, tensors, added)

    def passed_on(self, name: str) -> bool:
        """Whether the original learns of an input of the port."""
        if name not in self.found.tensors:
            return self.known is not None and name in self.known
        given = (item for item in self.original.named().items() if isinstance(item[1], torch.Tensor))
        return name in {found[0] for key, value in given if (found := source_of(key, value, self.found.tensors))}


def _parameters(model: torch.nn.Module) -> frozenset[str]:
    return frozenset(inspect.signature(model.forward).parameters)
