from __future__ import annotations

import torch
from torch import nn

from porting import infer_rules
from porting.weights.inference.claims import Claim
from porting.weights.inference.parting import exchanged_parts
from porting.weights.inference.units import Unit
from porting.weights.rules import Concatenate


class Original(nn.Module):
    """Two ways whose names do not say which is which."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.p = (nn.Parameter(torch.randn(5, 4)) for _ in range(2))
        self.norm_q, self.norm_p = nn.LayerNorm(4), nn.LayerNorm(4)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm_p(self.p[left]) - self.norm_q(self.q[right])
        return result


class Way(nn.Module):
    """One of the port's."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(5, 4), nn.LayerNorm(4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(self.table(ids))
        return result


class Ported(nn.Module):
    """Two modules of one class."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Way(), Way()

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.first(left) - self.second(right)
        return result


def test_two_tables_and_their_norms_that_only_their_order_tells_are_exchanged_by_running() -> None:
    torch.manual_seed(0)
    original, inputs = Original().eval(), {"left": torch.tensor([[0, 3, 1]]), "right": torch.tensor([[4, 2, 2]])}
    for parameter in original.parameters():
        nn.init.normal_(parameter)
    inference = infer_rules(original.state_dict(), Ported().eval(), original=original, inputs=inputs)
    assert inference.verdict == "match"
    assert inference.trials > 1
    assert "Rename('p', 'first.table.weight')" in map(repr, inference.rules)


def unit(name: str, *shape: int) -> Unit:
    return Unit(name, shape, (name,))


def test_a_joined_part_changes_places_with_the_single_one_beside_it_in_every_layer() -> None:
    claims = []
    for layer in "01":
        parts = tuple(unit(f"{layer}.moe.w{number}", 4, 4) for number in (1, 2, 3))
        joined = unit(f"{layer}.mlp.gate_up", 8, 4), unit(f"{layer}.mlp.down", 4, 4)
        claims.append(Claim(parts[:2], joined[:1], (Concatenate(),), 0.6, ()))
        claims.append(Claim(parts[2:], joined[1:], (), 0.5, ()))
    claims.append(Claim((unit("0.elsewhere.w", 4, 4),), (unit("0.other", 4, 4),), (), 0.5, ()))
    names = [[claim.source_names for claim in each.instead] for each in exchanged_parts(claims)]
    assert names == [
        [["0.moe.w3", "0.moe.w2"], ["0.moe.w1"], ["1.moe.w3", "1.moe.w2"], ["1.moe.w1"]],
        [["0.moe.w1", "0.moe.w3"], ["0.moe.w2"], ["1.moe.w1", "1.moe.w3"], ["1.moe.w2"]],
    ]
