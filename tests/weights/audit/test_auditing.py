from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertModel

from porting.errors import MismatchError
from porting.weights import WeightsReport, assert_loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(4, 4)
        self.k = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.register_buffer("steps", torch.tensor([3]))


class Tied(nn.Module):
    def __init__(self, tie: bool = True) -> None:
        super().__init__()
        self._tied_weights_keys = {"head.weight": "embed.weight"}
        self.embed = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        if tie:
            self.head.weight = self.embed.weight


@pytest.fixture
def loaded() -> tuple[Attention, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = Attention()
    with torch.no_grad():
        model.norm.weight.uniform_()
    return model, {name: value.clone() for name, value in model.state_dict().items()}


def problems(model: nn.Module, state: dict[str, torch.Tensor]) -> str:
    with pytest.raises(MismatchError) as error:
        assert_loaded(model, state)
    assert isinstance(error.value, AssertionError)
    return error.value.message


def test_a_loaded_model_passes_and_what_was_not_used_is_printed(
    loaded: tuple[Attention, dict[str, torch.Tensor]], capsys: pytest.CaptureFixture[str]
) -> None:
    model, state = loaded
    report = assert_loaded(model, {**state, "old.0.w": torch.ones(2), "old.1.w": torch.ones(2)})
    assert isinstance(report, WeightsReport)
    assert report.matched == report.total == 7
    out = capsys.readouterr().out
    assert "weights match: 7 of 7 by name, shape and value, 2 unexpected" in out
    assert "UNEXPECTED old.{0, 1}.w: checkpoint float32 [2]" in out


def test_a_path_is_read_from_disk(loaded: tuple[Attention, dict[str, torch.Tensor]], tmp_path: Path) -> None:
    model, state = loaded
    save_file(state, tmp_path / "model.safetensors")
    assert assert_loaded(model, tmp_path).checkpoint == str(tmp_path / "model.safetensors")
    state["q.bias"][2] += 1e-6
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(MismatchError, match=r"VALUE q\.bias.*1 of 4 elements differ"):
        assert_loaded(model, tmp_path)


def test_swapped_weights_are_found_and_named(loaded: tuple[Attention, dict[str, torch.Tensor]]) -> None:
    model, state = loaded
    model.q.weight, model.k.weight = model.k.weight, model.q.weight
    text = problems(model, state)
    assert "the model holds k.weight of the checkpoint" in text.split("VALUE q.weight")[1].split("\n")[0]
    assert "the model holds q.weight of the checkpoint" in text.split("VALUE k.weight")[1].split("\n")[0]


def initialise_again(model: Attention) -> None:
    model.norm.reset_parameters()


def transpose(model: Attention) -> None:
    model.q.weight = nn.Parameter(model.q.weight.detach().T)


def change_one_bit(model: Attention) -> None:
    with torch.no_grad():
        model.k.bias[0] = torch.nextafter(model.k.bias[0], torch.tensor(9.0))


def count_on(model: Attention) -> None:
    model.get_buffer("steps").add_(1)


def become_nan(model: Attention) -> None:
    with torch.no_grad():
        model.k.bias.fill_(float("nan"))


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (initialise_again, r"VALUE norm\.weight.*the model's are all 1"),
        (transpose, r"VALUE q\.weight.*it is the checkpoint's, transposed"),
        (change_one_bit, r"VALUE k\.bias.*1 of 4 elements differ"),
        (count_on, r"VALUE steps.*1 of 1 elements differ, max abs 1"),
        (become_nan, r"VALUE k\.bias.*4 of 4 elements differ"),
    ],
)
def test_any_other_value_fails(
    loaded: tuple[Attention, dict[str, torch.Tensor]], break_it: Callable[[Attention], None], expected: str
) -> None:
    model, state = loaded
    break_it(model)
    with pytest.raises(MismatchError, match=expected):
        assert_loaded(model, state)


def test_equal_nans_and_a_cast_pass_and_the_cast_is_told(
    loaded: tuple[Attention, dict[str, torch.Tensor]],
) -> None:
    model, state = loaded
    for tensor in (model.q.bias.data, state["q.bias"]):
        tensor[1] = float("nan")
    report = assert_loaded(model.bfloat16(), state)
    assert report.ok
    assert {finding.name for finding in report.of("DTYPE")} == set(state) - {"steps"}


def test_a_head_that_is_tied_to_a_loaded_weight_passes() -> None:
    model = Tied()
    report = assert_loaded(model, {"embed.weight": model.embed.weight.detach().clone()})
    assert report.to_dict()["tied"] == [{"name": "head.weight", "tied_to": "embed.weight"}]


def test_a_tied_head_with_other_values_in_the_checkpoint_fails() -> None:
    model = Tied()
    weight = model.embed.weight.detach().clone()
    assert "VALUE head.weight" in problems(model, {"embed.weight": weight, "head.weight": weight + 1})


