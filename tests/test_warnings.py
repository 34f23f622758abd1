"""What weakens a verdict is said beside it."""

from __future__ import annotations

from typing import Any

import torch
from seeded import verified
from torch import nn
from toys import converted, make_inputs, make_pair

from porting import verify


def test_training_mode_is_reported_and_not_corrected() -> None:
    verification = verified(lambda port: port.train())
    assert verification.verdict == "mismatch"
    assert "training-mode" in dict(verification.warnings)


def test_a_model_that_draws_random_numbers_is_reported() -> None:
    class Sampling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.linear(x[torch.randperm(len(x))])
            return result

    model = Sampling().eval()
    verification = verify(model, model, (torch.randn(9, 4),))
    assert [code for code, _ in verification.warnings] == ["random-forward", "random-forward"]
    assert "random-forward" not in dict(verified().warnings)


def test_weak_inputs_are_reported() -> None:
    original, ported = make_pair()
    tokens = torch.full((1, 6), 7)
    mask = torch.ones_like(tokens)
    verification = verify(
        original,
        ported,
        {"input_ids": tokens, "attention_mask": mask},
        original_inputs={"tokens": tokens, "mask": mask},
    )
    assert {"batch-of-one", "no-padding", "constant-input"} <= set(dict(verification.warnings))


def test_dead_modules_are_reported() -> None:
    original, ported = make_pair()
    with torch.no_grad():
        for parameter in (*original.get_submodule("blocks.0.fc2").parameters(),):
            parameter.zero_()
    ported.load_state_dict(converted(original.state_dict()))
    first, second = make_inputs()
    verification = verify(original, ported, second, original_inputs=first)
    assert verification.verdict == "match"
    assert "model.layers.0.mlp.down" in dict(verification.warnings)["zero-activations"]


def test_a_window_that_is_not_reached_is_reported() -> None:
    def windowed(port: Any) -> None:
        port.model.layers[0].self_attn.sliding_window = 64

    assert "model.layers.0.self_attn.sliding_window = 64" in dict(verified(windowed).warnings)["short-sequence"]


def test_channels_of_a_pooled_output_are_not_taken_for_positions() -> None:
    class Pooled(nn.Module):
        def __init__(self, sign: float) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embed, self.sign = nn.Embedding(20, 6), sign

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            weights = attention_mask[..., None].float()
            pooled = (self.embed(input_ids) * weights).sum(1) / weights.sum(1)
            return torch.cat([pooled[:, :4], self.sign * pooled[:, 4:]], dim=-1)

    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]])
    inputs = {"input_ids": torch.arange(12).reshape(2, 6), "attention_mask": mask}
    verification = verify(Pooled(1.0), Pooled(-1.0), inputs)
    assert verification.verdict == "mismatch"
    assert "ambiguous-axes" in dict(verification.warnings)


def test_modules_of_which_nothing_was_compared_are_said() -> None:
    class Hidden(nn.Module):
        def __init__(self, *, sparse: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear, self.sparse = nn.Linear(4, 4), sparse

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.linear(x)
            return hidden.to_sparse() if self.sparse else hidden

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = Hidden(sparse=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.hidden(x).to_dense() + 1
            return result

    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.weight = nn.Parameter(torch.randn(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.weight).to_sparse()

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blind = Blind()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.blind(x).to_dense()
            return result

    x = (torch.randn(2, 4),)
    assert verify(Model().eval(), Model().eval(), x).warnings == ()
    verification = verify(Around().eval(), Around().eval(), x)
    assert "blind" in dict(verification.warnings)["modules-not-compared"]
    assert "sparse" in dict(verification.warnings)["modules-not-compared"]
