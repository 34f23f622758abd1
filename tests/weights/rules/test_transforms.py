"""Transformers' own transforms, planned here, give what ``from_pretrained`` gives; its traps are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, PreTrainedModel
from transformers import conversion_mapping as registry
from transformers.core_model_loading import (
    Chunk,
    Concatenate,
    Conv3dToLinear,
    Interleave,
    LinearToConv3d,
    MergeModulelist,
    PermuteForRope,
    SplitModulelist,
    Transpose,
    WeightConverter,
    WeightRenaming,
)
from transformers.core_model_loading import Split as SplitBySizes

from porting.errors import RuleError
from porting.weights import Convert, Drop, PermuteRope, Rename, apply_rules, check_weights
from porting.weights.report import Spec
from porting.weights.rules.planning import plan
from porting.weights.rules.transforms import own_transforms

State = dict[str, torch.Tensor]
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 11}


def llama(**changes: int) -> LlamaConfig:
    return LlamaConfig(**{**SIZES, "num_attention_heads": 4, "num_key_value_heads": 2, **changes})


class Toy(PreTrainedModel):  # type: ignore[misc]
    """Holds one tensor of each kind in each of its layers; nothing is computed."""

    config_class = LlamaConfig
    base_model_prefix = "model"

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(nn.Module() for _ in range(2))
        for layer in self.layers:
            for name, shape in SHAPES.items():
                layer.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        self.post_init()


SHAPES = {
    "plain": (3,),
    "q": (4, 5),
    "k": (4, 5),
    "v": (4, 5),
    "wide": (6, 2),
    "narrow": (2, 2),
    "joined": (5, 2),
    "experts": (3, 8, 2),
    "downs": (3, 2, 4),
    "turned": (5, 3),
    "mixed": (6, 2),
    "patch": (4, 12),
    "kernel": (4, 3, 1, 2, 2),
    "rope": (16, 4),
}


def transforms() -> list[Any]:
    """Every operation that is not deprecated, those in a chain, and renamings that chain."""
    return [
        WeightRenaming(r"^blocks\.", "layers."),
        WeightRenaming("attn.qkv", "qkv"),
        WeightRenaming("^gone$", "layers.0.gone"),
        WeightConverter("qkv", ["q", "k", "v"], [Chunk(dim=0)]),
        WeightConverter("uneven", ["wide", "narrow"], [SplitBySizes(dim=0)]),
        WeightConverter(["left", "right"], "joined", [Concatenate(dim=0)]),
        WeightConverter(["expert.*.gate", "expert.*.up"], "experts", [MergeModulelist(dim=0), Concatenate(dim=1)]),
        WeightConverter("expert.*.down", "downs", [MergeModulelist(dim=0)]),
        WeightConverter("straight", "turned", [Transpose(0, 1)]),
        WeightConverter("pairwise", "mixed", [Interleave(dim=0)]),
        WeightConverter("conv", "patch", [Conv3dToLinear(3, (1, 2, 2))]),
        WeightConverter("flat", "kernel", [LinearToConv3d(3, (1, 2, 2))]),
        WeightConverter("wq", "rope", [PermuteForRope()]),
    ]


def original() -> State:
    shapes: dict[str, tuple[int, ...]] = {
        "plain": (3,),
        "attn.qkv": (12, 5),
        "uneven": (8, 2),
        "left": (2, 2),
        "right": (3, 2),
        "straight": (3, 5),
        "pairwise": (6, 2),
        "conv": (4, 3, 1, 2, 2),
        "flat": (4, 12),
        "wq": (16, 4),
    }
    for expert in range(3):
        shapes |= {f"expert.{expert}.{part}": (4, 2) for part in ("gate", "up")} | {f"expert.{expert}.down": (2, 4)}
    generator = torch.Generator().manual_seed(0)
    return {
        f"blocks.{i}.{name}": torch.randn(shape, generator=generator)
        for i in range(2)
        for name, shape in shapes.items()
    }


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register transforms for the toy, and forget them after."""
    registry.get_checkpoint_conversion_mapping("llama")  # builds the registry
    monkeypatch.setattr(registry, "_checkpoint_conversion_mapping_cache", dict(_registry()))
    monkeypatch.setattr(registry, "USER_REGISTERED_MAPPINGS", set(registry.USER_REGISTERED_MAPPINGS))
    return lambda given: registry.register_checkpoint_conversion_mapping("Toy", given, overwrite=True)


