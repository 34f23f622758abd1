from __future__ import annotations

import pytest

from porting.weights.inference.names import agreement, ranks
from porting.weights.inference.words import block, leaf, nearness, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h.0.attn.c_attn.weight", "layers.0.attention.query_key_value.weight"),
        ("layers.0.attention_norm.weight", "layers.0.input_layernorm.weight"),
        ("layers.0.attention.wq.weight", "layers.0.self_attn.q.weight"),
        ("transformer.wte.weight", "transformer.token_embedding.weight"),
        ("block.0.EncDecAttention.k.weight", "block.0.cross_attn.key.weight"),
        ("conv.weight_g", "conv.parametrizations.weight.original0"),
        ("blocks.0.mlp.c_proj.weight", "blocks.0.mlp.fc2.weight"),
    ],
)
def test_names_of_one_thing_have_the_same_words(one: str, other: str) -> None:
    assert set(words(one)) == set(words(other))


def test_norms_are_told_by_their_place_in_a_layer() -> None:
    names = ["input_layernorm", "post_attention_norm", "ffn_norm", "post_mlp_norm", "cross_attn_ln"]
    assert [words(f"layers.0.{name}.weight")[1] for name in names] == [
        "first",
        "firstpost",
        "second",
        "secondpost",
        "crossattn",
    ]


def test_the_end_of_a_name_says_what_a_tensor_is_to_its_module() -> None:
    names = ["a.in_proj_bias", "a.gamma", "a.running_mean", "a.weight_g", "a.parametrizations.weight.original1", "cls"]
    assert [leaf(name) for name in names] == ["bias", "weight", "mean", "g", "v", ""]


def test_a_name_says_in_which_half_of_a_layer_it_is_or_nothing() -> None:
    assert [block(name) for name in ("h.0.attn.out", "h.0.mlp.out", "h.0.out")] == ["attn", "mlp", ""]


def test_a_beginning_is_nearly_the_word() -> None:
    assert nearness("proj", "projection") == 0.6
    assert nearness("q", "query") == 0.0  # too short to say anything


def test_ranks_count_from_the_first_number_that_there_is() -> None:
    found = ranks(["layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer2.1.conv1.weight", "mlp.0.w", "mlp.2.w"])
    assert list(found.values()) == [(0, 0), (1, 0), (1, 1), (0,), (1,)]


def test_ranks_agree_the_more_the_longer_they_are_the_same_from_the_first_on() -> None:
    given = [agreement((2, 0), other) for other in ((2, 0), (2,), (2, 1), (0, 2), (1, 1))]
    assert given == sorted(given, reverse=True)
    assert (agreement((), ()), agreement((1,), ()), agreement((1,), (2,))) == (1.0, 0.5, 0.0)
