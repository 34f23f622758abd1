"""What can be seen to differ between two modules without running anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from porting import Trace, capture
from porting.alignment import align
from porting.diagnosis import differing_weights, module_differences

INPUTS = (torch.ones(2, 4),)


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Dropout(0.1)).eval()


def differences(ported: nn.Sequential, path: str = "0") -> tuple[str, ...]:
    one, other = capture(model(), INPUTS), capture(ported, INPUTS)
    return module_differences(one, other, align(one, other), path).texts()


def test_equal_modules_do_not_differ() -> None:
    assert [differences(model(), path) for path in ("0", "1", "2")] == [(), (), ()]


def test_a_stranger_is_said_to_equal_nothing() -> None:
    ported = model()
    nn.init.normal_(ported.get_parameter("0.weight"))
    assert "it equals no tensor of the original" in differences(ported)[0]


def test_a_matrix_that_was_not_turned_is_recognised() -> None:
    ported = model()
    with torch.no_grad():
        ported.get_parameter("0.weight").copy_(ported.get_parameter("0.weight").t().clone())
    assert differences(ported)[0].endswith("it holds the original's 0.weight, transposed")


def test_other_orders_constants_and_roundings_are_said() -> None:
    ported = model()
    weight, bias = ported.get_parameter("0.weight"), ported.get_parameter("0.bias")
    with torch.no_grad():
        weight.copy_(weight.flip(0))
        bias.zero_()
    original, broken = capture(model(), INPUTS), capture(ported, INPUTS)
    first, second = differing_weights(original, original.modules["0"], broken.modules["0"])
    assert first.endswith("it has the same rows in another order")
    assert second.endswith("one value fills it")
    rounded = model()
    with torch.no_grad():
        rounded.get_parameter("0.weight").copy_(rounded.get_parameter("0.weight").bfloat16())
    assert differences(rounded)[0].endswith("it is close, as if rounded")


@pytest.mark.parametrize(("dtype", "count"), [(torch.bfloat16, 2), (torch.float64, 0)])
def test_a_cast_differs_only_if_it_rounds(dtype: torch.dtype, count: int) -> None:
    original, ported = capture(model(), INPUTS), capture(model().to(dtype), (INPUTS[0].to(dtype),))
    texts = list(differing_weights(original, original.modules["0"], ported.modules["0"]))
    assert len(texts) == count
    assert all("is bfloat16, the original's" in text for text in texts)


def test_settings_are_compared_under_the_names_that_an_epsilon_goes_by() -> None:
    ported = model()
    ported.get_submodule("1").eps = 1e-3  # type: ignore[assignment]
    assert differences(ported, "1") == ("eps is 0.001, the original's eps is 1e-05",)


def test_the_mode_counts_where_it_matters() -> None:
    ported = model()
    ported.get_submodule("0").train()
    ported.get_submodule("2").train()
    assert differences(ported, "0") == ()
    assert differences(ported, "2") == ("training mode is on, in the original it is off",)


def test_what_was_not_sketched_is_no_evidence() -> None:
    original = capture(model(), INPUTS)
    bare = _without_sketches(capture(nn.Sequential(nn.Linear(4, 4)), INPUTS))
    assert list(differing_weights(original, original.modules["0"], bare.modules["0"])) == []


def _without_sketches(trace: Trace) -> Trace:
    modules = {
        path: replace(module, parameters=tuple(replace(each, sketch=None) for each in module.parameters))
        for path, module in trace.modules.items()
    }
    return replace(trace, modules=modules)
