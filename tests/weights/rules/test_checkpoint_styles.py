"""Rules for the ways in which real checkpoints name and lay out tensors, against the arithmetic of each by hand."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from porting.weights import (
    Add,
    At,
    Cast,
    Concatenate,
    Convert,
    Copy,
    Drop,
    FoldWeightNorm,
    InsertZeros,
    Permute,
    PermuteRope,
    Rename,
    Slice,
    Split,
    Stack,
    Transpose,
    Unflatten,
    Unstack,
    apply_rules,
)
from porting.weights.rules.rule import Rule

State = dict[str, torch.Tensor]


def state_of(**shapes: tuple[int, ...]) -> State:
    """Names, in which a double underscore is a dot, with values of their own."""
    generator = torch.Generator().manual_seed(0)
    return {name.replace("__", "."): torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def assert_becomes(rules: list[Rule], state: State, expected: State, **config: int) -> None:
    found = apply_rules(rules, state, config=SimpleNamespace(**config))
    assert set(found) == set(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


def test_gpt2_has_conv1d_for_linear_layers_and_masks() -> None:
    state = state_of(wte__weight=(9, 4), h__11__attn__c_attn__weight=(4, 12), h__11__attn__c_attn__bias=(12,))
    state |= {"h.11.attn.bias": torch.ones(1, 1, 8, 8), "h.11.mlp.c_fc.weight": torch.randn(4, 16)}
    rules: list[Rule] = [
        Rename("wte.weight", "embed.weight", "lm_head.weight"),
        Drop("h.{i:d}.attn.bias", "the causal mask"),
        Convert("h.{i:d}.attn.c_attn.weight", [f"layers.{{i}}.{n}.weight" for n in "qkv"], Transpose(), Split()),
        Convert("h.{i:d}.attn.c_attn.bias", [f"layers.{{i}}.{n}.bias" for n in "qkv"], Split()),
        Convert("h.{i:d}.mlp.c_{name:fc|proj}.weight", "layers.{i}.{name}.weight", Transpose()),
    ]
    fused, bias = state["h.11.attn.c_attn.weight"], state["h.11.attn.c_attn.bias"]
    expected = {f"layers.11.{n}.weight": fused[:, 4 * i : 4 * i + 4].T for i, n in enumerate("qkv")}
    expected |= {f"layers.11.{n}.bias": bias[4 * i : 4 * i + 4] for i, n in enumerate("qkv")}
    expected |= {"layers.11.fc.weight": state["h.11.mlp.c_fc.weight"].T}
    assert_becomes(
        rules, state, {**expected, "embed.weight": state["wte.weight"], "lm_head.weight": state["wte.weight"]}
    )


def rope_of_meta(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """As the conversion script of Llama in Transformers has it."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def test_llama_of_meta_turns_pairs_and_has_fewer_keys() -> None:
    names = {"wq": (16, 8), "wk": (8, 8), "wv": (8, 8), "wo": (8, 16)}
    state = {f"layers.{i}.attention.{n}.weight": torch.randn(s) for n, s in names.items() for i in (0, 10)}
    state |= {"layers.0.feed_forward.w3.weight": torch.randn(5, 8), "rope.freqs": torch.ones(2)}
    old, new = "layers.{i:d}.attention", "model.layers.{i}.self_attn"
    rules: list[Rule] = [
        Convert(f"{old}.wq.weight", f"{new}.q_proj.weight", PermuteRope("num_attention_heads")),
        Convert(f"{old}.wk.weight", f"{new}.k_proj.weight", PermuteRope("num_key_value_heads")),
        *(Rename(f"{old}.w{n}.weight", f"{new}.{n}_proj.weight") for n in "vo"),
        *(
            Rename(f"layers.{{i:d}}.feed_forward.{a}.weight", f"model.layers.{{i}}.mlp.{b}_proj.weight")
            for a, b in {"w3": "up"}.items()
        ),
        Drop("rope.freqs", "computed by the port"),
    ]
    expected = {"model.layers.0.mlp.up_proj.weight": state["layers.0.feed_forward.w3.weight"]}
    for i in (0, 10):
        q, k, v, o = (state[f"layers.{i}.attention.w{n}.weight"] for n in "qkvo")
        made = {"q": rope_of_meta(q, 4), "k": rope_of_meta(k, 2), "v": v, "o": o}
        expected |= {f"model.layers.{i}.self_attn.{n}_proj.weight": tensor for n, tensor in made.items()}
    assert_becomes(rules, state, expected, num_attention_heads=4, num_key_value_heads=2)


