"""Gradients that do not flow as in the original, and checkpoints that change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from behaving import bert, context_for, llama, said, toy, twins
from mutants.editing import behave
from pairs.catalogue import build
from pairs.installed import require_original


@pytest.mark.parametrize(("context", "parameters"), [(toy, 53), (bert, None), (llama, None)])
def test_right_ports_learn_alike(context: Callable[[], Any], parameters: int | None) -> None:
    made = context()
    result = said("check_gradients_equal", made)
    assert result.status == "passed"
    assert result.figures["unmatched"] == 0
    assert result.figures["compared_parameters"] == (parameters or len(list(made.ported_model.parameters())))
    assert all(each.grad is None for each in made.ported_model.parameters())


@pytest.mark.parametrize(
    "norm", [torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.weight_norm], ids=["today", "before"]
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_the_parts_of_a_computed_weight_are_not_held_against_the_weight(norm: Callable[[Any], Any]) -> None:
    result = said("check_gradients_equal", toy(lambda model: norm(model.model.layers[1].mlp.up)))
    assert (result.status, result.figures["unmatched"]) == ("passed", 2)
    assert result.figures["compared_parameters"] == 52


def test_the_parts_of_weights_that_both_sides_compute_are_compared() -> None:
    def switch_off(model: Any) -> None:
        behave(model.proj, lambda self, usual, hidden: usual(hidden.detach()) + hidden - hidden.detach())

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.proj = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(6, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.proj(self.proj(x))
            return result

    torch.manual_seed(0)
    right, wrong = (twins(Net(), {"x": torch.randn(3, 6)}, change) for change in (None, switch_off))
    assert said("check_gradients_equal", right).figures["compared_parameters"] == 3
    assert said("check_gradients_equal", wrong).status == "failed"


def test_a_detached_result_is_found_at_its_last_parameter() -> None:
    def detach(model: Any) -> None:
        behave(model.model.layers[1].mlp, lambda self, usual, hidden: usual(hidden).detach())

    context = toy(detach)
    assert said("check_outputs_equal", context).status == "passed"
    result = said("check_gradients_equal", context)
    assert result.status == "failed"
    assert "model.layers.1.mlp.down.bias: max abs" in result.message
    assert "nothing that is returned depends on it, and in the original something does" in result.message


def test_no_grad_around_a_part_of_a_module_is_found() -> None:
    def switch_off(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            with torch.no_grad():
                inner = self.act(self.up(hidden))
            return self.down(inner)

        behave(model.model.layers[2].mlp, forward)

    result = said("check_gradients_equal", toy(switch_off))
    assert result.status == "failed"
    assert "model.layers.2.mlp.up.weight" in result.message
    assert "model.layers.2.mlp.down" not in result.message


def test_a_frozen_parameter_is_found() -> None:
    context = toy(lambda model: model.model.layers[0].self_attn.k_proj.weight.requires_grad_(False))
    result = said("check_gradients_equal", context)
    assert result.message.startswith("model.layers.0.self_attn.k_proj.weight: it does not require a gradient")
    assert result.figures["unlike"] == 1


def test_a_gradient_that_is_off_by_a_few_percent_is_found() -> None:
    def dampen(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = usual(hidden)
            return result.lerp(result.detach(), 0.03)

        behave(model.model.layers[1].mlp, forward)

    context = toy(dampen)
    assert said("check_outputs_equal", context).status == "passed"
    result = said("check_gradients_equal", context)
    assert result.status == "failed"
    assert "model.layers.1.mlp.down.bias" in result.message


def test_a_layer_that_recomputes_a_few_percent_otherwise_is_found() -> None:
    def recompute(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
            again = torch._C._current_graph_task_id() != -1
            result: torch.Tensor = usual(hidden) * torch.tensor(1.03 if again else 1.0)
            return result

        behave(model.model.layers[0].mlp, forward)

    result = said("check_gradient_checkpointing", llama(recompute))
    assert result.status == "failed"
    assert "output gradient of model." in result.message


def test_a_gradient_that_is_not_a_number_is_found() -> None:
    def root(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = usual(hidden)
            return result + torch.sqrt(result - result.detach())  # 0, and its slope there is infinite

        behave(model.model.layers[1].mlp, forward)

    context = toy(root)
    assert said("check_outputs_equal", context).status == "passed"
    result = said("check_gradients_equal", context)
    assert result.status == "failed"
    assert "its gradient is NaN or Inf, and the original's is not" in result.message


def test_a_port_without_any_graph_is_found_and_a_frozen_one_is_skipped() -> None:
    def without(model: Any) -> None:
        behave(model, torch.no_grad()(lambda self, usual, *args, **kwargs: usual(*args, **kwargs)))

    assert said("check_gradients_equal", toy(without)).message.startswith("no gradient reaches any parameter")
    frozen = said("check_gradients_equal", toy(lambda model: model.requires_grad_(False)))
    assert frozen.message == "no parameter of the port requires a gradient: it was frozen as a whole"


def test_training_that_does_not_repeat_is_not_compared_under_checkpoints() -> None:
    runs = [0]

    def count(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> torch.Tensor:
            runs[0] += 1
            result: torch.Tensor = usual(hidden) * (1 + 0.1 * runs[0])
            return result

        behave(model.model.layers[1].mlp, forward)

    result = said("check_gradient_checkpointing", llama(count))
    assert result.status == "skipped"
    assert result.message == "two runs in training mode with the same seed differ as it is"


def test_outputs_that_differ_are_left_to_their_own_check() -> None:
    context = toy(lambda model: model.lm_head.weight.data.mul_(2))
    assert said("check_gradients_equal", context).status == "skipped"


def test_fused_and_split_weights_have_each_others_gradients() -> None:
    require_original("pythia")
    pair = build("pythia")
    context = context_for(
        pair.original,
        pair.ported,
        pair.ported_inputs.as_given(),
        pair.original_inputs.as_given(),
        outputs=pair.outputs,
    )
    result = said("check_gradients_equal", context)
    assert result.status == "passed"
    assert int(result.figures["compared_parameters"] or 0) >= 37


@pytest.mark.parametrize("context", [bert, llama])
def test_checkpointing_changes_nothing_in_right_ports(context: Callable[[], Any]) -> None:
    made = context()
    result = said("check_gradient_checkpointing", made)
    assert result.status == "passed"
    assert result.figures["checkpoints"] == 2
    assert not made.ported_model.training
    assert not any(getattr(module, "gradient_checkpointing", False) for module in made.ported_model.modules())


def test_a_layer_that_counts_its_runs_is_found_under_checkpoints() -> None:
    def count(model: Any) -> None:
        def forward(self: Any, usual: Any, hidden: torch.Tensor) -> Any:
            if self.training:
                self.runs = getattr(self, "runs", 0) + 1
            return usual(hidden * (1 + 0.1 * (getattr(self, "runs", 1) > 1)))

        behave(model.model.layers[0].mlp, forward)

    result = said("check_gradient_checkpointing", llama(count))
    assert result.status == "failed"
    assert result.message.startswith("with gradient checkpointing against without: output gradient of model.")


def test_support_that_is_only_declared_is_found() -> None:
    def declare(model: Any) -> None:
        for layer in model.model.layers:
            layer.forward = partial(type(layer).forward.__wrapped__, layer)

    result = said("check_gradient_checkpointing", llama(declare))
    assert result.status == "failed"
    assert "nothing runs under a checkpoint" in result.message


def test_a_plain_module_says_nothing_of_checkpoints() -> None:
    assert said("check_gradient_checkpointing", toy()).status == "skipped"
