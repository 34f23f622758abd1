"""The nearest architectures of invented checkpoints, right ones, modified ones and strange ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from nearest.named import Shapes, decoder, experts, mixer, perceptron, plain, shipped, vision

from porting.nearest import Candidate, conclusion, nearest_architectures
from porting.nearest.architectures import Index, read_index


@pytest.fixture(scope="module", autouse=True)
def one_index() -> Iterator[None]:
    with shipped():
        yield


def first(shapes: Shapes) -> Candidate:
    return nearest_architectures(shapes, limit=1)[0]


def only(model_type: str) -> Index:
    """The index without all other architectures."""
    index = read_index()
    return replace(index, architectures=tuple(each for each in index.architectures if each.model_type == model_type))


def test_a_decoder_under_other_names_is_llama_and_what_shapes_cannot_tell_from_it() -> None:
    found = first(decoder())
    assert (found.model_type, found.verdict) == ("llama", "unmodified")
    assert (found.placed, found.tensors, found.share) == (48, 48, 1.0)
    assert {"mistral", "gemma"} <= set(found.tied)
    assert found.statement().startswith("every tensor has a place: this may be an unmodified LlamaForCausalLM")


def test_what_the_shapes_tell_of_the_config_is_told() -> None:
    config = first(decoder(width=512, inner=1400, kv=128, vocab=7001, layers=7)).config
    assert config["hidden_size"] == 512
    assert config["intermediate_size"] == 1400
    assert config["vocab_size"] == 7001
    assert config["num_hidden_layers"] == 7
    assert "max_position_embeddings" not in config


def test_a_vision_transformer_with_fused_projections_is_vit() -> None:
    found = first(vision())
    assert (found.model_type, found.verdict) == ("vit", "unmodified")
    assert found.ways == ("2 kinds of tensors are split into several",)


def test_lists_of_experts_are_those_that_transformers_stacks() -> None:
    found = first(experts())
    assert (found.model_type, found.verdict) == ("mixtral", "unmodified")
    assert found.config["num_local_experts"] == 6


@pytest.mark.parametrize("shapes", [mixer(), plain(), perceptron()])
def test_nothing_is_near_a_net_of_another_kind(shapes: Shapes) -> None:
    found = nearest_architectures(shapes)
    assert {each.verdict for each in found} == {"far"}
    assert conclusion(found).startswith("nothing near")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("layers.{}.attention.inner_norm.weight", (640,)),
        ("layers.{}.feed_forward.w2.bias", (640,)),
        ("layers.{}.attention.gate_up.weight", (77, 640)),
        ("layers.{}.adapter.weight", (640, 640)),
    ],
)
def test_a_modified_model_is_not_called_unmodified(name: str, shape: tuple[int, ...]) -> None:
    own = decoder() | {name.format(layer): shape for layer in range(5)}
    (llama,) = nearest_architectures(own, index=only("llama"))
    assert llama.verdict == "near"
    assert llama.placed < llama.tensors or llama.empty


def test_a_model_without_a_part_is_not_called_unmodified() -> None:
    own = {name: shape for name, shape in decoder().items() if "ffn_norm" not in name}
    (llama,) = nearest_architectures(own, index=only("llama"))
    assert llama.verdict == "near"
    assert llama.empty == ("model.layers.*.post_attention_layernorm.weight (4096,)",)


def test_a_checkpoint_without_tensors_is_near_nothing() -> None:
    assert nearest_architectures({}) == ()
    assert conclusion(()).startswith("nothing near")


def test_candidates_are_json() -> None:
    (found,) = nearest_architectures(decoder(), limit=1)
    assert json.loads(json.dumps(found.to_dict()))["model_type"] == found.model_type


def test_hostile_checkpoints_take_bounded_time() -> None:
    odd: Shapes = {
        **{f"a.{n}.b.{n % 7}.{n * n}.w": (n, 2**60, n % 5) for n in range(20_000)},
        **{f"{'x.' * 900}{n}": () for n in range(200)},
        "\x1b[31m\u202e.weight": (0, 10**30),
        "": (3,) * 40,
    }
    started = time.monotonic()
    found = nearest_architectures(odd)
    assert time.monotonic() - started < 30
    assert all("\x1b" not in line for each in found for line in (*each.left, *each.empty))
