"""What an original may do to images otherwise than a port: settings of image processors, and steps of their own."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from porting.processors.changes import Change, Reference, setting, shapes, switches
from porting.processors.pairing import difference
from porting.processors.running import Processor

RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""The filters of PIL, by number."""
LEVELS = 4
"""Levels of 255 by which the pixels of two right ways of resizing may differ."""
WIDEST = 2
"""How many times the crop's side an image may be resized to, for the search of its size."""


def image_changes(processor: Processor, references: Sequence[Reference]) -> Iterator[Change]:
    """Yield changes in the order of the stages.

    Args:
        processor: of images.
        references: what the original makes of the samples that differ.
    """
    settings = processor.settings
    yield from _decoding()
    yield from switches(settings)
    yield from _sizes(settings, references)
    for number, name in enumerate(RESAMPLE):
        if number != settings.get("resample"):
            yield setting({"resample": number}, f"resample = {number} ({name})")
    yield from _tensor_resizing()
    yield from _cropping()
    text = "resized by PIL, where the port's resizing by torchvision rounds otherwise"
    yield Change("resize", text, _by_pil, convention=_within_levels(processor, references))
    yield from _sizes_before_cropping(settings, references)


def _decoding() -> Iterator[Change]:
    swapped = "blue and red exchanged (BGR in place of RGB)"
    yield Change("channel order", swapped, lambda processor: replace(processor, before=_swapped))
    yield Change(
        "channel order", f"{swapped}, after normalising", lambda processor: replace(processor, after=_flipped)
    )
    text = "transparency is dropped, where Transformers lays the image on white"
    yield Change("decode", text, lambda processor: replace(processor, before=_opaque), convention=True)
    yield Change("decode", "transparency lies on black", lambda processor: replace(processor, before=_on_black))
    yield Change(
        "channel layout", "the channels come first", lambda processor: replace(processor, after=_channels_first)
    )
    text = "width and height exchanged"
    yield Change("decode", text, lambda processor: replace(processor, before=_turned))


def _sizes(settings: Mapping[str, Any], references: Sequence[Reference]) -> Iterator[Change]:
    """The original's own height and width as the size, or as the crop."""
    whole = {"do_center_crop": False} if settings.get("do_center_crop") else {}
    for height, width in _sides(references):
        target, shortest = {"height": height, "width": width}, min(height, width)
        yield setting({"crop_size": target})
        for size in (target, {"shortest_edge": shortest}):
            yield setting({"size": size, "do_resize": True, **whole})
        yield setting({"do_center_crop": True, "crop_size": target, "do_resize": False})


def _sizes_before_cropping(settings: Mapping[str, Any], references: Sequence[Reference]) -> Iterator[Change]:
    """Every size from which the original's height and width could be cropped."""
    if settings.get("do_center_crop") is None:
        return
    for height, width in _sides(references)[:1]:
        cropped = {"do_center_crop": True, "crop_size": {"height": height, "width": width}}
        for edge in range(min(height, width), WIDEST * max(height, width) + 1):
            yield setting({"size": {"shortest_edge": edge}, "do_resize": True, **cropped})
            yield setting({"size": {"height": edge, "width": edge}, "do_resize": True, **cropped})


def _sides(references: Sequence[Reference]) -> Sequence[tuple[int, ...]]:
    """Two heights and widths of the original's arrays; one where all are alike."""
    return sorted({shape[-2:] for shape in shapes(references) if len(shape) == 3})[:2]


def _tensor_resizing() -> Iterator[Change]:
    """Resizing in floating point, as on tensors, with and without antialiasing."""
    for mode in ("bilinear", "bicubic"):
        for antialias in (False, True):
            text = f"resized as a tensor ({mode}, antialias = {antialias})"
            for rounded in (False, True):
                yield Change("resize", text, _method("resize", _interpolated(mode, antialias, rounded)))


