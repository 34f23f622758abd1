"""Experts in a list on one side and in stacked tensors on the other, in the wrong order or of the wrong layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diagnosed import informative, noise
from torch import nn
from torch.nn import functional as F

from porting import verify
from porting.diagnosis import Culprit

WIDTH, INNER, EXPERTS = 8, 6, 4


class Expert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w3 = (nn.Linear(WIDTH, INNER, bias=False) for _ in range(2))
        self.w2 = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.w2(F.silu(self.w1(x)) * self.w3(x)))


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.gate(x).softmax(-1)
        return torch.as_tensor(x + sum(scores[..., i, None] * expert(x) for i, expert in enumerate(self.experts)))


class Bank(nn.Module):
    def __init__(self, *, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        up, down = (EXPERTS, 2 * INNER, WIDTH), (EXPERTS, WIDTH, INNER)
        self.gate_up = nn.Parameter(torch.zeros(up).mT.contiguous() if turned else torch.zeros(up))
        self.down = nn.Parameter(torch.zeros(down).mT.contiguous() if turned else torch.zeros(down))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = (t if self.turned else t.mT for t in (self.gate_up, self.down))
        gate, up = torch.einsum("btd,edi->ebti", x, first).chunk(2, -1)
        return torch.einsum("ebti,eid->ebtd", F.silu(gate) * up, second)


class Mixed(nn.Module):
    def __init__(self, *, turned: bool) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.bank = Bank(turned=turned)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.router(x).softmax(-1)
        return x + torch.einsum("ebtd,bte->btd", self.bank(x), scores)


class Model(nn.Module):
    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.embed, self.blocks = nn.Embedding(11, WIDTH), nn.ModuleList(blocks)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(x)


def make(turned: bool) -> tuple[Any, Any]:
    original: Any = informative(Model(Sparse(), Sparse()))
    ported: Any = Model(*(Mixed(turned=turned) for _ in range(2))).eval()
    ported.embed.load_state_dict(original.embed.state_dict())
    for one, other in zip(original.blocks, ported.blocks, strict=True):
        other.router.load_state_dict(one.gate.state_dict())
        up = torch.stack([torch.cat([each.w1.weight, each.w3.weight]) for each in one.experts])
        down = torch.stack([each.w2.weight for each in one.experts])
        other.bank.gate_up.data, other.bank.down.data = (t.mT.clone() if turned else t for t in (up, down))
    return original, ported


def rolled(port: Any) -> None:
    for tensor in port.blocks[1].bank.parameters():
        tensor.data = tensor.roll(1, 0)


def halves(port: Any) -> None:
    bank = port.blocks[1].bank
    bank.gate_up.data = bank.gate_up.roll(INNER, 2 if bank.turned else 1)


def other_layer(port: Any) -> None:
    port.blocks[1].bank.load_state_dict(port.blocks[0].bank.state_dict())


def one_slice_random(port: Any) -> None:
    port.blocks[1].bank.down.data[2] = noise(*port.blocks[1].bank.down[2].shape, seed=5)


def culprits(original: nn.Module, ported: nn.Module) -> tuple[Culprit, ...]:
    ids = torch.randint(11, (2, 7), generator=torch.Generator().manual_seed(0))
    return verify(original, ported, (ids,)).culprits


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("broken", "code"),
    [(rolled, "permuted"), (halves, "gate-order"), (other_layer, "wrong-layer"), (one_slice_random, "not-loaded")],
)
def test_the_stack_is_at_fault_and_the_mistake_is_proven(broken: Any, code: str, turned: bool) -> None:
    original, ported = make(turned)
    with torch.no_grad():
        broken(ported)
    first = culprits(original, ported)[0]
    assert first.ported == "blocks.1.bank"
    assert first.proven is not None
    assert first.proven.code == code


@pytest.mark.parametrize("turned", [False, True])
def test_stacks_in_the_lists_order_are_right(turned: bool) -> None:
    assert culprits(*make(turned)) == ()


def swapped_experts(port: Any) -> None:
    for name in ("w1", "w2", "w3"):
        one, other = (port.blocks[1].experts[i].get_submodule(name) for i in (0, 1))
        one.weight.data, other.weight.data = other.weight.data, one.weight.data


def swapped_gates(port: Any) -> None:
    for expert in port.blocks[1].experts:
        expert.w1.weight.data, expert.w3.weight.data = expert.w3.weight.data, expert.w1.weight.data


def list_of_other_layer(port: Any) -> None:
    port.blocks[1].experts.load_state_dict(port.blocks[0].experts.state_dict())


def one_random(port: Any) -> None:
    port.blocks[1].experts[2].w2.weight.copy_(noise(WIDTH, INNER, seed=5))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (swapped_experts, "swapped"),
        (swapped_gates, "swapped"),
        (list_of_other_layer, "wrong-layer"),
        (one_random, "not-loaded"),
    ],
)
def test_a_list_is_held_against_the_slices_of_a_stack(broken: Any, code: str, turned: bool) -> None:
    ported, original = make(turned)
    with torch.no_grad():
        broken(ported)
    first = culprits(original, ported)[0]
    assert first.ported.startswith("blocks.1.experts")
    assert first.proven is not None
    assert first.proven.code == code
