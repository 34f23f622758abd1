"""Bugs of state spaces: their projections, their step and their skip."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave_with, edit, within
from mutants.mutant import mutant
from torch import nn


@mutant("permuted", "swapped", "qkv-order", "concat-order", mamba="backbone.layers.1.mixer.x_proj")
def b_c_swapped(model: nn.Module, path: str) -> None:
    """The fused projection is split as step, C, B."""
    weight = within(model, path).weight
    states = 8
    step, b, c = weight.detach().split([weight.shape[0] - 2 * states, states, states])
    edit(weight, torch.cat([step, c, b]))


@mutant("gate-order", "permuted", "swapped", "qkv-order", "concat-order", mamba="backbone.layers.0.mixer.in_proj")
def gate_first(model: nn.Module, path: str) -> None:
    """The fused projection is split as gate, input."""
    weight = within(model, path).weight
    edit(weight, weight.roll(weight.shape[0] // 2, 0))


@mutant("missing-residual", "not-loaded", mamba=("backbone.layers.2.mixer", "backbone.layers.2.mixer.out_proj"))
def skip_missing(model: nn.Module, path: str) -> None:
    """The input is not added to what the states give."""
    edit(within(model, path).D, 0.0)


@mutant(
    "missing-activation",
    "activation",
    mamba=("backbone.layers.1.mixer", "backbone.layers.1.mixer.x_proj"),
)
def activation_missing(model: nn.Module, path: str) -> None:
    """There is no activation behind the convolution."""
    within(model, path).activation = None


@mutant(
    "missing-activation",
    "activation",
    mamba=("backbone.layers.2.mixer", "backbone.layers.2.mixer.out_proj"),
)
def step_not_positive(model: nn.Module, path: str) -> None:
    """Steps are used as projected, without softplus."""

    def make(usual: Any) -> Any:
        return lambda *args, **kwargs: usual(*args, **{**kwargs, "delta_softplus": False})

    behave_with(within(model, path), "mamba_selective_scan", make)


@mutant("missing-bias", "not-loaded", mamba=("backbone.layers.0.mixer", "backbone.layers.0.mixer.dt_proj"))
def step_bias_zero(model: nn.Module, path: str) -> None:
    """The steps' bias keeps zeros."""
    edit(within(model, path).dt_proj.bias, 0.0)
