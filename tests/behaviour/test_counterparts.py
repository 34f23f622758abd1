"""Which parameter of the original holds what one of the port holds, and so which gradient is its."""

from __future__ import annotations

import torch

from porting.behaviour.counterparts import Counterparts


def _values(*shapes: tuple[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes}


def _gradients(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value * 10 for name, value in values.items()}


def test_parts_of_a_fused_weight_and_bias_have_its_rows() -> None:
    values = _values(("attn.qkv.weight", (12, 4)), ("attn.qkv.bias", (12,)))
    found = Counterparts(values, lambda _: ["attn.qkv"])
    key = values["attn.qkv.weight"][4:8].clone()
    expected = found.expected("k_proj.weight", key, _gradients(values))
    assert expected is not None
    assert torch.equal(expected, key * 10)
    bias = values["attn.qkv.bias"][4:8].clone()
    expected = found.expected("k_proj.bias", bias, _gradients(values))
    assert expected is not None
    assert torch.equal(expected, bias * 10)


def test_a_fused_bias_has_those_of_its_parts() -> None:
    values = _values(("q.bias", (3,)), ("k.bias", (3,)))
    found = Counterparts(values, lambda _: ["q", "k"])
    expected = found.expected("qk.bias", torch.cat([values["k.bias"], values["q.bias"]]), _gradients(values))
    assert expected is not None
    assert torch.equal(expected, 10 * torch.cat([values["k.bias"], values["q.bias"]]))


def test_transposed_reordered_and_stacked_weights_are_found() -> None:
    values = _values(("fc.weight", (6, 4)), ("a.weight", (5, 4)), ("b.weight", (5, 4)))
    found = Counterparts(values, lambda _: [])
    for content in (
        values["fc.weight"].t(),
        values["fc.weight"].flip(0),
        torch.stack([values["b.weight"], values["a.weight"]]),
        values["fc.weight"][:, :, None],
    ):
        expected = found.expected("w", content.contiguous(), _gradients(values))
        assert expected is not None
        assert torch.equal(expected, content * 10)


def test_equal_contents_are_told_apart_by_the_modules_that_correspond_or_not_at_all() -> None:
    ones = {"norm1.weight": torch.ones(4), "norm2.weight": torch.ones(4)}
    gradients = {"norm1.weight": torch.full((4,), 1.0), "norm2.weight": torch.full((4,), 2.0)}
    likely = {"second": ["norm2"]}
    found = Counterparts(ones, lambda path: likely.get(path, []))
    expected = found.expected("second.weight", torch.ones(4), gradients)
    assert expected is not None
    assert expected.tolist() == [2.0] * 4
    assert found.expected("third.weight", torch.ones(4), gradients) is None


def test_a_shared_weight_has_the_sum_of_those_that_it_stands_for() -> None:
    content = torch.arange(8.0).reshape(4, 2)
    found = Counterparts({"embed.weight": content, "head.weight": content.clone()}, lambda _: ["embed"])
    gradients = {"embed.weight": torch.ones(4, 2), "head.weight": torch.full((4, 2), 2.0)}
    expected = found.expected("embed.weight", content, gradients, tied=True)
    assert expected is not None
    assert torch.equal(expected, torch.full((4, 2), 3.0))


def test_rows_that_nothing_holds_are_not_a_number() -> None:
    values = _values(("fc.weight", (3, 4)))
    content = torch.cat([values["fc.weight"], torch.full((1, 4), 7.0)])
    expected = Counterparts(values, lambda _: []).expected("w", content, _gradients(values))
    assert expected is not None
    assert expected[:3].isfinite().all()
    assert expected[3].isnan().all()
    assert Counterparts(values, lambda _: []).expected("w", torch.full((2, 4), 7.0), _gradients(values)) is None
