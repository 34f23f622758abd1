"""Weights against order: what was loaded into another's place, and what is merely called in another order."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from porting.alignment import Alignment, Group, align
from porting.hooks.capturing import capture

WIDTH = 8


class Mix(nn.Module):
    """An attention in little: query and key are given the same and have the same shape."""

    def __init__(self, *, key_first: bool = False) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.key_first = key_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.key_first:
            key = self.one(x)
            query = self.two(x)
        else:
            query = self.one(x)
            key = self.two(x)
        result: torch.Tensor = self.out(torch.softmax(query @ key.transpose(-1, -2), -1) @ x)
        return result


class Layer(nn.Module):
    def __init__(self, *, key_first: bool = False) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(WIDTH), Mix(key_first=key_first)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.mix(self.norm(x))
        return result


def stack(*, key_first: bool = False, layers: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(*(Layer(key_first=key_first) for _ in range(layers)))
    for number, parameter in enumerate(model.parameters()):
        nn.init.normal_(parameter, float(parameter.dim() == 1 and number % 2 == 0), 0.4)
    return model


def aligned(original: nn.Module, ported: nn.Module) -> Alignment:
    torch.manual_seed(1)
    x = (torch.randn(2, 5, WIDTH),)
    return align(capture(original, x), capture(nn.Sequential(ported), x))


def exchange(one: nn.Module, other: nn.Module) -> None:
    state = copy.deepcopy(one.state_dict())
    one.load_state_dict(other.state_dict())
    other.load_state_dict(state)


def at_their_places(alignment: Alignment) -> bool:
    return all(ported == f"0.{original}" for original, ported in alignment.pairs if original)


def of(alignment: Alignment, path: str) -> Group:
    return next(group for group in alignment.groups if group.original == (path,))


def test_layers_loaded_into_each_other_stay_in_their_places() -> None:
    port = stack()
    exchange(port[1], port[2])
    alignment = aligned(stack(), port)
    assert at_their_places(alignment)
    assert len(alignment.pairs) == 1 + 4 * 6
    group = of(alignment, "1.mix.out")
    assert "but its weights are in 0.2.mix.out" in group.evidence
    assert group.confidence < of(alignment, "0.mix.out").confidence


def test_a_fault_before_them_does_not_change_that() -> None:
    port = stack()
    exchange(port[2], port[3])
    nn.init.normal_(port.get_parameter("0.mix.out.weight"))
    assert at_their_places(aligned(stack(), port))


@pytest.mark.parametrize("layers", [[1], range(4)])
def test_a_query_loaded_into_the_key_is_the_query(layers: list[int]) -> None:
    port = stack()
    for layer in layers:
        exchange(port[layer].get_submodule("mix.one"), port[layer].get_submodule("mix.two"))
    assert at_their_places(aligned(stack(), port))


@pytest.mark.parametrize("damaged", [False, True])
def test_modules_that_are_called_in_another_order_are_found_by_their_weights(damaged: bool) -> None:
    port = stack(key_first=True)
    state = stack().state_dict()
    swap = {"mix.one": "mix.two", "mix.two": "mix.one"}
    for name, tensor in list(state.items()):
        part = next((part for part in swap if part in name), None)
        if part:
            port.get_parameter(name.replace(part, swap[part])).data = tensor.clone()
        else:
            port.get_parameter(name).data = tensor.clone()
    if damaged:
        nn.init.normal_(port.get_parameter("2.mix.out.weight"))
    pairs = dict(aligned(stack(), port).pairs)
    assert all(pairs[f"{layer}.mix.one"] == f"0.{layer}.mix.two" for layer in range(4))
    assert all(pairs[f"{layer}.mix.two"] == f"0.{layer}.mix.one" for layer in range(4))


def test_layers_shifted_by_one_stay_in_their_places() -> None:
    original, port = stack(), stack()
    for layer in range(3):
        port[layer].load_state_dict(original[layer + 1].state_dict())
    for parameter in port[3].parameters():
        nn.init.normal_(parameter)
    assert at_their_places(aligned(original, port))


def test_nothing_loaded_is_aligned_by_place() -> None:
    port = stack()
    for parameter in port.parameters():
        nn.init.normal_(parameter, std=0.3)
    alignment = aligned(stack(), port)
    assert at_their_places(alignment)
    assert len(alignment.pairs) == 1 + 4 * 6


def test_an_identity_in_the_place_of_a_norm_is_its_counterpart() -> None:
    port = stack()
    port[1].norm = nn.Identity()
    assert dict(aligned(stack(), port).pairs)["1.norm"] == "0.1.norm"


def test_a_table_of_zeros_is_aligned_by_place() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.words, self.places, self.types = (nn.Embedding(9, WIDTH) for _ in range(3))

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            places = torch.arange(ids.shape[1])
            result: torch.Tensor = self.words(ids) + self.places(places) + self.types(ids * 0)
            return result

    port = Positions()
    nn.init.zeros_(port.places.weight)
    x = (torch.tensor([[1, 5, 3], [2, 2, 7]]),)
    pairs = dict(align(capture(Positions(), x), capture(port, x)).pairs)
    assert pairs == {"": "", "words": "words", "places": "places", "types": "types"}


def test_an_identity_stands_in_for_the_norm_of_its_name_also_behind_another_fault() -> None:
    class Ending(nn.Module):
        def __init__(self, final: nn.Module) -> None:
            super().__init__()
            self.layers, self.final_norm, self.head = stack(), final, nn.Linear(WIDTH, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.head(self.final_norm(self.layers(x)))
            return result

    torch.manual_seed(2)
    original, ported = Ending(nn.LayerNorm(WIDTH)), Ending(nn.Identity())
    ported.load_state_dict(original.state_dict(), strict=False)
    with torch.no_grad():
        ported.get_parameter("layers.0.norm.weight").mul_(2)
    assert ("final_norm", "0.final_norm") in aligned(original.eval(), ported.eval()).pairs
