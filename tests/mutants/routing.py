"""Bugs of mixtures of experts: who is chosen, with what weight, and what each of them is."""

from __future__ import annotations

from typing import Any

import torch
from mutants.editing import behave, edit, within
from mutants.mutant import mutant
from torch import nn
from torch.nn import functional as F


@mutant("expert-routing", mixtral=("model.layers.0.mlp.gate", "model.layers.0.mlp"))
def one_expert(model: nn.Module, path: str) -> None:
    """One expert for each token, not two."""
    within(model, path).top_k = 1


@mutant("expert-routing", mixtral=("model.layers.1.mlp.gate", "model.layers.1.mlp"))
def not_normalised(model: nn.Module, path: str) -> None:
    """The weights of the chosen experts do not sum to one."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor) -> Any:
        logits, _, chosen = usual(hidden_states)
        return logits, logits.softmax(-1).gather(-1, chosen), chosen

    behave(within(model, path), forward)


@mutant("expert-routing", "activation", mixtral=("model.layers.2.mlp.gate", "model.layers.2.mlp"))
def sigmoid_weights(model: nn.Module, path: str) -> None:
    """Experts are weighed by a sigmoid, not by a softmax."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor) -> Any:
        logits = F.linear(hidden_states.reshape(-1, self.hidden_dim), self.weight)
        scores, chosen = logits.sigmoid().topk(self.top_k, -1)
        return logits, scores / scores.sum(-1, keepdim=True), chosen

    behave(within(model, path), forward)


@mutant("expert-routing", mixtral=("model.layers.1.mlp", "model.layers.1.mlp.experts"))
def weights_forgotten(model: nn.Module, path: str) -> None:
    """The chosen experts are averaged."""

    def forward(self: Any, usual: Any, hidden_states: torch.Tensor, index: Any, weights: torch.Tensor) -> Any:
        return usual(hidden_states, index, torch.full_like(weights, 1 / weights.shape[-1]))

    behave(within(model, path).experts, forward)


@mutant("permuted", "swapped", mixtral="model.layers.0.mlp.gate")
def router_rows_rolled(model: nn.Module, path: str) -> None:
    """The router's rows are those of the next expert."""
    weight = within(model, path).weight
    edit(weight, weight.roll(1, 0))


@mutant("permuted", "swapped", "wrong-layer", mixtral="model.layers.2.mlp.experts")
def experts_rolled(model: nn.Module, path: str) -> None:
    """Experts are stacked in another order."""
    for parameter in within(model, path).parameters():
        edit(parameter, parameter.roll(1, 0))


@mutant("swapped", "gate-order", "permuted", mixtral="model.layers.0.mlp.experts")
def gate_up_swapped(model: nn.Module, path: str) -> None:
    """Every expert's gate and up projection are stacked in the other order."""
    stacked = within(model, path).gate_up_proj
    edit(stacked, stacked.roll(stacked.shape[1] // 2, 1))
