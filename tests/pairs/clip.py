"""CLIP of open_clip and `CLIPModel`: two towers, attention fused into one module that is never called."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pairs.pair import Pair
from pairs.stubs import stubbed
from pairs.weights import State, load, randomize, renamed
from transformers import CLIPConfig, CLIPModel

from porting.runs import Inputs

with stubbed("torchvision", "ftfy", "PIL"):
    from open_clip.model import CLIP as Original
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

WIDTH, HEADS, LAYERS, VOCABULARY, TOKENS, SHARED = 48, 4, 3, 97, 12, 32
TEXT = {
    "token_embedding": "text_model.embeddings.token_embedding",
    "ln_final": "text_model.final_layer_norm",
}
VISION = {
    "visual.conv1": "vision_model.embeddings.patch_embedding",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
PARTS = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}


def build() -> Pair:
    """Two pictures and two texts that end with the highest token."""
    original = Original(
        embed_dim=SHARED,
        vision_cfg=CLIPVisionCfg(layers=LAYERS, width=WIDTH, head_width=WIDTH // HEADS, patch_size=8, image_size=32),
        text_cfg=CLIPTextCfg(context_length=TOKENS, vocab_size=VOCABULARY, width=WIDTH, heads=HEADS, layers=LAYERS),
    )
    randomize(original)
    ported = CLIPModel(_config())
    modules, state = {**TEXT, **VISION}, original.state_dict()
    for old, new in _layers():
        modules |= {f"{old}.{a}": f"{new}.{b}" for a, b in PARTS.items()}
    load(ported, {**renamed(state, modules), **_attention(state), **_bare(state)})
    for old, new in _layers():
        modules |= {old: new, f"{old}.attn": f"{new}.self_attn", f"{old}.mlp.gelu": f"{new}.mlp.activation_fn"}
        modules[f"{old}.mlp"] = f"{new}.mlp"
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, 32, 32, generator=generator)
    ids = torch.randint(1, VOCABULARY - 1, (2, TOKENS), generator=generator)
    ids[0, 7], ids[1, -1] = VOCABULARY - 1, VOCABULARY - 1
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"image": pixels, "text": ids}),
        Inputs(kwargs={"pixel_values": pixels, "input_ids": ids}),
        modules,
        lambda old, new: [("image", old[0], new.image_embeds), ("text", old[1], new.text_embeds)],
    )


def _config() -> CLIPConfig:
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_act": "gelu",
    }
    text = {"vocab_size": VOCABULARY, "max_position_embeddings": TOKENS, "eos_token_id": VOCABULARY - 1}
    return CLIPConfig(
        text_config={**tower, **text, "bos_token_id": 0, "pad_token_id": 0},
        vision_config={**tower, "patch_size": 8, "image_size": 32},
        projection_dim=SHARED,
    )


def _layers() -> list[tuple[str, str]]:
    towers = {"transformer": "text_model", "visual.transformer": "vision_model"}
    return [(f"{a}.resblocks.{i}", f"{b}.encoder.layers.{i}") for a, b in towers.items() for i in range(LAYERS)]


def _attention(state: Mapping[str, torch.Tensor]) -> State:
    values: State = {}
    for old, new in _layers():
        for leaf in ("weight", "bias"):
            pieces = state[f"{old}.attn.in_proj_{leaf}"].chunk(3)
            values |= {f"{new}.self_attn.{n}_proj.{leaf}": piece for n, piece in zip("qkv", pieces, strict=True)}
            values[f"{new}.self_attn.out_proj.{leaf}"] = state[f"{old}.attn.out_proj.{leaf}"]
    return values


def _bare(state: Mapping[str, torch.Tensor]) -> State:
    return {
        "logit_scale": state["logit_scale"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_projection.weight": state["text_projection"].t(),
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "visual_projection.weight": state["visual.proj"].t(),
    }
