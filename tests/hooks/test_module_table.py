from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from porting.hooks.module_table import describe_modules, owned_tensors, settings
from porting.hooks.module_tree import executed_modules


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.other = nn.Linear(3, 5, bias=False)
        self.other.weight = nn.Parameter(self.embed.weight.detach())
        self.again = self.head


def empty_layer() -> nn.Module:
    layer = nn.Module()
    layer.weight, layer.bias = nn.Parameter(torch.empty(2, 0)), nn.Parameter(torch.empty(2, 0))
    return layer


def test_modules_are_described_in_order_with_their_aliases() -> None:
    table = describe_modules(Tied())
    assert list(table) == ["", "embed", "head", "other", "again"]
    assert {path: info.alias_of for path, info in table.items() if info.alias_of} == {"again": "head"}
    assert table["again"].parameters == ()
    assert table["embed"].class_name == "Embedding"


def test_a_tensor_under_a_second_name_is_tied_to_the_first() -> None:
    table = describe_modules(Tied())
    tied = {path: parameter.tied_to for path, info in table.items() for parameter in info.parameters}
    assert tied == {"embed": None, "head": "embed.weight", "other": "embed.weight"}


def test_tensors_without_data_are_tied_only_to_themselves() -> None:
    model = nn.ModuleList([nn.Linear(2, 2, device="meta"), nn.Linear(2, 2, device="meta"), empty_layer()])
    parameters = [each for info in describe_modules(model).values() for each in info.parameters]
    assert len(parameters) == 6
    assert all(parameter.tied_to is None for parameter in parameters)
    assert [parameter.sketch is None for parameter in parameters] == [True] * 4 + [False] * 2


def test_a_parametrized_module_owns_what_its_parametrizations_hold() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(2, 3)), spectral_norm(nn.Linear(2, 3)))
    assert [path for path, _ in executed_modules(model)] == ["", "0", "1"]
    owned = {f"{path}.{name}": kind for path, part in executed_modules(model) for name, kind, _ in owned_tensors(part)}
    assert owned.keys() == model.state_dict().keys()
    assert {name for name, kind in owned.items() if kind == "buffer"} == {
        "1.parametrizations.weight.0._u",
        "1.parametrizations.weight.0._v",
    }
    assert [parameter.name for parameter in describe_modules(model)["0"].parameters] == [
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
        "bias",
    ]


def test_buffers_say_whether_a_checkpoint_holds_them() -> None:
    model = nn.BatchNorm1d(2)
    model.register_buffer("scratch", torch.zeros(1), persistent=False)
    model.register_buffer("absent", None)
    kinds = {name: kind for name, kind, _ in owned_tensors(model)}
    assert kinds == {
        "weight": "parameter",
        "bias": "parameter",
        "running_mean": "buffer",
        "running_var": "buffer",
        "num_batches_tracked": "buffer",
        "scratch": "non-persistent buffer",
    }


def test_settings_are_the_public_scalars() -> None:
    model = nn.Conv1d(2, 4, 3, padding=1)
    model.scale, model.limit, model.act = 0.5, float("inf"), torch.nn.functional.gelu  # type: ignore[assignment]
    model.label, model.shapes, model.kind = "x", list(range(9)), nn.Linear  # type: ignore[assignment]
    found = settings(model)
    assert found["in_channels"] == 2
    assert found["kernel_size"] == "(3,)"
    assert found["padding_mode"] == "zeros"
    assert (found["scale"], found["limit"], found["act"], found["label"]) == (0.5, "inf", "gelu", "x")
    assert not {"training", "shapes", "kind", "_parameters"} & found.keys()


def test_sketches_can_be_left_out() -> None:
    described = describe_modules(nn.Linear(2, 2), sketcher=lambda _: None)[""]
    assert [parameter.sketch for parameter in described.parameters] == [None, None]