def test_shards_of_several_ranks_are_joined() -> None:
    """Meta's consolidated.00, .01, ... loaded under a prefix: rows of some, columns of others, one copy of norms."""
    state = {f"rank{r}.wq": torch.randn(4, 6) for r in range(3)} | {f"rank{r}.wo": torch.randn(6, 2) for r in range(3)}
    state |= {f"rank{r}.norm": torch.ones(6) for r in range(3)}
    rules: list[Rule] = [
        Convert("rank{r:d}.wq", "q_proj", Concatenate()),
        Convert("rank{r:d}.wo", "o_proj", Concatenate(1)),
        Rename("rank0.norm", "norm"),
        Drop("rank{r:d}.norm", "the same on every rank"),
    ]
    expected = {
        name: torch.cat([state[f"rank{r}.w{name[0]}"] for r in range(3)], dim)
        for name, dim in (("q_proj", 0), ("o_proj", 1))
    }
    assert_becomes(rules, state, {**expected, "norm": torch.ones(6)})


def test_falcon_has_four_queries_to_each_key_and_value() -> None:
    state = state_of(h__0__qkv__weight=(2 * 6 * 3, 5))
    grouped = state["h.0.qkv.weight"].view(2, 6, 3, 5)
    expected = {"0.q": grouped[:, :4].reshape(24, 5), "0.k": grouped[:, 4].reshape(6, 5)}
    rules: list[Rule] = [
        Convert(
            "h.{i:d}.qkv.weight",
            ["{i}.q", "{i}.k", "{i}.v"],
            Split(("4*head_dim", "head_dim", "head_dim"), groups="num_kv_heads"),
        )
    ]
    assert_becomes(rules, state, {**expected, "0.v": grouped[:, 5].reshape(6, 5)}, head_dim=3, num_kv_heads=2)


def test_starcoder_has_one_key_for_all_queries() -> None:
    state = state_of(c_attn__weight=(16, 12), c_attn__bias=(16,))
    rules: list[Rule] = [Convert("c_attn.{leaf}", ["q.{leaf}", "k.{leaf}", "v.{leaf}"], Split(("hidden_size", 2, 2)))]
    expected = {
        f"{n}.{leaf}": state[f"c_attn.{leaf}"][rows]
        for n, rows in {"q": slice(12), "k": slice(12, 14), "v": slice(14, 16)}.items()
        for leaf in ("weight", "bias")
    }
    assert_becomes(rules, state, expected, hidden_size=12)


def test_gpt_neox_and_bloom_have_q_k_v_of_each_head() -> None:
    state = state_of(qkv__weight=(4 * 3 * 2, 5), qkv__bias=(24,))
    rules: list[Rule] = [Convert("qkv.{leaf}", ["q.{leaf}", "k.{leaf}", "v.{leaf}"], Split(groups="n_head"))]
    expected = {
        f"{n}.{leaf}": tensor.view(4, 3, 2, *tensor.shape[1:])[:, i].flatten(0, 1)
        for leaf in ("weight", "bias")
        for i, n in enumerate("qkv")
        for tensor in [state[f"qkv.{leaf}"]]
    }
    assert_becomes(rules, state, expected, n_head=4)


def test_a_fused_projection_has_rotary_pairs_in_two_of_its_parts() -> None:
    state = state_of(wqkv=(16, 6))
    rules: list[Rule] = [
        Convert("wqkv", ["q", "k", "v"], Split((8, 4, 4)), At(0, PermuteRope("heads")), At(1, PermuteRope("groups")))
    ]
    q, k, v = torch.split(state["wqkv"], [8, 4, 4])
    assert_becomes(rules, state, {"q": rope_of_meta(q, 2), "k": rope_of_meta(k, 1), "v": v}, heads=2, groups=1)


