"""Rules for the pairs that see."""

from __future__ import annotations

from pairs.renaming import Rules, modules

from porting.weights import Convert, Rename, Split, Transpose

BLOCK = {
    "norm1": "layernorm_before",
    "attn.proj": "attention.o_proj",
    "norm2": "layernorm_after",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def _timm_block(old: str, new: str) -> Rules:
    attention = [f"{new}attention.{name}_proj.{{leaf}}" for name in "qkv"]
    return (*modules(BLOCK, old, new), Convert(f"{old}attn.qkv.{{leaf}}", attention, Split()))


VIT = (
    Rename("cls_token", "vit.embeddings.cls_token"),
    Rename("pos_embed", "vit.embeddings.position_embeddings"),
    *modules(
        {
            "patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
            "norm": "vit.layernorm",
            "head": "classifier",
        }
    ),
    *_timm_block("blocks.{i:d}.", "vit.layers.{i}."),
)
TABLE = "relative_position_bias_table"
SWIN_BLOCK, SWIN_PORTED = "layers.{stage:d}.blocks.{i:d}.", "swin.encoder.layers.{stage}.blocks.{i}."
SWIN = (
    *modules({"proj": "patch_embeddings.projection", "norm": "norm"}, "patch_embed.", "swin.embeddings."),
    *modules({"norm": "swin.layernorm", "head.fc": "classifier"}),
    *_timm_block(SWIN_BLOCK, SWIN_PORTED),
    Rename(f"{SWIN_BLOCK}attn.{TABLE}", f"{SWIN_PORTED}attention.relative_position_bias.{TABLE}"),
    Rename("layers.{stage:d}.downsample.{rest:*}", "swin.encoder.layers.{stage-1}.downsample.{rest}"),
)

CONVNEXT_STAGE, CONVNEXT_PORTED = "stages.{stage:d}.", "convnext.encoder.stages.{stage}."
CONVNEXT = (
    *modules({"0": "patch_embeddings", "1": "layernorm"}, "stem.", "convnext.embeddings."),
    *modules({"norm": "convnext.layernorm", "fc": "classifier"}, "head."),
    Rename(f"{CONVNEXT_STAGE}downsample.{{rest:*}}", f"{CONVNEXT_PORTED}downsampling_layer.{{rest}}"),
    Rename(f"{CONVNEXT_STAGE}blocks.{{i:d}}.gamma", f"{CONVNEXT_PORTED}layers.{{i}}.layer_scale_parameter"),
    *modules(
        {"conv_dw": "dwconv", "norm": "layernorm", "mlp.fc1": "pwconv1", "mlp.fc2": "pwconv2"},
        f"{CONVNEXT_STAGE}blocks.{{i:d}}.",
        f"{CONVNEXT_PORTED}layers.{{i}}.",
    ),
)

RESNET_BLOCK, RESNET_PORTED = "layer{stage:d}.{i:d}.", "resnet.encoder.stages.{stage-1}.layers.{i}."
RESNET = (
    *modules({"conv1": "convolution", "bn1": "normalization"}, new="resnet.embedder.embedder."),
    *modules({"fc": "classifier.1"}),
    *modules(
        {
            "conv{n:d}": "layer.{n-1}.convolution",
            "bn{n:d}": "layer.{n-1}.normalization",
            "downsample.0": "shortcut.convolution",
            "downsample.1": "shortcut.normalization",
        },
        RESNET_BLOCK,
        RESNET_PORTED,
    ),
)


def _clip_tower(old: str, new: str) -> Rules:
    old, new = f"{old}.resblocks.{{i:d}}.", f"{new}.encoder.layers.{{i}}."
    parts = {"ln_{n:d}": "layer_norm{n}", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    attention = [f"{new}self_attn.{name}_proj.{{leaf}}" for name in "qkv"]
    return (
        *modules({**parts, "attn.out_proj": "self_attn.out_proj"}, old, new),
        Convert(f"{old}attn.in_proj_{{leaf}}", attention, Split()),
    )


CLIP = (
    Rename("logit_scale", "logit_scale"),
    Rename("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    Rename("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
    Rename("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    Convert("text_projection", "text_projection.weight", Transpose()),
    Convert("visual.proj", "visual_projection.weight", Transpose()),
    *modules({"token_embedding": "embeddings.token_embedding", "ln_final": "final_layer_norm"}, new="text_model."),
    *modules(
        {"conv1": "embeddings.patch_embedding", "ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"},
        "visual.",
        "vision_model.",
    ),
    *_clip_tower("transformer", "text_model"),
    *_clip_tower("visual.transformer", "vision_model"),
)

VISION: dict[str, Rules] = {"vit": VIT, "swin": SWIN, "convnext": CONVNEXT, "resnet": RESNET, "clip": CLIP}
