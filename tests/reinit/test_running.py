from __future__ import annotations

from typing import Any

import pytest
import torch
from seeded import unloaded
from torch import nn
from toys import make_inputs, make_pair

from porting import PortingError, capture, verify
from porting.verification import Verification


def same_values(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def copied(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def reinitialised(original: nn.Module, ported: nn.Module, **kwargs: Any) -> Verification:
    first, second = make_inputs()
    return verify(original, ported, second, original_inputs=first, reinit=3, **kwargs)


def test_a_healthy_port_matches_with_new_weights_and_gets_its_own_back() -> None:
    original, ported = make_pair()
    before = copied(original), copied(ported)
    verification = reinitialised(original, ported)
    assert verification.reinit is not None
    assert (verification.reinit.verdict, verification.reinit.left) == ("match", ())
    assert verification.reinit.moved == len(list(ported.parameters()))
    assert same_values(original, before[0])
    assert same_values(ported, before[1])


def test_new_weights_see_norms_that_untrained_ones_hide() -> None:
    original, ported = make_pair()
    for model in (original, ported):
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()
    norm = ported.get_submodule("model.layers.1.post_attention_layernorm")
    vars(norm)["forward"] = lambda x: nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6)  # without its weights
    verification = reinitialised(original, ported)
    assert "constant-weights" in dict(verification.warnings)
    assert verification.given_verdict == "match"
    assert verification.verdict == "mismatch"
    assert verification.reinit is not None
    assert verification.reinit.culprits[0].ported == "model.layers.1.post_attention_layernorm"
    assert "with new weights" in verification.summary()


def test_a_wrong_weight_keeps_its_own_values_is_named_and_counts() -> None:
    original, ported = make_pair()
    unloaded(ported)
    verification = reinitialised(original, ported)
    assert verification.given_verdict == "mismatch"
    assert verification.reinit is not None
    left = {(side, name) for side, name, _ in verification.reinit.left}
    assert {("original", "blocks.2.fc2.weight"), ("ported", "model.layers.2.mlp.down.weight")} <= left
    assert verification.exit_code == 1


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.head = nn.Embedding(11, 6), nn.BatchNorm1d(6), nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight
        self.eval()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.norm(self.embed(ids)))
        return result


def test_tied_weights_stay_tied_and_statistics_get_positive_variances() -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def run(model: Any, inputs: Any) -> Any:
        seen.append(copied(model))
        return inputs.forward(model)

    original, ported = Tied(), Tied()
    ported.load_state_dict(original.state_dict())
    verification = verify(original, ported, (torch.arange(4),), run_original=run, reinit=1)
    new = seen[-1]
    assert verification.reinit is not None
    assert verification.reinit.verdict == "match"
    assert torch.equal(new["embed.weight"], new["head.weight"])
    assert bool((new["norm.running_var"] > 0.4).all())
    assert len(set(new["norm.weight"].tolist())) == 6
    assert not torch.equal(new["embed.weight"], seen[0]["embed.weight"])
    assert ported.head.weight is ported.embed.weight


class Unmapped(nn.BatchNorm1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert self.weight is not None
        return x * self.weight + self.bias  # as if its statistics were 0 and 1


def test_new_statistics_see_a_batch_norm_that_does_not_use_its_own() -> None:
    models = [nn.Sequential(nn.Linear(6, 6), kind(6, eps=0)).eval() for kind in (nn.BatchNorm1d, Unmapped)]
    models[1].load_state_dict(models[0].state_dict())
    verification = verify(models[0], models[1], (torch.randn(4, 6),), reinit=0)
    assert "batch-norm-initial" in dict(verification.warnings)
    assert (verification.given_verdict, verification.verdict) == ("match", "mismatch")


def test_models_get_their_weights_back_when_a_forward_raises() -> None:
    original, ported = make_pair()
    before = copied(ported)

    def run(model: Any, inputs: Any) -> Any:
        if not same_values(model, before):
            raise ValueError("not with these")
        return inputs.forward(model)

    verification = reinitialised(original, ported, run_ported=run)
    assert verification.reinit is not None
    assert verification.reinit.verdict == "mismatch"
    assert "not with these" in verification.reinit.reason
    assert same_values(ported, before)


def test_models_without_a_common_weight_are_skipped() -> None:
    verification = verify(nn.Linear(4, 4), nn.Linear(4, 4), (torch.randn(2, 4),), reinit=0)
    assert verification.reinit is not None
    assert verification.reinit.verdict == "skipped"
    assert len(verification.reinit.left) == 4
    assert verification.to_dict()["reinit"]["moved"] == 0


def test_a_recorded_original_gets_no_new_weights() -> None:
    original, ported = make_pair()
    first, second = make_inputs()
    with pytest.raises(PortingError, match="--reinit runs both models on new weights"):
        verify(capture(original, first), ported, second, original_inputs=first, reinit=0)
