"""CLIP of open_clip and `CLIPModel`: two towers, attention fused into one module that is never called."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.stubs import stubbed
from pairs.weights import load, randomize
from transformers import CLIPConfig, CLIPModel

from porting.runs import Inputs

with stubbed("torchvision", "ftfy", "PIL"):
    from open_clip.model import CLIP as Original
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

WIDTH, HEADS, LAYERS, VOCABULARY, TOKENS, SHARED = 48, 4, 3, 97, 12, 32


def build() -> Pair:
    """Two pictures and two texts that end with the highest token."""
    original = Original(
        embed_dim=SHARED,
        vision_cfg=CLIPVisionCfg(layers=LAYERS, width=WIDTH, head_width=WIDTH // HEADS, patch_size=8, image_size=32),
        text_cfg=CLIPTextCfg(context_length=TOKENS, vocab_size=VOCABULARY, width=WIDTH, heads=HEADS, layers=LAYERS),
    )
    randomize(original)
    ported = CLIPModel(_config())
    state = original.state_dict()
    load(ported, converted("clip", state, ported.config))
    modules = renamed_modules("clip", state)
    for old, new in _layers():
        del modules[f"{old}.attn.out_proj"]  # never called
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