def test_a_head_that_was_to_be_tied_and_is_not_fails() -> None:
    model = Tied(tie=False)
    text = problems(model, {"embed.weight": model.embed.weight.detach().clone()})
    assert "VALUE head.weight" in text
    assert "TIED" not in text


def test_everything_left_on_meta_is_found(loaded: tuple[Attention, dict[str, torch.Tensor]]) -> None:
    model, state = loaded
    model.q.weight = nn.Parameter(torch.empty(4, 4, device="meta"))
    model.register_buffer("cos", torch.empty(3, device="meta"), persistent=False)
    model.norm.plain = torch.empty(2, device="meta")
    text = problems(model, state)
    assert [f"META {name}" in text for name in ("q.weight", "cos", "norm.plain")] == [True] * 3


def test_every_problem_is_listed_the_gravest_first(
    loaded: tuple[Attention, dict[str, torch.Tensor]],
) -> None:
    model, state = loaded
    state["k.bias"] += 1
    state["k.weight"] = torch.ones(4, 2)
    del state["q.bias"]
    model.q.weight = nn.Parameter(torch.empty(4, 4, device="meta"))
    lines = problems(model, state).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["META", "VALUE", "MISMATCH", "MISSING"]


def test_rules_rename_the_state_dict(loaded: tuple[Attention, dict[str, torch.Tensor]]) -> None:
    model, state = loaded
    old = {name.replace("norm", "LayerNorm"): value for name, value in state.items()}
    assert assert_loaded(model, old, lambda name: name.replace("LayerNorm", "norm")).ok
    with pytest.raises(MismatchError, match=r"COLLISION q\.weight: model float32 \[4, 4\]; from both"):
        assert_loaded(model, state, {"k.weight": "q.weight"})


def test_strict_fails_on_what_was_not_used(loaded: tuple[Attention, dict[str, torch.Tensor]]) -> None:
    model, state = loaded
    with pytest.raises(MismatchError, match="UNEXPECTED extra"):
        assert_loaded(model, {**state, "extra": torch.ones(1)}, strict=True)


def test_the_model_is_left_as_it_was(loaded: tuple[Attention, dict[str, torch.Tensor]]) -> None:
    model, state = loaded
    before = {name: (id(value), value.requires_grad) for name, value in model.named_parameters()}
    assert_loaded(model, state)
    assert {name: (id(value), value.requires_grad) for name, value in model.named_parameters()} == before


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.int8, torch.bool, torch.complex64])
def test_every_dtype_is_compared_exactly(dtype: torch.dtype) -> None:
    model = nn.Module()
    model.register_buffer("x", torch.tensor([1.0, 0.0, 1.0]).to(dtype))
    assert assert_loaded(model, {"x": torch.tensor([1.0, 0.0, 1.0]).to(dtype)}).ok
    assert "2 of 3 elements differ" in problems(model, {"x": torch.tensor([0.0, 1.0, 1.0]).to(dtype)})


def test_a_single_element_with_a_stride_is_compared() -> None:
    model = nn.Module()
    single = torch.arange(6.0).reshape(2, 3).T[:1, :1]
    assert single.stride() == (1, 3)
    model.register_buffer("x", single)
    assert assert_loaded(model, {"x": torch.zeros(1, 1)}).ok
    assert "1 of 1 elements differ" in problems(model, {"x": torch.ones(1, 1)})


def test_swapped_projections_of_a_real_architecture_are_found() -> None:
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8)
    model = BertModel(config)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    attention = model.encoder.layer[1].attention.self
    attention.query, attention.key = attention.key, attention.query
    text = problems(model, state)
    assert "the model holds encoder.layer.1.attention.self.key.weight of the checkpoint" in text
    assert "encoder.layer.0" not in text


class Unwritten(nn.Module):
    """Has a buffer that nothing writes; fresh memory of this size is all zeros."""

    def __init__(self, config: object = None) -> None:
        super().__init__()
        self.config = config or object()
        self.weight = nn.Parameter(torch.rand(4))
        self.register_buffer("scratch", torch.empty(1 << 22), persistent=False)


def test_a_buffer_that_the_class_never_writes_is_not_judged() -> None:
    model = Unwritten()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.get_buffer("scratch").fill_(1.0)
    assert assert_loaded(model, state).ok


def test_a_bias_that_the_model_lacks_fails_unless_it_is_zero() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"out": nn.Linear(3, 2, bias=False)})
    state = {name: value.clone() for name, value in model.state_dict().items()}
    report = assert_loaded(model, {**state, "out.bias": torch.zeros(2)})
    assert [finding.status for finding in report.findings] == ["UNEXPECTED"]
    assert "ABSENT out.bias" in problems(model, {**state, "out.bias": torch.tensor([0.0, 1.0])})
