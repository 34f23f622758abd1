"""Weights and buffers that hold something else than the original's: each bug by its code, with the proof."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from diagnosed import diagnosed, informative, noise, proven
from seeded import verified
from torch import nn
from toys import LENGTH, make_inputs, make_pair

from porting import Verification, capture, verify

Break = Callable[[Any], None]


def exchange(one: nn.Module, other: nn.Module) -> None:
    kept = deepcopy(one.state_dict())
    one.load_state_dict(deepcopy(other.state_dict()))
    other.load_state_dict(kept)


def norms(port: Any) -> None:
    layer = port.model.layers[1]
    exchange(layer.input_layernorm, layer.post_attention_layernorm)


def layers(port: Any) -> None:
    exchange(port.model.layers[0], port.model.layers[1])


def same_layer_twice(port: Any) -> None:
    port.model.layers[0].load_state_dict(port.model.layers[1].state_dict())


def gamma_and_beta(port: Any) -> None:
    norm = port.model.layers[0].input_layernorm
    norm.weight.data, norm.bias.data = norm.bias.data.clone(), norm.weight.data.clone()


def turned(port: Any) -> None:
    weight = port.model.layers[1].self_attn.o_proj.weight
    weight.data = weight.data.t().clone()


def turned_part(port: Any) -> None:
    weight = port.model.layers[1].self_attn.q_proj.weight
    weight.data = weight.data.t().clone()


def rows(port: Any) -> None:
    down = port.model.layers[0].mlp.down
    down.weight.data, down.bias.data = down.weight.data.flip(0), down.bias.data.flip(0)


def columns(port: Any) -> None:
    weight = port.model.layers[0].mlp.down.weight
    weight.data = weight.data.roll(3, 1)


def shifted(port: Any) -> None:
    weight = port.model.embed_positions.weight
    weight.data = weight.data.roll(1, 0)


def random_start(port: Any) -> None:
    port.model.layers[2].mlp.up.reset_parameters()


def random_part(port: Any) -> None:
    nn.init.normal_(port.model.layers[2].self_attn.k_proj.weight, std=0.02)


def fresh_norm(port: Any) -> None:
    port.model.layers[2].input_layernorm.reset_parameters()


def no_bias(port: Any) -> None:
    nn.init.zeros_(port.model.layers[1].mlp.up.bias)


def no_bias_of_a_part(port: Any) -> None:
    nn.init.zeros_(port.model.layers[1].self_attn.v_proj.bias)


def rounded(port: Any) -> None:
    weight = port.model.layers[1].mlp.up.weight
    weight.data = weight.data.bfloat16().float()


def all_rounded(port: Any) -> None:
    port.half().float()


def empty_row(port: Any) -> None:
    nn.init.zeros_(port.model.embed_tokens.weight[int(make_inputs()[0]["tokens"][0, 0])])


def doubled(port: Any) -> None:
    port.model.layers[1].mlp.up.weight.data *= 2


def less_one(port: Any) -> None:
    port.model.norm.weight.data -= 1


BUGS: dict[Break, tuple[str, str]] = {
    norms: ("swapped", "model.layers.1.input_layernorm"),
    layers: ("wrong-layer", "model.layers.0.input_layernorm"),
    same_layer_twice: ("wrong-layer", "model.layers.0.input_layernorm"),
    gamma_and_beta: ("swapped", "model.layers.0.input_layernorm"),
    turned: ("transposed", "model.layers.1.self_attn.o_proj"),
    turned_part: ("transposed", "model.layers.1.self_attn.q_proj"),
    rows: ("permuted", "model.layers.0.mlp.down"),
    columns: ("permuted", "model.layers.0.mlp.down"),
    shifted: ("permuted", "model.embed_positions"),
    random_start: ("not-loaded", "model.layers.2.mlp.up"),
    random_part: ("not-loaded", "model.layers.2.self_attn.k_proj"),
    fresh_norm: ("not-loaded", "model.layers.2.input_layernorm"),
    no_bias: ("missing-bias", "model.layers.1.mlp.up"),
    no_bias_of_a_part: ("missing-bias", "model.layers.1.self_attn.v_proj"),
    rounded: ("dtype-cast", "model.layers.1.mlp.up"),
    all_rounded: ("dtype-cast", "model.embed_tokens"),
    empty_row: ("padding-idx", "model.embed_tokens"),
    doubled: ("extra-scale", "model.layers.1.mlp.up"),
    less_one: ("norm-formula", "model.norm"),
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_each_bug_of_a_decoder_is_proven_at_its_module(bug: Break) -> None:
    first = verified(lambda port: torch.no_grad()(bug)(port)).culprits[0]
    assert (proven(first.causes), first.ported, first.where) == ([BUGS[bug][0]], BUGS[bug][1], "weights")


def replayed(bug: Break) -> Verification:
    original, ported = make_pair()
    given = make_inputs()
    with torch.no_grad():
        bug(ported)
    return verify(capture(original, given[0], side="original"), ported, given[1], original_inputs=given[0])


@pytest.mark.parametrize("bug", [norms, layers, turned, rows, shifted, fresh_norm, no_bias, empty_row, doubled])
def test_a_trace_suffices_where_the_values_are_in_the_port_or_in_sketches(bug: Break) -> None:
    assert proven(replayed(bug).culprits[0].causes) == [BUGS[bug][0]]


@pytest.mark.parametrize("bug", [random_start, same_layer_twice, rounded])
def test_without_the_original_a_matrix_is_named_and_not_proven(bug: Break) -> None:
    causes = next(c for c in replayed(bug).culprits if c.where == "weights").causes
    assert (proven(causes) or causes[0].code) in (BUGS[bug][0], [BUGS[bug][0]])


def test_a_matrix_that_many_positions_determine_is_recovered_from_a_trace() -> None:
    model, port = informative(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))), None
    port = deepcopy(model)
    nn.init.normal_(port.get_parameter("2.weight"))
    found = verify(capture(model, (noise(5, 7, 6),)), port, (noise(5, 7, 6),)).culprits[0].causes
    assert proven(found) == ["not-loaded"]


def test_a_weight_that_is_off_by_little_is_not_called_unloaded() -> None:
    def nudged(port: Any) -> None:
        port.model.layers[1].mlp.up.weight.data += 0.01 * noise(*port.model.layers[1].mlp.up.weight.shape)

    assert verified(nudged).culprits[0].causes == ()


def test_a_right_weight_is_not_blamed_for_what_the_code_does() -> None:
    def scaled(port: Any) -> None:
        forward = port.model.layers[1].mlp.up.forward
        port.model.layers[1].mlp.up.forward = lambda x: 2 * forward(x)

    codes = {cause.code for cause in verified(scaled).culprits[0].causes}
    assert not codes & {"not-loaded", "permuted", "transposed", "dtype-cast", "wrong-layer", "swapped"}


class Convolved(nn.Module):
    """An image's patches, normed and with positions on a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 8, 2, 2), nn.BatchNorm2d(8)
        self.positions = nn.Parameter(torch.empty(1, 12, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        seen = self.norm(self.patches(image)).flatten(2).transpose(1, 2)
        result: torch.Tensor = self.head(seen + self.positions)
        return result


def running_statistics(port: Any) -> None:
    port.norm.reset_running_stats()


def variance(port: Any) -> None:
    port.norm.running_var += 0.5 * torch.arange(8)


def kernel(port: Any) -> None:
    port.patches.weight.data = port.patches.weight.data.transpose(2, 3).clone()


def taps(port: Any) -> None:
    port.patches.weight.data = port.patches.weight.data.flip(3)


def columns_first(port: Any) -> None:
    port.positions.data = port.positions.data.view(1, 4, 3, 8).transpose(1, 2).reshape(1, 12, 8)


def no_positions(port: Any) -> None:
    nn.init.zeros_(port.positions)


@pytest.mark.parametrize(
    ("bug", "code"),
    [
        (running_statistics, "not-loaded"),
        (variance, "buffer-wrong"),
        (kernel, "transposed"),
        (taps, "permuted"),
        (columns_first, "permuted"),
        (no_positions, "missing-embedding"),
    ],
)
def test_kernels_statistics_and_grids(bug: Break, code: str) -> None:
    assert proven(diagnosed(informative(Convolved()), bug, noise(2, 3, 6, 8))) == [code]


def test_the_order_of_a_grid_is_named() -> None:
    found = diagnosed(informative(Convolved()), columns_first, noise(2, 3, 6, 8))
    assert "flattened column by column" in found[0].summary


class Recurrent(nn.Module):
    """A recurrent layer whose result alone goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.lstm(x)[0])
        return result


def test_gates_in_another_order() -> None:
    def gates(port: Any) -> None:
        for parameter in port.lstm.parameters():
            parameter.data = torch.cat([parameter.data.chunk(4)[index] for index in (0, 1, 3, 2)])

    found = diagnosed(informative(Recurrent()), gates, noise(2, 7, 6))
    assert proven(found) == ["gate-order"]
    assert "4 blocks" in found[0].summary


class Tied(nn.Module):
    """A language model whose head is its table."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.table, self.mix, self.head = nn.Embedding(17, 6), nn.Linear(6, 6), nn.Linear(6, 17, bias=False)
        if tied:
            self.head.weight = self.table.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.mix(self.table(ids)).tanh())
        return result


IDS = torch.arange(LENGTH)[None] % 17


def test_a_head_that_should_be_tied() -> None:
    def untied(port: Any) -> None:
        port.head.weight = nn.Parameter(noise(17, 6, seed=5))

    assert proven(diagnosed(informative(Tied()), untied, IDS)) == ["untied"]


def test_a_head_that_should_not_be_tied() -> None:
    def tied(port: Any) -> None:
        port.head.weight = port.table.weight

    assert proven(diagnosed(informative(Tied(tied=False)), tied, IDS)) == ["untied"]
