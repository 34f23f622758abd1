"""The settings of a model type's config for a checkpoint's shapes: configs in a config, lists, numbers of heads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    PoolFormerConfig,
    PoolFormerModel,
    SegformerConfig,
    SegformerForImageClassification,
    SiglipConfig,
    SiglipModel,
    SwinConfig,
    SwinModel,
)

from porting.nearest.result import NEAR, Candidate
from porting.scaffold.siblings import Sibling, sibling_of

VISION = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
VISION |= {"image_size": 32, "patch_size": 8}
TEXT = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT |= {"vocab_size": 99, "max_position_embeddings": 20}


def shapes_of(model_class: type, config: object) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in model_class(config).state_dict().items()}


def renamed(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {f"net.{name.replace('self_attn', 'attn')}": its for name, its in shapes.items()}


def fitted(model_type: str, shapes: Mapping[str, tuple[int, ...]], class_name: str = "", **hints: int) -> Sibling:
    """The sibling, with what the nearest architecture tells: its class, and some sizes that may be wrong."""
    config = {name.replace("__", "."): value for name, value in hints.items()}
    near = Candidate(model_type, class_name, NEAR, 1, 1, 1, 1, 1.0, config)
    return sibling_of(model_type, renamed(shapes), {}, nearest=[near])


def test_configs_in_a_config_are_fitted_although_shapes_alone_may_exchange_them() -> None:
    shapes = shapes_of(SiglipModel, SiglipConfig(text_config=TEXT | {"projection_size": 48}, vision_config=VISION))
    wrong = {"text_config__hidden_size": 48, "vision_config__hidden_size": 32, "text_config__intermediate_size": 96}
    port = fitted("siglip", shapes, "SiglipModel", **wrong)
    assert (port.class_name, port.distance) == ("SiglipModel", 0)
    assert shapes_of(SiglipModel, SiglipConfig(**port.settings)) == shapes
    assert set(port.open) == {"text_config.num_attention_heads", "vision_config.num_attention_heads"}
    assert {4, 6} <= {port.settings["vision_config"]["num_attention_heads"]} | {
        way["vision_config.num_attention_heads"] for way in port.ways["vision_config.num_attention_heads"]
    }


def test_a_config_in_a_config_keeps_its_type_and_what_its_model_makes_of_it() -> None:
    text = TEXT | {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlavaConfig(text_config=text, vision_config=VISION | {"model_type": "clip_vision_model"})
    shapes = shapes_of(LlavaForConditionalGeneration, config)
    port = fitted("llava", shapes, "LlavaForConditionalGeneration", text_config__hidden_size=96)
    assert (port.class_name, port.distance) == ("LlavaForConditionalGeneration", 0)
    assert port.settings["text_config"]["model_type"] == "llama"
    assert shapes_of(LlavaForConditionalGeneration, LlavaConfig(**port.settings)) == shapes


def test_lists_have_a_member_for_each_stage_of_the_checkpoint() -> None:
    depths, heads = [1, 2, 3], [2, 4, 8]
    config = SwinConfig(embed_dim=24, depths=depths, num_heads=heads, window_size=4)
    port = fitted("swin", shapes_of(SwinModel, config), "SwinModel")
    assert port.distance == 0
    assert port.settings == {"embed_dim": 24, "depths": depths, "num_heads": heads, "window_size": 4}
    assert port.open == ()


def test_widths_of_stages_are_found() -> None:
    config = PoolFormerConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 2, 3, 2])
    port = fitted("poolformer", shapes_of(PoolFormerModel, config), "PoolFormerModel")
    assert port.distance == 0
    assert port.settings == {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 2, 3, 2]}


def test_heads_of_stages_that_no_shape_tells_are_open_and_go_with_the_widths() -> None:
    config = SegformerConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 2, 1, 2], num_attention_heads=[1, 2, 3, 4])
    shapes = shapes_of(SegformerForImageClassification, config)
    port = fitted("segformer", shapes, "SegformerForImageClassification")
    assert port.distance == 0
    assert port.open == ("num_attention_heads",)
    assert [1, 2, 3, 4] in [
        port.settings["num_attention_heads"],
        *(way["num_attention_heads"] for way in port.ways["num_attention_heads"]),
    ]


def test_a_scalar_with_a_name_of_an_embedding_is_no_table() -> None:
    port = fitted("bert", {"embedder.norm.count": (), "embedder.weight": (7, 8)})
    assert port.class_name