def _cropping() -> Iterator[Change]:
    text = "the crop begins at the rounded half of the margin, where Transformers rounds down"
    yield Change(
        "centre crop", text, _method("center_crop", _cropped(lambda margin: round(margin / 2))), convention=True
    )
    text = "the crop begins at the top left corner"
    yield Change("centre crop", text, _method("center_crop", _cropped(lambda _: 0)))
    text = "the long side of the resized image is rounded, where Transformers rounds down"
    yield Change("resize", text, _method("resize", _rounded_sides), convention=True)


def _within_levels(processor: Processor, references: Sequence[Reference]) -> bool:
    """Whether all pixels are so near to the original's as two ways of resizing leave them."""
    settings = processor.settings
    spread = min(np.atleast_1d(settings.get("image_std") or 1.0)) if settings.get("do_normalize") else 1.0
    level = float(settings.get("rescale_factor") or 1.0) / spread if settings.get("do_rescale") else 1.0 / spread
    gaps = [difference(each.array, processor.alone(each.value)[each.name]) for each in references]
    return max(gaps) <= LEVELS * level


def _by_pil(processor: Processor) -> Processor:
    """The class of the same name that works with PIL, where Transformers or the port has one."""
    import transformers

    name = f"{type(processor.part).__name__}Pil"
    beside = sys.modules.get(type(processor.part).__module__)
    twin = getattr(beside, name, None) or getattr(transformers, name)
    return replace(processor, part=twin.from_dict(dict(processor.settings)))


def _swapped(image: Any) -> Any:
    from PIL import Image

    if isinstance(image, Image.Image):
        return Image.fromarray(np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1]))
    return np.ascontiguousarray(image[..., ::-1])


def _opaque(image: Any) -> Any:
    return image.convert("RGB") if image.mode == "RGBA" else image


def _on_black(image: Any) -> Any:
    from PIL import Image

    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")


def _turned(image: Any) -> Any:
    from PIL import Image

    return image.transpose(Image.Transpose.TRANSPOSE)


def _channels_first(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, -1, 0) if array.ndim == 3 else array


def _flipped(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[::-1]) if array.ndim == 3 and len(array) == 3 else array


Method = Callable[..., Any]


def _method(name: str, wrap: Callable[[Method], Method]) -> Callable[[Processor], Processor]:
    """A copy of a processor in which one method is another; arrays and tensors have the channels first there."""

    def apply(processor: Processor) -> Processor:
        part = copy.deepcopy(processor.part)
        setattr(part, name, wrap(getattr(part, name)))
        return replace(processor, part=part)

    return apply


def _interpolated(mode: str, antialias: bool, rounded: bool) -> Callable[[Method], Method]:
    def wrap(method: Method) -> Method:
        def resize(image: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
            import torch
            from torch.nn.functional import interpolate

            shape = method(image, size, *args, **kwargs).shape[-2:]
            tensor = torch.as_tensor(np.ascontiguousarray(image)).float()
            batched = tensor if tensor.dim() == 4 else tensor[None]
            made = interpolate(batched, tuple(shape), mode=mode, antialias=antialias, align_corners=False)
            made = made.round().clamp(0, 255) if rounded else made
            made = made if tensor.dim() == 4 else made[0]
            return made if isinstance(image, torch.Tensor) else made.numpy()

        return resize

    return wrap


def _cropped(start: Callable[[int], int]) -> Callable[[Method], Method]:
    def wrap(method: Method) -> Method:
        def center_crop(image: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
            margins = (image.shape[-2] - size["height"], image.shape[-1] - size["width"])
            if min(margins) < 0:
                return method(image, size, *args, **kwargs)
            top, left = (start(margin) for margin in margins)
            return image[..., top : top + size["height"], left : left + size["width"]]

        return center_crop

    return wrap


def _rounded_sides(method: Method) -> Method:
    def resize(image: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
        edge = size["shortest_edge"]
        if not edge:
            return method(image, size, *args, **kwargs)
        height, width = image.shape[-2:]
        shortest = min(height, width)
        exact = {"height": round(height * edge / shortest), "width": round(width * edge / shortest)}
        return method(image, type(size)(**exact), *args, **kwargs)

    return resize
