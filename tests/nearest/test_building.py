"""Architectures as they are built from the installed Transformers."""

from __future__ import annotations

import pytest

from porting.nearest import building


def test_an_architecture_is_built_with_its_heads_and_settings() -> None:
    built = building._built("llama")
    assert built is not None
    assert (built.class_name, built.cells[0].path, built.cells[0].times) == ("LlamaForCausalLM", "model.layers.*", 32)
    optional = {held.name: held.optional for held in built.cells[0].held if held.optional}
    assert optional["self_attn.q_proj.bias"] == optional["self_attn.o_proj.bias"] != optional["mlp.up_proj.bias"]
    assert built.sizes["hidden_size"] == 4096
    assert built.heirs > 50


def test_a_config_with_no_class_of_its_own_is_no_architecture() -> None:
    assert building._built("sam_mask_decoder") is None


def test_what_cannot_be_built_is_skipped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.auto import configuration_auto

    monkeypatch.setattr(
        configuration_auto, "CONFIG_MAPPING_NAMES", {"vit": "ViTConfig", "chameleon": "ChameleonConfig"}
    )
    seen: list[tuple[int, int]] = []
    index = building.build_index(lambda text, done, total: seen.append((done, total)))
    assert [each.model_type for each in index.architectures] == ["vit"]
    assert set(index.skipped) == {"chameleon"}
    assert seen == [(0, 2), (1, 2)]


def test_the_hub_is_not_asked_while_architectures_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import is_offline_mode
    from transformers.models.auto import configuration_auto

    asked: list[bool] = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(configuration_auto, "CONFIG_MAPPING_NAMES", {"brand_new": "BrandNewConfig"})
    monkeypatch.setattr(building, "_built", lambda name: asked.append(is_offline_mode()))
    building.build_index()
    assert asked == [True]
    assert not is_offline_mode()
