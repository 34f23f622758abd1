"""Processors against preprocessing of their originals: right ones pass, of each seeded bug the stage is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checked import result_of
from PIL import Image
from preprocessing import CLIP_MEAN, HALF, Preprocess, open_clip, timm_vit
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from porting.checks import CheckContext, CheckResult
from porting.portfile import Portfile

CHECKS = (
    "check_processor_outputs_equal",
    "check_processor_unusual_samples",
    "check_processor_batch_invariance",
    "check_processor_saved_equal",
)


def context_for(processor: Any, folder: Path, **functions: Any) -> CheckContext:
    made = {"ported": lambda: torch.nn.Linear(2, 2), "ported_processor": lambda: processor, **functions}
    return CheckContext(Portfile(folder / "portfile.py", made, {}))


def results(processor: Any, original: Preprocess, folder: Path, **functions: Any) -> dict[str, CheckResult]:
    context = context_for(processor, folder, original_preprocess=original, **functions)
    return {name: result_of(name, context) for name in CHECKS}


def clip(**settings: Any) -> Any:
    return CLIPImageProcessorPil(
        **{"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, **settings}
    )


def vit(**settings: Any) -> Any:
    return ViTImageProcessorPil(**{"size": {"height": 30, "width": 30}, "do_convert_rgb": True, **settings})


RIGHT: dict[str, tuple[Callable[[], Any], Preprocess]] = {
    "clip": (clip, open_clip(40, 32)),
    "clip at full size": (lambda: CLIPImageProcessorPil(), open_clip(224, 224)),
    "vit": (vit, timm_vit(30)),
    "channels last": (vit, lambda image: {"x": timm_vit(30)(image)["x"][0].transpose(1, 2, 0)}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_image_processor_passes(name: str, tmp_path: Path) -> None:
    make, original = RIGHT[name]
    found = results(make(), original, tmp_path)
    assert {check: result.status for check, result in found.items()} == dict.fromkeys(CHECKS, "passed"), [
        result.failure_message() for result in found.values()
    ]
    assert "transparency" in str(found["check_processor_unusual_samples"].figures["conventions"])
    assert found["check_processor_outputs_equal"].figures["compared_arrays"] == 4


class Bgr(CLIPImageProcessorPil):  # type: ignore[misc]
    def process_image(self, *args: Any, **kwargs: Any) -> Any:
        return super().process_image(*args, **kwargs)[::-1]


class ChannelsLast(ViTImageProcessorPil):  # type: ignore[misc]
    def _preprocess(self, *args: Any, **kwargs: Any) -> Any:
        made = super()._preprocess(*args, **kwargs)
        made["pixel_values"] = [np.moveaxis(each, 0, -1) for each in made["pixel_values"]]
        return made


def sized(edge: int, crop: int) -> dict[str, Any]:
    return {"size": {"shortest_edge": edge}, "crop_size": {"height": crop, "width": crop}}


CLIP, VIT = open_clip(40, 32), timm_vit(30)
BUGS: dict[str, tuple[Callable[[], Any], Preprocess, str, str]] = {
    "no resize": (lambda: clip(do_resize=False), CLIP, "resize", "do_resize = True"),
    "bilinear": (lambda: clip(resample=2), CLIP, "resize", "bicubic"),
    "bicubic": (lambda: vit(resample=3), VIT, "resize", "bilinear"),
    "nearest": (lambda: vit(resample=0), VIT, "resize", "bilinear"),
    "shortest edge of the crop": (lambda: clip(**sized(32, 32)), CLIP, "resize", "40"),
    "squashed": (lambda: clip(size={"height": 40, "width": 40}), CLIP, "resize", "shortest_edge"),
    "not squashed": (lambda: vit(size={"shortest_edge": 30}), VIT, "resize", "'height': 30"),
    "another size": (lambda: vit(size={"height": 32, "width": 32}), VIT, "resize", "'height': 30"),
    "another crop": (lambda: clip(**sized(40, 36)), CLIP, "centre crop", "32"),
    "no crop": (lambda: clip(do_center_crop=False), CLIP, "centre crop", "do_center_crop = True"),
    "no rescaling": (lambda: vit(do_rescale=False), VIT, "rescale", "0.0039"),
    "rescaled by 256": (lambda: clip(rescale_factor=1 / 256), CLIP, "rescale", "0.0039215"),
    "not normalised": (lambda: clip(do_normalize=False), CLIP, "normalise", "0.4815"),
    "another mean": (lambda: clip(image_mean=HALF), CLIP, "normalise", "0.4815"),
    "another deviation": (lambda: clip(image_std=(0.229, 0.224, 0.225)), CLIP, "normalise", "0.2686"),
    "mean of BGR": (lambda: clip(image_mean=CLIP_MEAN[::-1]), CLIP, "normalise", "0.4815"),
    "BGR": (lambda: Bgr(**sized(40, 32)), CLIP, "channel order", "BGR"),
    "channels last": (lambda: ChannelsLast(size={"height": 30, "width": 30}), VIT, "channel layout", "first"),
    "mean and filter": (lambda: clip(resample=2, image_mean=HALF), CLIP, "resize and normalise", "0.4815"),
}


@pytest.mark.parametrize("name", BUGS)
def test_the_stage_of_a_seeded_image_bug_is_named(name: str, tmp_path: Path) -> None:
    make, original, stage, text = BUGS[name]
    result = result_of(CHECKS[0], context_for(make(), tmp_path, original_preprocess=original))
    assert result.status == "failed"
    assert result.figures["stage"] == stage, result.message
    assert text in result.message
    assert "Proven" in result.message


def test_an_original_that_resizes_tensors_without_antialiasing_is_told(tmp_path: Path) -> None:
    def original(image: Any) -> dict[str, np.ndarray]:
        pixels = torch.tensor(np.asarray(image.convert("RGB"))).permute(2, 0, 1)[None].float()
        small = torch.nn.functional.interpolate(pixels, (30, 30), mode="bilinear", align_corners=False)[0]
        return {"pixel_values": ((small / 255 - 0.5) / 0.5).numpy()}

    result = result_of(CHECKS[0], context_for(vit(), tmp_path, original_preprocess=original))
    assert result.figures["stage"] == "resize"
    assert "antialias = False" in result.message


def test_a_gray_image_that_only_the_original_takes_is_told(tmp_path: Path) -> None:
    found = results(vit(do_convert_rgb=False), VIT, tmp_path)
    assert found["check_processor_outputs_equal"].status == "passed"
    assert found["check_processor_unusual_samples"].status == "failed"
    assert found["check_processor_unusual_samples"].figures["stage"] == "decode"


def test_crops_of_odd_margins_are_told_as_a_convention(tmp_path: Path) -> None:
    found = results(clip(), open_clip(40, 32), tmp_path)["check_processor_unusual_samples"]
    assert "rounds down" in str(found.figures["conventions"])


def test_crops_of_odd_margins_are_told_on_usual_samples_too(tmp_path: Path) -> None:
    found = results(clip(**sized(43, 32)), open_clip(43, 32), tmp_path)
    assert found["check_processor_outputs_equal"].status == "passed"
    assert "rounds down" in str(found["check_processor_outputs_equal"].figures["conventions"])
    assert found["check_processor_unusual_samples"].status == "passed"


class TensorImageProcessorPil(ViTImageProcessorPil):  # type: ignore[misc]
    pass


class TensorImageProcessor(ViTImageProcessorPil):  # type: ignore[misc]
    def resize(self, image: Any, *args: Any, **kwargs: Any) -> Any:
        return np.clip(super().resize(image, *args, **kwargs).astype(int) + image.sum() % 2, 0, 255).astype(np.uint8)


def test_resizing_by_another_backend_is_told_as_a_convention(tmp_path: Path) -> None:
    found = results(TensorImageProcessor(size={"height": 30, "width": 30}), VIT, tmp_path)
    assert found["check_processor_outputs_equal"].status == "passed"
    assert "torchvision" in str(found["check_processor_outputs_equal"].figures["conventions"])


class CoarseImageProcessorPil(ViTImageProcessorPil):  # type: ignore[misc]
    pass


class CoarseImageProcessor(ViTImageProcessorPil):  # type: ignore[misc]
    def resize(self, image: Any, *args: Any, **kwargs: Any) -> Any:
        return super().resize(image, *args, **kwargs) // 32 * 32


def test_a_backend_that_differs_by_more_than_rounding_is_a_bug(tmp_path: Path) -> None:
    found = results(CoarseImageProcessor(size={"height": 30, "width": 30}), VIT, tmp_path)
    assert found["check_processor_outputs_equal"].status == "failed"
    assert found["check_processor_outputs_equal"].figures["stage"] == "resize"


def test_samples_of_the_portfile_are_compared_too(tmp_path: Path) -> None:
    def original(image: Any) -> dict[str, np.ndarray]:
        made = timm_vit(30)(image)["x"][0]
        return {"pixel_values": made * (2.0 if image.size == (7, 7) else 1.0)}

    def samples() -> list[Any]:
        return [Image.new("RGB", (7, 7), (9, 80, 200))]

    assert results(vit(), original, tmp_path)["check_processor_outputs_equal"].status == "passed"
    found = results(vit(), original, tmp_path, samples=samples)["check_processor_outputs_equal"]
    assert found.status == "failed"
    assert "samples()[0]" in found.message


def test_a_difference_of_no_known_kind_is_told_without_a_stage(tmp_path: Path) -> None:
    def original(image: Any) -> dict[str, np.ndarray]:
        return {"x": np.sort(timm_vit(30)(image)["x"][0], axis=1)}

    result = result_of(CHECKS[0], context_for(vit(), tmp_path, original_preprocess=original))
    assert result.status == "failed"
    assert result.figures["stage"] is None
    assert "an unknown stage" in result.message


class BatchMean(ViTImageProcessorPil):  # type: ignore[misc]
    def _preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        made = super()._preprocess(images, *args, **kwargs)
        mean = np.mean([each.mean() for each in made["pixel_values"]])
        made["pixel_values"] = [each - mean for each in made["pixel_values"]]
        return made


class Forgetful(ViTImageProcessorPil):  # type: ignore[misc]
    def __init__(self, **kwargs: Any) -> None:
        shift = kwargs.pop("shift", 0)
        super().__init__(**kwargs)
        self._shift = shift

    def _preprocess(self, *args: Any, **kwargs: Any) -> Any:
        made = super()._preprocess(*args, **kwargs)
        made["pixel_values"] = [np.roll(each, self._shift, -1) for each in made["pixel_values"]]
        return made

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in super().to_dict().items() if name != "_shift"}


def test_a_batch_that_changes_its_samples_is_found(tmp_path: Path) -> None:
    found = results(BatchMean(size={"height": 30, "width": 30}), VIT, tmp_path)
    assert found["check_processor_batch_invariance"].status == "failed"


class Noisy(ViTImageProcessorPil):  # type: ignore[misc]
    draws = np.random.default_rng(0)

    def _preprocess(self, *args: Any, **kwargs: Any) -> Any:
        made = super()._preprocess(*args, **kwargs)
        made["pixel_values"] = [each + self.draws.normal(size=each.shape) for each in made["pixel_values"]]
        return made


def test_what_is_random_in_a_processor_is_compared_with_nothing(tmp_path: Path) -> None:
    found = results(Noisy(size={"height": 30, "width": 30}, do_convert_rgb=True), VIT, tmp_path)
    assert found["check_processor_outputs_equal"].status == "inconclusive"
    assert {result.status for result in found.values()} == {"inconclusive", "skipped"}


def test_a_setting_that_is_not_saved_is_found(tmp_path: Path) -> None:
    found = results(Forgetful(size={"height": 30, "width": 30}, shift=3), VIT, tmp_path)
    assert found["check_processor_saved_equal"].status == "failed"
    assert found["check_processor_outputs_equal"].figures["stage"] == "unsaved attribute"
    assert "saving and loading" in found["check_processor_saved_equal"].message


def test_without_processor_or_preprocessing_the_reason_is_said(tmp_path: Path) -> None:
    without = CheckContext(Portfile(tmp_path / "portfile.py", {"ported": lambda: torch.nn.Linear(2, 2)}, {}))
    assert result_of(CHECKS[0], without).message == "the portfile has no ported_processor()"
    result = result_of(CHECKS[0], context_for(vit(), tmp_path))
    assert result.message == "the portfile has no original_preprocess(sample)"
    assert result_of(CHECKS[0], context_for(torch.nn.Linear(1, 1), tmp_path)).status == "error"