def _registry() -> dict[str, Any]:
    cache: Any = registry._checkpoint_conversion_mapping_cache
    return dict(cache)


def loaded(model: type[Any], config: Any, state: State, folder: Path) -> State:
    """What ``from_pretrained`` makes of a checkpoint."""
    config.save_pretrained(folder)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    found, report = model.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return dict(found.state_dict())


def assert_equal(found: State, expected: State) -> None:
    assert set(found) == set(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


def test_every_operation_gives_what_from_pretrained_gives(register: Any, tmp_path: Path) -> None:
    register(transforms())
    expected = loaded(Toy, llama(), original(), tmp_path)
    with torch.device("meta"):
        model = Toy(llama())
    found = apply_rules(own_transforms(model), original(), model=model)
    assert_equal(found, expected)
    assert check_weights(tmp_path, model).ok


def test_transforms_may_stand_among_other_rules(register: Any, tmp_path: Path) -> None:
    register(transforms())
    expected = loaded(Toy, llama(), original(), tmp_path)
    mine = [Drop("rope.freqs", "computed by the port"), Rename("blocks.{i:d}.simple", "layers.{i}.plain")]
    state = {name.replace(".plain", ".simple"): tensor for name, tensor in original().items()}
    found = apply_rules([*mine, *transforms()], {**state, "rope.freqs": torch.ones(2)}, model=Toy(llama()))
    assert_equal(found, expected)


def test_planning_changes_no_transform() -> None:
    given = transforms()
    apply_rules(given, original(), model=Toy(llama()))
    assert not any(each.collected_tensors or each.layer_targets or each.was_used() for each in given)


def test_renamings_of_a_key_mapping_are_those_of_from_pretrained(tmp_path: Path) -> None:
    mapping = {r"^transformer\.h": "model.layers", r"^transformer\.": "model.", "attention": "self_attn"}
    ported = LlamaForCausalLM(llama())
    state = {_old_name(name): tensor for name, tensor in ported.state_dict().items()}
    llama().save_pretrained(tmp_path)
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "model.safetensors")
    expected = LlamaForCausalLM.from_pretrained(tmp_path, key_mapping=mapping).state_dict()
    found = apply_rules([WeightRenaming(a, b) for a, b in mapping.items()], state, model=ported)
    assert_equal(found, dict(expected))
    assert_equal(found, ported.state_dict())


def _old_name(name: str) -> str:
    return (
        name.replace("model.layers", "transformer.h")
        .replace("model.", "transformer.")
        .replace("self_attn", "attention")
    )


def test_experts_of_mixtral_are_stacked_by_its_own_transforms(tmp_path: Path) -> None:
    config = MixtralConfig(**SIZES, num_attention_heads=2, num_key_value_heads=1, num_local_experts=12)
    ported = MixtralForCausalLM(config)
    ported.save_pretrained(tmp_path)  # in the original's names: a tensor for each expert
    state = load_file(tmp_path / "model.safetensors")
    assert "model.layers.0.block_sparse_moe.experts.11.w1.weight" in state
    assert_equal(apply_rules(own_transforms(ported), state, model=ported), dict(ported.state_dict()))


def test_a_name_that_neither_transforms_nor_the_model_know_is_not_lost() -> None:
    with pytest.raises(RuleError, match=r"no rule takes blocks\.0\.plian|no rule takes other"):
        apply_rules(transforms(), {**original(), "other": torch.ones(1)}, model=Toy(llama()))


