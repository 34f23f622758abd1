"""Training mode, active dropout, learning norms and what is kept from run to run are found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from behaving import context_for, said, toy
from mutants.editing import behave
from torch import nn

CHECKS = ("check_eval_mode", "check_dropout_inactive", "check_runs_repeat")
ORIGINAL = ("check_original_eval_mode", "check_original_repeats")


def test_right_modes_pass() -> None:
    context = toy()
    assert {said(name, context).status for name in (*CHECKS, *ORIGINAL)} == {"passed"}


def test_a_module_in_training_mode_is_named() -> None:
    context = toy(lambda model: model.model.layers[1].drop.train())
    result = said("check_eval_mode", context)
    assert result.message.startswith("model.layers.1.drop is in training mode")
    assert result.figures["training"] == 1
    assert said("check_dropout_inactive", context).message.startswith("model.layers.1.drop gives something else")


def test_functional_dropout_is_found_in_eval_mode() -> None:
    def drop(model: Any) -> None:
        behave(model.model.layers[2].mlp, lambda self, usual, hidden: F.dropout(usual(hidden), 0.1))

    context = toy(drop)
    assert said("check_eval_mode", context).status == "passed"
    assert said("check_dropout_inactive", context).message.startswith("model.layers.2.mlp gives something else")


def test_dropout_between_the_children_is_blamed_on_the_module_around_them() -> None:
    def drop(model: Any) -> None:
        behave(model.model.layers[0].mlp, lambda self, _, hidden: self.down(F.dropout(self.act(self.up(hidden)))))

    assert said("check_dropout_inactive", toy(drop)).figures["first"] == "model.layers.0.mlp"


def test_what_the_original_draws_is_not_held_against_the_port() -> None:
    class Noisy(nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden) + torch.rand(())

    model = Noisy(3, 3).eval()
    context = context_for(model, model, {"hidden": torch.ones(2, 3)})
    assert said("check_dropout_inactive", context).status == "skipped"
    assert said("check_original_repeats", context).status == "failed"


def test_what_is_kept_from_run_to_run_is_found_where_it_is_kept() -> None:
    def keep(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            self.seen = getattr(self, "seen", 0) + 1
            return usual(hidden) * self.seen

        behave(model.model.layers[1].mlp, forward)

    context = toy(keep)
    result = said("check_runs_repeat", context)
    assert result.status == "failed"
    assert result.figures["first"] == "model.layers.1.mlp"
    assert not hasattr(context.ported_model.get_submodule("model.layers.1.mlp"), "seen")


def test_what_the_original_keeps_from_run_to_run_too_is_not_held_against_the_port() -> None:
    class Counts(nn.Module):
        seen = 0

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            self.seen += 1
            return hidden * self.seen

    context = context_for(Counts().eval(), Counts().eval(), {"hidden": torch.ones(2, 3)})
    assert said("check_runs_repeat", context).message.startswith("the original does not repeat itself either")


def test_runs_that_differ_with_one_seed_are_not_called_random() -> None:
    runs = [0]

    def count(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            runs[0] += 1
            return usual(hidden) * runs[0]

        behave(model.model.layers[1].mlp, forward)

    result = said("check_dropout_inactive", toy(count))
    assert (result.status, "the same seed differ already" in result.message) == ("skipped", True)


class Normed(nn.Module):
    def __init__(self, learns: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.learns = learns

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        return F.batch_norm(hidden, norm.running_mean, norm.running_var, training=self.learns)


@pytest.mark.parametrize(
    ("sides", "status"), [((False, True), "failed"), ((True, True), "skipped"), ((False, False), "passed")]
)
def test_statistics_that_a_forward_changes_are_found(sides: tuple[bool, bool], status: str) -> None:
    original, ported = (Normed(learns).eval() for learns in sides)
    context = context_for(original, ported, {"hidden": torch.randn(4, 3)})
    result = said("check_statistics_kept", context)
    assert result.status == status
    assert status != "failed" or result.message.startswith("norm.running_mean is changed by a forward")
    assert not context.ported_model.get_buffer("norm.running_mean").any()


def test_an_original_in_training_mode_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    context = context_for(model, nn.Sequential(nn.Linear(3, 3), nn.Dropout()).eval(), {"input": torch.ones(2, 3)})
    assert said("check_original_eval_mode", context).message.startswith("the original itself is in tr")
    assert said("check_original_repeats", context).figures["first"] == "1"
