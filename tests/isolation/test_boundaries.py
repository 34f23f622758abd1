"""Boundaries: what one side does inside a module and the other around it is no fault; a fault there is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from seeded import Break, unloaded
from torch import nn
from toys import make_inputs, make_pair

from porting import Verification, capture, verify
from porting.alignment import Alignment, Group, align
from porting.isolation.boundaries import isolate_apart
from porting.isolation.isolating import Isolation, isolate
from porting.runs import Inputs

IDS = torch.tensor([[1, 5, 2, 7, 3], [4, 4, 0, 6, 1]])


class Scaled(nn.Embedding):
    factor = 4.0

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids) * self.factor


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.inner(ids)
        return result


class Outside(nn.Module):
    """The original: scales behind the embedding."""

    def __init__(self, embed: nn.Module, *, factor: float) -> None:
        super().__init__()
        self.embed, self.factor = embed, factor
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(ids) * self.factor
        result: torch.Tensor = self.head(hidden + self.norm(hidden))
        return result


def pair(ported: nn.Module) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    original = Outside(nn.Embedding(8, 16), factor=4.0)
    nn.init.normal_(original.norm.weight)
    weights = dict(zip(ported.state_dict(), original.state_dict().values(), strict=True))
    ported.load_state_dict(weights)
    return original.eval(), ported.eval()


def verified(ported: nn.Module) -> Verification:
    original, port = pair(ported)
    return verify(original, port, (IDS,))


INSIDE: dict[str, Callable[[], Any]] = {
    "in the module": lambda: Outside(Scaled(8, 16), factor=1.0),
    "in a module within": lambda: Outside(Wrapped(Scaled(8, 16)), factor=1.0),
}


class Stem(nn.Module):
    """The port: what its first module hands out is what a part of it did, and the function comes behind it."""

    def __init__(self, function: nn.Module, parts: int = 2) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), function]
        self.stem = nn.Sequential(*stem[:parts])
        self.function = function if parts < len(stem) else None
        self.conv, self.head = nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.stem(x) if self.function is None else self.function(self.stem(x))
        result: torch.Tensor = self.head((hidden + self.conv(nn.functional.pad(hidden, (1, 1, 1, 1)))).mean((2, 3)))
        return result


def stems(function: nn.Module) -> Verification:
    torch.manual_seed(0)
    original, port = Stem(nn.SiLU(), parts=3), Stem(function)
    for value in original.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.2, 1.2)
    port.load_state_dict(original.state_dict())
    return verify(original.eval(), port.eval(), (torch.randn(2, 3, 9, 8),))


def test_a_module_that_hands_out_what_its_part_made_may_end_before_its_counterpart() -> None:
    verification = stems(nn.SiLU())
    assert verification.verdict == "match"
    assert verification.culprits == ()


@pytest.mark.parametrize("function", [nn.Identity(), nn.ReLU()], ids=["none", "another"])
def test_a_fault_behind_a_module_that_ends_before_its_counterpart_is_found(function: nn.Module) -> None:
    verification = stems(function)
    assert verification.verdict != "match"
    assert any(culprit.ported in ("stem", "function", "") for culprit in verification.culprits)


@pytest.mark.parametrize("inside", INSIDE)
def test_what_the_port_does_inside_and_the_original_outside_is_a_match(inside: str) -> None:
    verification = verified(INSIDE[inside]())
    assert verification.verdict == "match"
    assert verification.culprits == ()
    assert verification.first_divergence is None
    assert any(
        group.layout == "ends at another place" and not group.compared
        for group in verification.comparison.alignment.groups
    )


def test_a_port_that_scales_nowhere_is_found() -> None:
    verification = verified(Outside(nn.Embedding(8, 16), factor=1.0))
    assert verification.verdict == "mismatch"
    assert verification.culprits[0].ported == ""


def test_a_port_that_scales_twice_is_found() -> None:
    verification = verified(Outside(Scaled(8, 16), factor=4.0))
    assert verification.verdict == "mismatch"
    assert verification.culprits[0].ported == "embed"


def test_a_wrong_factor_inside_is_found() -> None:
    port = Outside(Scaled(8, 16), factor=1.0)
    port.embed.factor = 4.001  # type: ignore[assignment]
    verification = verified(port)
    assert verification.verdict in ("mismatch", "suspicious")
    assert verification.culprits


def test_another_fault_behind_it_is_found() -> None:
    port = Outside(Scaled(8, 16), factor=1.0)
    port.norm.eps = 1e-2
    verification = verified(port)
    assert [culprit.ported for culprit in verification.culprits] == ["norm"]


def mispaired(break_port: Break | None, confidence: float) -> tuple[Alignment, Isolation]:
    """A layer's MLP taken for the original's attention."""
    original, ported = make_pair()
    if break_port:
        break_port(ported)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    one = capture(original, first, side="original", valid_positions=valid)
    other = capture(ported, second, side="ported", valid_positions=valid)
    right = align(one, other)
    groups = [group for group in right.groups if group.ported != ("model.layers.2.self_attn",)]
    wrong = Group(("blocks.2.attn",), ("model.layers.2.mlp",), "a guess", confidence)
    alignment = replace(right, groups=(*groups, wrong))
    return isolate_apart(partial(isolate, ported, Inputs.of(second, "inputs"), one, other), alignment)


def faults(isolation: Isolation) -> set[str | None]:
    return {o.blamed for o in isolation.observations if o.above_noise}


def test_containers_that_are_no_pair_are_given_up() -> None:
    alignment, isolation = mispaired(None, 0.7)
    assert "model.layers.2.mlp" not in alignment.original_of
    assert "model.layers.2.mlp" in alignment.unmatched_ported
    assert faults(isolation) == set()


def test_a_fault_within_containers_that_are_no_pair_is_found() -> None:
    _, isolation = mispaired(unloaded, 0.7)
    assert faults(isolation) == {"model.layers.2.mlp.down"}


def test_a_pair_on_weak_evidence_with_a_fault_of_its_own_is_kept() -> None:
    original, ported = make_pair()
    mlp = ported.get_submodule("model.layers.1.mlp")
    forward = mlp.forward
    mlp.forward = lambda hidden_states: 1.1 * forward(hidden_states)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    one = capture(original, first, side="original", valid_positions=valid)
    other = capture(ported, second, side="ported", valid_positions=valid)
    right = align(one, other)
    groups = tuple(replace(group, confidence=0.5) for group in right.groups)
    judged = partial(isolate, ported, Inputs.of(second, "inputs"), one, other)
    alignment, isolation = isolate_apart(judged, replace(right, groups=groups))
    assert faults(isolation) == faults(judged(right))
    assert alignment.original_of["model.layers.1"] == "blocks.1"


def test_a_pair_that_is_sure_is_kept_and_is_no_fault_of_a_port_that_is_right() -> None:
    alignment, isolation = mispaired(None, 1.0)
    assert alignment.original_of["model.layers.2.mlp"] == "blocks.2.attn"
    assert faults(isolation) == set()
    assert "model.layers.2.mlp.down" in faults(mispaired(unloaded, 1.0)[1])
