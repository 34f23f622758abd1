from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from porting.hooks.module_table import describe_modules
from porting.hooks.module_tree import all_tensors, executed_modules, unobserved_modules, walk


def tree() -> nn.Module:
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"a": nn.Sequential(shared, nn.ReLU()), "b": nn.ModuleList([shared, nn.Linear(2, 2)])})
    model["c"] = weight_norm(nn.Linear(2, 2))
    return model


def test_the_walk_is_the_one_of_torch() -> None:
    model = tree()
    assert list(walk(model)) == list(model.named_modules())
    everywhere = list(model.named_modules(remove_duplicate=False))
    assert list(walk(model, remove_duplicate=False)) == everywhere


def test_parametrizations_are_no_modules_of_their_own() -> None:
    assert [path for path, _ in executed_modules(tree())] == ["", "a", "a.0", "a.1", "b", "b.1", "c"]


def test_tensors_are_given_once() -> None:
    model = tree()
    model.register_buffer("count", torch.zeros(1))
    found = {id(tensor) for tensor in all_tensors(model)}
    assert found == {id(tensor) for tensor in (*model.parameters(), *model.buffers())}


def test_only_the_uppermost_module_that_was_not_called_is_named() -> None:
    block = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model = nn.Sequential(nn.Linear(2, 2), block, nn.ModuleList([nn.Linear(2, 2)]))
    assert unobserved_modules(model, {id(model), id(model[0])}) == ("1", "2.0")
    assert unobserved_modules(model, {id(model[0])}) == ()
    assert unobserved_modules(model, {id(model), id(model[0]), id(block[0])}) == ("1", "2.0")


def test_a_part_that_holds_its_whole_ends_the_walk() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU()))
    model[0].add_module("whole", model)
    assert [path for path, _ in walk(model, remove_duplicate=False)] == ["", "0", "0.0", "0.whole"]
    assert describe_modules(model)["0.whole"].alias_of == ""


def test_nothing_is_listed_below_another_name_of_a_module() -> None:
    model = nn.Sequential(nn.ReLU())
    for _ in range(24):
        model = nn.Sequential(model, model)
    assert len(list(walk(model, remove_duplicate=False))) == 2 * 24 + 2
    assert list(walk(model)) == list(model.named_modules())