def test_t5_of_t5x_is_scanned_and_in_by_out() -> None:
    state = {
        "encoder/layers/attention/query/kernel": torch.randn(4, 12, 6),
        "encoder/layers/pre_attention_layer_norm/scale": torch.randn(4, 12),
        "token_embedder/embedding": torch.randn(9, 4),
        "decoder/logits_dense/kernel": torch.randn(4, 9),
    }
    rules: list[Rule] = [
        Convert("encoder/layers/attention/query/kernel", "encoder.block.{i}.q.weight", Unstack(1), Transpose()),
        Convert("encoder/layers/pre_attention_layer_norm/scale", "encoder.block.{i}.norm.weight", Unstack(1)),
        Rename("token_embedder/embedding", "shared.weight"),
        Convert("decoder/logits_dense/kernel", "lm_head.weight", Transpose()),
    ]
    expected = {"shared.weight": state["token_embedder/embedding"]}
    expected |= {"lm_head.weight": state["decoder/logits_dense/kernel"].T}
    for i in range(12):
        expected[f"encoder.block.{i}.q.weight"] = state["encoder/layers/attention/query/kernel"][:, i].T
        expected[f"encoder.block.{i}.norm.weight"] = state["encoder/layers/pre_attention_layer_norm/scale"][:, i]
    assert_becomes(rules, state, expected)


def test_bert_of_tensorflow_has_kernels_and_gammas() -> None:
    old, new = "bert/encoder/layer_{i:d}/attention/output/", "encoder.layer.{i}.attention.output."
    state = {
        old.replace("{i:d}", str(i)) + end: torch.randn(3, 3)
        for i in (2, 10)
        for end in ("dense/kernel", "LayerNorm/gamma")
    }
    state["global_step"] = torch.tensor(7)
    rules: list[Rule] = [
        Convert(f"{old}dense/kernel", f"{new}dense.weight", Transpose()),
        *(
            Rename(f"{old}LayerNorm/{a}", f"{new}LayerNorm.{b}")
            for a, b in {"gamma": "weight", "beta": "bias"}.items()
        ),
        Drop("global_step", "of training"),
    ]
    expected = {}
    for i in (2, 10):
        source, target = old.replace("{i:d}", str(i)), new.replace("{i}", str(i))
        expected[f"{target}dense.weight"] = state[f"{source}dense/kernel"].T
        expected[f"{target}LayerNorm.weight"] = state[f"{source}LayerNorm/gamma"]
    assert_becomes(rules, state, expected)


def test_mixtral_dbrx_and_gpt_oss_lay_out_experts_otherwise() -> None:
    state = state_of(dbrx__w1=(3 * 4, 5), oss__gate_up=(3, 5, 8))
    state |= {f"mixtral.{e}.{w}": torch.randn(4, 5) for e in range(11) for w in ("w1", "w3")}
    rules: list[Rule] = [
        Convert(["mixtral.{e:d}.w1", "mixtral.{e:d}.w3"], "mixtral.gate_up", Stack(), Concatenate(1)),
        Convert("dbrx.w1", "dbrx.{expert}.gate", Unflatten(("experts", -1), 0), Unstack()),
        Convert("oss.gate_up", ["oss.{e}.gate", "oss.{e}.up"], Transpose(1, 2), Split(dim=1, groups=4), Unstack()),
    ]
    expected = {f"dbrx.{e}.gate": state["dbrx.w1"][4 * e : 4 * e + 4] for e in range(3)}
    for e in range(3):
        expected[f"oss.{e}.gate"] = state["oss.gate_up"][e, :, ::2].T
        expected[f"oss.{e}.up"] = state["oss.gate_up"][e, :, 1::2].T
    both = [torch.cat([state[f"mixtral.{e}.w1"], state[f"mixtral.{e}.w3"]]) for e in range(11)]
    assert_becomes(rules, state, {**expected, "mixtral.gate_up": torch.stack(both)}, experts=3)


