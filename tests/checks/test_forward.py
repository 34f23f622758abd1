from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from porting.checks import (
    CheckContext,
    ClaimRefuted,
    Inconclusive,
    check_hidden_states_equal,
    check_outputs_equal,
)
from porting.errors import MismatchError, PortfileError
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

HIDDEN_BY_THE_TOLERANCE = "model.down.bias += 1e-5"


@pytest.fixture
def context_of(tmp_path: Path, write_portfile: WritePortfile) -> Callable[..., CheckContext]:
    return lambda *args: CheckContext(Portfile.load(write_portfile(tmp_path, *args)))


def test_a_right_port_gives_the_figures(context_of: Callable[..., CheckContext]) -> None:
    context = context_of()
    figures = check_outputs_equal(context)
    assert figures == check_hidden_states_equal(context)
    assert figures["verdict"] == "match"
    assert figures["compared_modules"] == 4
    assert figures["first_divergence"] is figures["culprit"] is None


def test_a_wrong_output_names_the_first_diverging_module_first(
    context_of: Callable[..., CheckContext],
) -> None:
    with pytest.raises(MismatchError, match=r"\Aact is the first module to diverge; output result: ") as raised:
        check_outputs_equal(context_of("model.act = nn.ReLU()"))
    assert "Greatest relative difference" in raised.value.message
    assert "--portfile" in raised.value.hint


def test_a_wrong_output_of_equal_modules_is_named_itself(context_of: Callable[..., CheckContext]) -> None:
    doubled = "def run_ported(model, inputs):\n    return {'result': 2 * model(**inputs)['result']}"
    with pytest.raises(ClaimRefuted, match=r"\Aoutput result: max abs"):
        check_outputs_equal(context_of("pass", doubled))


def test_an_output_of_another_shape_is_refuted(context_of: Callable[..., CheckContext]) -> None:
    cut = "def run_ported(model, inputs):\n    return {'result': model(**inputs)['result'][:1]}"
    with pytest.raises(ClaimRefuted, match=r"shape \(1, 5, 3\), the original has \(2, 5, 3\)"):
        check_outputs_equal(context_of("pass", cut))


def test_nan_on_both_sides_is_inconclusive(context_of: Callable[..., CheckContext]) -> None:
    nan = "def inputs():\n    import torch\n    return {'input': torch.full((2, 5, 4), float('nan'))}"
    with pytest.raises(Inconclusive, match="no finite element"):
        check_outputs_equal(context_of("pass", nan))


def test_hidden_states_list_the_modules_that_diverge(context_of: Callable[..., CheckContext]) -> None:
    with pytest.raises(
        ClaimRefuted, match=r"\Adown is the first module to diverge \(in the original: last\)"
    ) as raised:
        check_hidden_states_equal(context_of("model.down.weight[0] += 1"))
    assert "Modules that diverge: 2 of 4" in raised.value.message
    assert raised.value.figures["culprit"] == "down"


def test_a_culprit_that_the_tolerance_hides_fails_the_hidden_states_alone(
    context_of: Callable[..., CheckContext],
) -> None:
    context = context_of(HIDDEN_BY_THE_TOLERANCE)
    assert check_outputs_equal(context)["verdict"] == "suspicious"
    with pytest.raises(ClaimRefuted, match=r"\Adown differs from the original by more than rounding"):
        check_hidden_states_equal(context)


def test_modules_without_a_counterpart_are_inconclusive(context_of: Callable[..., CheckContext]) -> None:
    opaque = """
        class Same(torch.nn.Module):
            def __init__(self, whole):
                super().__init__()
                self.matrices = whole.up.weight, whole.up.bias, whole.down.weight, whole.down.bias
                self.act = whole.act

            def forward(self, input):
                up, bias, down, offset = self.matrices
                hidden = self.act(torch.nn.functional.pad(torch.nn.functional.linear(input, up, bias), (0, 1)))
                return {"result": torch.nn.functional.linear(hidden[..., :-1], down, offset)}

        model = Same(model).eval()
        """
    context = context_of(opaque)
    assert check_outputs_equal(context)["verdict"] == "match"
    with pytest.raises(Inconclusive, match="no module below the model itself"):
        check_hidden_states_equal(context)


def test_an_error_of_the_portfile_is_raised_again_without_building_again(
    context_of: Callable[..., CheckContext], tmp_path: Path
) -> None:
    context = context_of("raise RuntimeError('gone')")
    for check in (check_outputs_equal, check_hidden_states_equal):
        with pytest.raises(PortfileError, match="gone"):
            check(context)
    assert (tmp_path / "built.txt").read_text() == "ported\n"
