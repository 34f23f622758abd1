"""Generated tests of processors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from generated import failures_of, generate, ruff_findings
from pairs.catalogue import build
from preprocessing import timm_vit
from transformers import WhisperFeatureExtractor
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil


def processor(**settings: Any) -> Any:
    return ViTImageProcessorPil(**{"size": {"height": 30, "width": 30}, "do_convert_rgb": True, **settings})


def features(**settings: Any) -> Any:
    return WhisperFeatureExtractor(feature_size=20, chunk_length=2, **settings)


def original_features(sound: Any) -> dict[str, Any]:
    return {"mel": np.asarray(features()(sound, sampling_rate=16000)["input_features"][0])}


def test_an_image_processor_has_a_test_with_the_originals_values(tmp_path: Path) -> None:
    functions: dict[str, Any] = {"original_preprocess": timm_vit(30), "ported_processor": processor}
    generated = generate(build("vit"), tmp_path, **functions)
    path = tmp_path / "tests/models/some_model/test_image_processing_some_model.py"
    assert path in generated.tests
    assert failures_of(path, load_processor=lambda self: processor()) == []
    for wrong in ({"resample": 0}, {"image_mean": [0.4, 0.5, 0.5]}, {"do_rescale": False}):
        assert failures_of(path, load_processor=lambda self, wrong=wrong: processor(**wrong))  # type: ignore[misc]
    assert ruff_findings(tmp_path) == ""


def test_a_feature_extractor_has_a_test_with_the_originals_values(tmp_path: Path) -> None:
    functions: dict[str, Any] = {"original_preprocess": original_features, "ported_processor": features}
    generated = generate(build("vit"), tmp_path, **functions)
    path = tmp_path / "tests/models/some_model/test_feature_extraction_some_model.py"
    assert path in generated.tests
    assert failures_of(path, load_processor=lambda self: features()) == []
    assert failures_of(path, load_processor=lambda self: features(hop_length=161))
    assert ruff_findings(tmp_path) == ""


def test_a_processor_that_differs_or_is_not_there_has_none(tmp_path: Path) -> None:
    functions: dict[str, Any] = {
        "original_preprocess": timm_vit(30),
        "ported_processor": lambda: processor(resample=0),
    }
    generated = generate(build("vit"), tmp_path, **functions)
    assert any("processor: pixel_values of a sample [320, 160] differs" in text for text in generated.skipped)
    generated = generate(build("vit"), tmp_path)
    assert "processor: the portfile has no original_preprocess()" in generated.skipped