def test_rope_of_grouped_keys_is_a_trap_that_is_named() -> None:
    """It permutes keys by the number of query heads: wrong, as `PermuteRope` with their own number shows."""
    key = torch.arange(8.0)[:, None].repeat(1, 16)
    names = [f"model.layers.{i}.self_attn.k_proj.weight" for i in range(2)]
    model = LlamaForCausalLM(llama())
    theirs = [WeightConverter("wk.weight", "k_proj.weight", [PermuteForRope()])]
    state = {name.replace("k_proj", "wk"): key for name in names}
    planned = plan(theirs, {name: Spec.of(tensor) for name, tensor in state.items()}, model=model)
    assert [remark.code for remark in planned.remarks] == ["rope-heads"]
    wrong = apply_rules(theirs, state, model=model)
    mine = Convert("{p:*}.wk.weight", "{p}.k_proj.weight", PermuteRope("num_key_value_heads"))
    right = apply_rules([mine], state, config=model.config)
    assert right[names[0]][:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert not torch.equal(wrong[names[0]], right[names[0]])
    full = apply_rules(theirs, state, model=LlamaForCausalLM(llama(num_key_value_heads=4)))
    assert torch.equal(full[names[0]], wrong[names[0]])


def test_a_pattern_that_takes_two_tensors_is_a_problem(register: Any, tmp_path: Path) -> None:
    """Transformers loads the first, and says nothing of the other."""
    given = [*transforms(), WeightConverter(r"straight\d", "turned", [Transpose(0, 1)])]
    register(given)
    state = {name: tensor for name, tensor in original().items() if "straight" not in name}
    state |= {f"blocks.{i}.straight{n}": torch.randn(3, 5) for i in range(2) for n in (1, 2)}
    expected = loaded(Toy, llama(), state, tmp_path)
    assert torch.equal(expected["layers.1.turned"], state["blocks.1.straight1"].T)
    specs = {name: Spec.of(tensor) for name, tensor in state.items()}
    planned = plan(given, specs, model=Toy(llama()))
    assert [each.sources for each in planned.problems] == [
        (f"blocks.{i}.straight1", f"blocks.{i}.straight2") for i in range(2)
    ]
    assert "all but the first" in planned.problems[0].message


def test_a_stacked_tensor_is_not_taken_apart_on_loading(register: Any, tmp_path: Path) -> None:
    given = [*transforms(), WeightConverter("stacked", "part.*.w", [SplitModulelist(dim=0)])]
    register(given)
    state = {**original(), "blocks.0.stacked": torch.ones(2, 3)}
    with pytest.raises(AssertionError, match=r"unexpected_keys.*part"):
        loaded(Toy, llama(), state, tmp_path)
    with pytest.raises(RuleError, match="when it saves, not when it loads"):
        apply_rules(given, state, model=Toy(llama()))


def test_unequal_chunks_do_not_fit_the_model() -> None:
    state = {"layers.0.qkv": torch.ones(11, 5)}
    findings = check_weights(state, Toy(llama()), [WeightConverter("qkv", ["q", "k", "v"], [Chunk(0)])]).findings
    assert {each.name for each in findings if each.status == "MISMATCH"} == {"layers.0.v"}


def test_renamings_that_collide_are_found(register: Any, tmp_path: Path) -> None:
    """Transformers loads the first, and says nothing of the other."""
    given = [*transforms(), WeightRenaming("simple", "plain")]
    register(given)
    state = {**original(), "blocks.0.simple": torch.ones(3)}
    assert torch.equal(loaded(Toy, llama(), state, tmp_path)["layers.0.plain"], state["blocks.0.plain"])
    with pytest.raises(RuleError, match="made twice"):
        apply_rules(given, state, model=Toy(llama()))


def test_the_last_of_two_converters_with_one_pattern_counts(register: Any, tmp_path: Path) -> None:
    first = WeightConverter("straight", "turned", [Conv3dToLinear(1, (1, 1, 1))])
    register([first, *transforms()])
    expected = loaded(Toy, llama(), original(), tmp_path)
    assert_equal(apply_rules([first, *transforms()], original(), model=Toy(llama())), expected)


@pytest.mark.parametrize("name", ["a.²", f"layers.{'9' * 5000}.plain"])
def test_names_that_transformers_cannot_sort_are_an_error(name: str) -> None:
    with pytest.raises(RuleError, match="cannot sort"):
        apply_rules(transforms(), {name: torch.ones(1)}, model=Toy(llama()))


def test_transforms_need_the_model() -> None:
    with pytest.raises(RuleError, match="need the ported model") as caught:
        apply_rules(transforms(), original())
    assert "config()" in caught.value.hint
