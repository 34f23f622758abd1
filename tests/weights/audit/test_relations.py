"""What a wrong tensor is said to be: every bug that loading code makes, put into one tensor of a small model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from porting.weights import Convert, Finding, FoldWeightNorm, Scale, Split, audit_loaded
from porting.weights.audit.orders import order_of

Change = Callable[[torch.Tensor], torch.Tensor]
HEADS = 4


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query_key_value = nn.Linear(16, 48)
        self.dense = nn.Linear(16, 16)
        self.norm = nn.LayerNorm(16)
        self.conv = nn.Conv2d(4, 8, 3, bias=False)


class Model(nn.Module):
    embed: nn.Embedding
    experts: nn.Parameter

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 16)
        self.experts = nn.Parameter(torch.empty(6, 8, 16))
        self.layers = nn.ModuleList([Layer() for _ in range(4)])


@pytest.fixture
def model() -> Model:
    torch.manual_seed(5)
    made = Model()
    for parameter in made.parameters():
        nn.init.normal_(parameter, 0.3, 0.4)
    return made


def findings(model: nn.Module, break_it: Callable[[], object]) -> list[Finding]:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert audit_loaded(model, state).findings == ()
    with torch.no_grad():
        break_it()
    return list(audit_loaded(model, state).failures())


def rows(tensor: torch.Tensor, first: slice, value: torch.Tensor | float) -> torch.Tensor:
    changed = tensor.clone()
    changed[first] = value
    return changed


def quantised(tensor: torch.Tensor) -> torch.Tensor:
    scale = tensor.abs().max() / 7
    return (tensor / scale).round() * scale


def put(value: torch.Tensor, parameter: torch.Tensor) -> None:
    parameter.copy_(value)


FUSED, DENSE, CONV = "layers.1.query_key_value.weight", "layers.2.dense.weight", "layers.0.conv.weight"


@pytest.mark.parametrize(
    ("name", "change", "cause", "said"),
    [
        (DENSE, lambda w: w.t(), "transposed", "transposed"),
        (DENSE, lambda w: w.t().bfloat16().float(), "transposed", "rounded to bfloat16"),
        (DENSE, lambda w: w.t().flip(0), "transposed", "they are reversed"),
        (FUSED, lambda w: w.t().reshape(48, 16), "transposed", "read in another shape"),
        (CONV, lambda w: w.transpose(2, 3), "transposed", "height and width"),
        (CONV, lambda w: w.flip(2, 3), "permuted", "axis 2 and 3"),
        (CONV, lambda w: w.flip(1), "permuted", "axis 1: they are reversed"),
        (
            CONV,
            lambda w: w.reshape(2, 4, 4, 3, 3).transpose(0, 1).reshape(8, 4, 3, 3),
            "permuted",
            "they are in pairs",
        ),
        ("experts", lambda w: w.roll(1, 0), "permuted", "shifted by 1"),
        ("experts", lambda w: rows(w, slice(2, 3), w[1:2]), "permuted", "axis 0: 2 hold its 1"),
        ("experts", lambda w: torch.cat([w[:, 4:], w[:, :4]], 1), "permuted", "2 blocks come in the order 1, 0"),
        (FUSED, lambda w: w.reshape(HEADS, 3, 4, 16).transpose(0, 1).reshape(48, 16), "qkv-order", "3 by 4 blocks"),
        (FUSED, lambda w: w.reshape(HEADS, 3, 4, 16)[:, [1, 2, 0]].reshape(48, 16), "qkv-order", "of each 12"),
        (FUSED, lambda w: torch.cat([w[32:], w[:32]]), "qkv-order", "3 blocks come in the order 2, 0, 1"),
        (DENSE, lambda w: w[[0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]], "permuted", "4 blocks"),
        (DENSE, lambda w: w[torch.randperm(16)][:, torch.randperm(16)], "permuted", "along two axes"),
        (DENSE, lambda w: torch.cat([w[8:], w[8:]]), "permuted", "0 to 7 hold its 8 to 15"),
        (DENSE, lambda w: w[:, [0, 5, 2, 3, 4, 1, *range(6, 16)]], "permuted", "axis 1: of 1 to 5"),
        ("embed.weight", lambda w: torch.cat([w.new_zeros(2, 16), w[:-2]]), "permuted", "2 to 39 hold its 0 to 37"),
        ("embed.weight", lambda w: rows(w, slice(7, 8), 0.0), "padding-idx", "except row 7: all 0"),
        ("embed.weight", lambda w: rows(w, slice(20, 40), 0.02 * torch.randn(20, 16)), "not-loaded", "rows 20 to 39"),
        ("embed.weight", lambda w: rows(w, slice(3, 5), float("nan")), "not-loaded", "rows 3 to 4: NaN"),
        (DENSE, lambda w: w.clone().index_fill_(1, torch.tensor([4, 5]), 0.0), "not-loaded", "columns 4 to 5: all 0"),
        (DENSE, lambda w: w.half().float(), "dtype-cast", "to float16"),
        (DENSE, lambda w: w.to(torch.float8_e4m3fn).float(), "dtype-cast", "to float8_e4m3fn"),
        ("embed.weight", torch.clone, "", ""),
        (DENSE, lambda w: -w, "extra-scale", "negated"),
        (DENSE, lambda w: w * 0.3, "extra-scale", "times 0.3"),
        (DENSE, lambda w: nn.functional.normalize(w), "extra-scale", "norm 1 in each row"),
        (DENSE, lambda w: (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True), "extra-scale", "and a shift"),
        ("layers.0.norm.weight", lambda w: w + 1, "norm-formula", "plus 1"),
        (DENSE, torch.exp, "unknown", "exp of the checkpoint's"),
        (DENSE, lambda w: w + 0.01 * torch.randn_like(w), "unknown", "close to the checkpoint's"),
        (DENSE, lambda w: rows(w, slice(3, 4), w[3] + torch.eye(16)[2]), "not-loaded", "[3, 2] is"),
        (DENSE, torch.zeros_like, "not-loaded", "all 0"),
        ("layers.0.dense.bias", torch.zeros_like, "missing-bias", "all 0"),
        (DENSE, lambda w: 1e30 * torch.randn_like(w), "not-loaded", "never written"),
        (DENSE, lambda w: 0.02 * torch.randn_like(w), "not-loaded", "normal random start"),
    ],
)
def test_a_changed_tensor_is_explained(model: Model, name: str, change: Change, cause: str, said: str) -> None:
    parameter = model.get_parameter(name)
    found = findings(model, lambda: put(change(parameter.detach().clone()), parameter))
    assert [(finding.name, finding.cause) for finding in found] == ([(name, cause)] if cause else [])
    assert all(said in finding.note for finding in found)


@pytest.mark.parametrize("change", [torch.neg, torch.exp, torch.zeros_like, torch.randn_like])
def test_a_buffer_of_other_numbers_is_called_a_buffer(change: Change) -> None:
    norm = nn.BatchNorm1d(16)
    torch.manual_seed(0)
    mean = norm.get_buffer("running_mean").normal_()
    found = findings(norm, lambda: put(change(mean), mean))
    assert [(finding.name, finding.cause) for finding in found] == [("running_mean", "buffer-wrong")]


def test_a_quantised_tensor_went_through_fewer_values(model: Model) -> None:
    model.embed = nn.Embedding(400, 16)
    found = findings(model, lambda: put(quantised(model.embed.weight), model.embed.weight))
    assert [finding.cause for finding in found] == ["dtype-cast"]
    assert "quantised to" in found[0].note


def test_layers_that_are_off_by_one_are_said_once_more(model: Model) -> None:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for index in (1, 2):
        model.layers[index].load_state_dict(
            {name: state[f"layers.{index + 1}.{name}"] for name in model.layers[0].state_dict()}
        )
    report = audit_loaded(model, state)
    assert {finding.cause for finding in report.failures()} == {"wrong-layer"}
    assert {finding.other for finding in report.failures() if finding.name.startswith("layers.1.norm.w")} == {
        ("layers.2.norm.weight",)
    }
    assert [remark.message for remark in report.warnings if remark.code == "layers-off"] == [
        "14 tensors of layers 1, 2 hold those of the layer +1"
    ]


def test_exchanged_tensors_are_found_through_a_cast(model: Model) -> None:
    first, second = (model.get_parameter(f"layers.{index}.norm.weight") for index in (0, 1))

    def break_it() -> None:
        kept = first.clone()
        put(second.bfloat16(), first)
        put(kept.bfloat16(), second)

    found = findings(model, break_it)
    assert {finding.name: (finding.cause, finding.other) for finding in found} == {
        "layers.0.norm.weight": ("wrong-layer", ("layers.1.norm.weight",)),
        "layers.1.norm.weight": ("wrong-layer", ("layers.0.norm.weight",)),
    }
    assert all("rounded to bfloat16" in finding.note for finding in found)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)


NAMES = [f"{name}_proj.{{leaf}}" for name in "qkv"]
SPLIT = [Convert("qkv.{leaf}", NAMES, Split((16, 8, 8)))]


def attention() -> tuple[Attention, dict[str, torch.Tensor]]:
    torch.manual_seed(2)
    fused = {"qkv.weight": torch.randn(32, 16), "qkv.bias": torch.randn(32)}
    made = Attention()
    load(made, fused, (0, 16, 24))
    return made, fused


def load(made: Attention, fused: dict[str, torch.Tensor], starts: tuple[int, int, int]) -> None:
    for module, start in zip((made.q_proj, made.k_proj, made.v_proj), starts, strict=True):
        for leaf in ("weight", "bias"):
            module.get_parameter(leaf).data = fused[f"qkv.{leaf}"][start : start + module.out_features].clone()


def test_a_fused_projection_that_was_split_rightly_passes() -> None:
    made, fused = attention()
    assert audit_loaded(made, fused, SPLIT).findings == ()


def test_a_split_in_another_order_is_named() -> None:
    made, fused = attention()
    load(made, fused, (0, 24, 16))
    found = audit_loaded(made, fused, SPLIT).failures()
    assert {finding.name: finding.cause for finding in found} == dict.fromkeys(
        (f"{name}_proj.{leaf}" for name in "kv" for leaf in ("weight", "bias")), "qkv-order"
    )
    assert all("the two are exchanged" in finding.note for finding in found)
    assert {finding.note.split(";")[0] for finding in found if finding.name == "k_proj.bias"} == {
        "it holds what belongs in v_proj.bias, made of qkv.bias"
    }


def test_rows_of_a_wrong_slice_are_named() -> None:
    made, fused = attention()
    load(made, fused, (0, 12, 24))
    found = audit_loaded(made, fused, SPLIT).failures()
    assert {finding.name: finding.cause for finding in found} == {
        "k_proj.weight": "qkv-order",
        "k_proj.bias": "qkv-order",
    }
    assert "rows 12 to 19 of qkv.weight" in next(each.note for each in found if each.name == "k_proj.weight")


def test_arithmetic_of_rules_is_compared_within_its_rounding() -> None:
    torch.manual_seed(4)
    direction, magnitude = torch.randn(6, 5), torch.rand(6, 1) + 1
    made = nn.Linear(5, 6, bias=False)
    weight = (magnitude.double() * direction.double() / direction.double().norm(dim=1, keepdim=True)).float()
    made.weight.data = weight
    rules = [Convert(["g", "v"], "weight", FoldWeightNorm())]
    report = audit_loaded(made, {"g": magnitude, "v": direction}, rules)
    assert report.ok
    assert [remark.message for remark in report.warnings if remark.code == "rounding"] == [
        "equal within the rounding of what the rules compute, not bit for bit: weight"
    ]
    made.weight.data = weight * 1.00001
    assert not audit_loaded(made, {"g": magnitude, "v": direction}, rules).ok
    made.weight.data = direction.clone()
    assert [each.cause for each in audit_loaded(made, {"g": magnitude, "v": direction}, rules).failures()] == [
        "weight-norm"
    ]


def test_a_scale_of_the_rules_that_was_forgotten_is_named() -> None:
    torch.manual_seed(4)
    made = nn.Linear(5, 6, bias=False)
    state = {"weight": made.weight.detach().clone()}
    found = audit_loaded(made, state, [Convert("weight", "weight", Scale(4.0))]).failures()
    assert [finding.cause for finding in found] == ["extra-scale"]
    assert "times 0.25" in found[0].note


@pytest.mark.parametrize("length", [12, 64, 1000, 5040])
def test_an_order_is_one_that_gives_the_model(length: int) -> None:
    torch.manual_seed(length)
    given = torch.randint(-(2**62), 2**62, (length,))
    for taken in (
        torch.randperm(length),
        torch.arange(length).flip(0),
        torch.arange(length).reshape(4, -1).t().reshape(-1),
    ):
        order = order_of(given[taken], given)
        assert order is not None
        assert torch.equal(given[order.taken], given[taken])
    assert order_of(given, given) is None
    assert order_of(torch.ones_like(given), given) is None