def test_wav2vec2_normalises_the_weights_of_one_convolution() -> None:
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(6, 6, 5), dim=2)
    values = dict(conv.named_parameters())
    g, v = (values[f"parametrizations.weight.original{n}"].detach() for n in (0, 1))
    state = {"encoder.pos_conv.0.weight_g": g, "encoder.pos_conv.0.weight_v": v, "mask_emb": torch.ones(3)}
    folded: list[Rule] = [
        Convert(["encoder.pos_conv.0.weight_g", "encoder.pos_conv.0.weight_v"], "conv.weight", FoldWeightNorm(dim=2)),
        Rename("mask_emb", "masked_spec_embed"),
    ]
    assert_becomes(folded, state, {"conv.weight": conv.weight.detach(), "masked_spec_embed": torch.ones(3)})


def test_beit_has_no_bias_of_keys_and_shares_a_table() -> None:
    state = state_of(blocks__0__q_bias=(4,), blocks__0__v_bias=(4,), rel_pos__table=(5, 2), blocks__0__gamma_1=(4,))
    rules: list[Rule] = [
        Convert(["blocks.{i:d}.q_bias", "blocks.{i:d}.v_bias"], "layer.{i}.qkv.bias", InsertZeros(1), Concatenate()),
        Convert("rel_pos.table", [f"layer.{i}.table" for i in range(3)], Copy(3)),
        Rename("blocks.{i:d}.gamma_{n:d}", "layer.{i}.lambda_{n}"),
    ]
    q, v = state["blocks.0.q_bias"], state["blocks.0.v_bias"]
    expected = {"layer.0.qkv.bias": torch.cat([q, torch.zeros(4), v]), "layer.0.lambda_1": state["blocks.0.gamma_1"]}
    assert_becomes(rules, state, {**expected, **{f"layer.{i}.table": state["rel_pos.table"] for i in range(3)}})


def test_detr_and_convnext_and_flax_convolutions() -> None:
    state = state_of(
        decoder__2__multihead_attn__in_proj_weight=(12, 4),
        downsample_layers__0__1__weight=(4,),
        downsample_layers__2__0__weight=(4,),
        stages__2__8__gamma=(4,),
        stem__conv__kernel=(7, 7, 3, 8),
    )
    attention = "decoder.layers.{i}.encoder_attn"
    rules: list[Rule] = [
        Convert(
            "decoder.{i:d}.multihead_attn.in_proj_{leaf}", [f"{attention}.{n}_proj.{{leaf}}" for n in "qkv"], Split()
        ),
        Rename("downsample_layers.0.{n:d}.{leaf}", "embeddings.{n}.{leaf}"),
        Rename("downsample_layers.{s:d}.{n:d}.{leaf}", "stages.{s}.downsampling_layer.{n}.{leaf}"),
        Rename("stages.{s:d}.{i:d}.gamma", "stages.{s}.layers.{i}.layer_scale_parameter"),
        Convert("{path:*}.kernel", "{path}.weight", Permute(3, 2, 0, 1)),
    ]
    fused = state["decoder.2.multihead_attn.in_proj_weight"]
    expected = {
        f"decoder.layers.2.encoder_attn.{n}_proj.weight": fused[4 * i : 4 * i + 4] for i, n in enumerate("qkv")
    }
    expected["embeddings.1.weight"] = state["downsample_layers.0.1.weight"]
    expected["stages.2.downsampling_layer.0.weight"] = state["downsample_layers.2.0.weight"]
    expected["stages.2.layers.8.layer_scale_parameter"] = state["stages.2.8.gamma"]
    expected["stem.conv.weight"] = state["stem.conv.kernel"].permute(3, 2, 0, 1)
    assert_becomes(rules, state, expected)


def test_norms_of_one_plus_a_weight_and_padded_vocabularies() -> None:
    state = {"norm": torch.full((4,), 1.5), "embed": torch.randn(16, 4), "positions": torch.arange(6.0).view(6, 1)}
    rules: list[Rule] = [
        Convert("norm", "norm.weight", Add(-1), Cast("bfloat16")),
        Convert("embed", "embed.weight", Slice(0, "vocab_size")),
        Convert("positions", "positions.weight", Slice(2)),
    ]
    expected = {"norm.weight": torch.full((4,), 0.5, dtype=torch.bfloat16), "embed.weight": state["embed"][:11]}
    assert_becomes(rules, state, {**expected, "positions.weight": state["positions"][2:]}, vocab_size=11)
