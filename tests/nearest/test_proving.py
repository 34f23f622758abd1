"""What structure suggests is proven by a model that is built: exactly the checkpoint's tensors, or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
import torch
from nearest.named import Shapes, decoder, experts, mixer, shipped, vision
from torch.nn.modules import module

from porting.nearest import Candidate, nearest_architectures, proving
from porting.nearest.architectures import read_index
from porting.nearest.limits import Limits
from porting.nearest.result import Proof


@pytest.fixture(scope="module", autouse=True)
def one_index() -> Iterator[None]:
    with shipped():
        yield


@pytest.fixture(autouse=True)
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine as on a fast one."""
    monkeypatch.setattr(proving, "SECONDS", 60.0)


def first(shapes: Shapes, model_type: str) -> Candidate:
    index = read_index()
    only = replace(index, architectures=tuple(each for each in index.architectures if each.model_type == model_type))
    return proving.prove(nearest_architectures(shapes, limit=1, index=only), shapes)[0]


def proof_of(shapes: Shapes, model_type: str) -> Proof:
    proof = first(shapes, model_type).proof
    assert proof is not None
    return proof


def test_an_unmodified_model_is_built_with_the_settings_that_its_shapes_tell() -> None:
    found = first(decoder(), "llama")
    assert found.unmodified
    assert found.proof is not None
    assert found.proof.exact
    told = {"hidden_size": 640, "intermediate_size": 1728, "vocab_size": 5003, "num_hidden_layers": 5}
    assert told.items() <= found.proof.settings.items()
    assert "max_position_embeddings" not in found.proof.settings
    assert "was built and has exactly these tensors: this may be an unmodified one" in found.statement()


def test_heads_of_which_shapes_tell_the_proportion_alone_are_left_open() -> None:
    proof = proof_of(decoder(), "llama")
    heads, groups = (int(proof.settings[f"num_{name}_heads"]) for name in ("attention", "key_value"))
    assert heads == 4 * groups
    assert set(proof.loose) == {"num_attention_heads", "num_key_value_heads"}
    assert "shapes leave open num_" in proof.statement()


def test_a_grid_of_positions_and_the_number_of_classes_are_found() -> None:
    proof = proof_of(vision(width=192, inner=768, patch=8), "vit")
    assert proof.exact
    assert (proof.settings["patch_size"], proof.settings["image_size"]) == (8, 128)
    assert proof.settings["num_labels"] == 21


def test_lists_of_experts_are_those_of_a_model_that_stacks_them() -> None:
    assert proof_of(experts(), "mixtral").exact


def test_tensors_without_a_place_are_counted_in_all_layers() -> None:
    shapes = decoder() | {f"layers.{layer}.attention.inner_norm.weight": (640,) for layer in range(5)}
    proof = proof_of(shapes, "llama")
    assert (proof.exact, proof.left, proof.empty) == (False, 5, 0)
    assert proof.statement().endswith("5 tensors of the checkpoint have no place")
    assert not first(shapes, "llama").unmodified


def test_tensors_that_are_not_there_are_counted_in_all_layers() -> None:
    proof = proof_of({name: shape for name, shape in decoder().items() if "ffn_norm" not in name}, "llama")
    assert (proof.left, proof.empty) == (0, 5)
    assert proof.of_empty == ("model.layers.*.post_attention_layernorm.weight (640,)",)


def test_a_single_tensor_of_another_size_is_no_unmodified_model() -> None:
    proof = proof_of(decoder() | {"layers.2.feed_forward.w1.weight": (1720, 640)}, "llama")
    assert (proof.left, proof.empty) == (1, 1)
    assert proof.of_left == ("layers.2.feed_forward.w1.weight (1720, 640)",)


def test_one_that_is_exact_goes_first() -> None:
    shapes = decoder()
    near = [each for each in nearest_architectures(shapes, limit=10) if each.model_type in ("llama", "glm")]
    wrong = replace(near[0], model_type="glm4_moe", class_name="Glm4MoeForCausalLM")
    found = proving.prove([wrong, *near], shapes)
    assert found[0].model_type == near[0].model_type
    assert [each.proof is not None and each.proof.exact for each in found[:2]] == [True, False]


def test_what_nothing_is_near_to_is_not_built() -> None:
    shapes = mixer()
    assert {each.proof for each in proving.prove(nearest_architectures(shapes), shapes)} == {None}


def test_what_is_proven_is_json() -> None:
    document = first(decoder(), "llama").to_dict()["proof"]
    assert document["exact"] is True
    assert document["settings"]["hidden_size"] == 640


def test_nothing_is_left_behind() -> None:
    state = torch.random.get_rng_state()
    first(vision(width=192, inner=768, patch=8), "vit")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not module._global_parameter_registration_hooks
    assert not module._global_module_registration_hooks


@pytest.mark.parametrize("most", [{"seconds": 0.3, "tensors": 1 << 40}, {"seconds": 60.0, "tensors": 1000}])
def test_a_constructor_without_an_end_is_stopped(most: dict[str, float]) -> None:
    started = time.thread_time()
    limits = Limits(started + most["seconds"], int(most["tensors"]))
    with pytest.raises(Exception, match="went on for too long"), limits.kept():
        torch.nn.ModuleList(torch.nn.Identity() for _ in count())
    assert time.thread_time() - started < 20


def test_hostile_sizes_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "SECONDS", 2.0)
    shapes = decoder() | {"tok_embeddings.weight": (2**46, 640), "output.weight": (2**46, 640)}
    shapes |= {f"layers.{layer}.feed_forward.w1.weight": (2**44, 640) for layer in range(5)}
    started = time.thread_time()
    found = proving.prove(nearest_architectures(shapes, limit=2), shapes)
    assert time.thread_time() - started < 30
    assert not any(each.proof is not None and each.proof.exact for each in found)


def test_what_cannot_be_told_apart_proves_nothing() -> None:
    found = first(decoder() | {"layers/0.attention.wq.weight": (640, 641)}, "llama")
    assert found.proof is None


def test_a_model_type_that_cannot_be_imported_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config_class: type) -> list[type]:
        raise SyntaxError("somebody works on it")

    monkeypatch.setattr(proving, "classes_of", broken)
    assert first(decoder(), "llama").proof is None


def test_only_classes_of_transformers_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import CONFIG_MAPPING, LlamaConfig

    asked: list[type] = []
    monkeypatch.setitem(CONFIG_MAPPING._extra_content, "llama", type("OtherConfig", (LlamaConfig,), {}))
    monkeypatch.setattr(proving, "classes_of", asked.append)
    assert first(decoder(), "llama").proof is None
    assert asked == []
