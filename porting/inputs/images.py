"""Images that hide bugs: gray ones, square ones, of the native size, of a size that suits every padding."""

from __future__ import annotations

import math
from ast import literal_eval
from collections.abc import Iterator

import torch

from porting.inputs.roles import colour_axis, role_of
from porting.inputs.settings import Settings
from porting.text import show
from porting.trace import ModuleInfo, Trace


def image_warnings(original: Trace, ported: Trace, settings: Settings) -> Iterator[tuple[str, str]]:
    """The weaknesses of images among the inputs, and of the sizes that strided convolutions meet."""
    tensors = {leaf.name: ported.tensor(leaf) for leaf in ported.inputs.tensor_leaves()}
    images = {name: tensor for name, tensor in tensors.items() if role_of(name, tensor) == "image"}
    for name, image in images.items():
        if _gray(image):
            text = f"the channels of {show(name)} are equal, so their order (RGB or BGR) is not seen"
            yield "gray-image", f"{text}; pass a coloured image"
            break
    yield from _sizes(images, settings)
    if _symmetric(original) or _symmetric(ported):
        text = "at this size a padding on one side (TensorFlow's SAME) and one on both sides are the same"
        yield "same-padding", f"{text} for every strided convolution; pass an even size, such as 64 x 48"


def _gray(image: torch.Tensor) -> bool:
    axis = colour_axis(image)
    if axis is None or image.shape[axis] < 3:
        return False
    first = image.narrow(axis, 0, 1)
    return bool((image.narrow(axis, 0, 3) == first).all()) and not bool((image == first.reshape(-1)[0]).all())


def _sizes(images: dict[str, torch.Tensor], settings: Settings) -> Iterator[tuple[str, str]]:
    for name, image in images.items():
        axis = colour_axis(image)
        height, width = image.shape[2:] if axis == 1 else image.shape[1:3]
        if max(height, width) < 2 or height != width:
            continue
        size = next((value for key, value in settings.items() if key.endswith("image_size")), None)
        if size in (height, [height, width], (height, width)):
            text = f"{show(name)} has the config's own square size, {height} x {width}: resized positions and"
            yield "native-size", f"{text} exchanged height and width are not seen; pass another size if both take it"
        else:
            text = f"{show(name)} is as high as it is wide ({height}), so exchanging the two is not seen"
            yield "square-image", f"{text}; pass another width"
        return


def _symmetric(ported: Trace) -> bool:
    """Whether there are padded, strided convolutions, and SAME would pad each of them on both sides alike."""
    found = []
    for path, call in ported.first_calls.items():
        shape = next((leaf.shape for leaf in call.inputs.tensor_leaves()), None)
        geometry = _geometry(ported.modules[path])
        if geometry and shape:
            sizes = shape[-len(geometry[0]) :]
            found += [_alike(n, *each) for n, *each in zip(sizes, *geometry, strict=True)]
    return bool(found) and all(found)


def _geometry(module: ModuleInfo) -> tuple[tuple[int, ...], ...] | None:
    """Kernel, stride and padding of a strided, padded convolution."""
    values = [module.settings.get(name) for name in ("kernel_size", "stride", "padding")]
    if not all(isinstance(value, str) and value.startswith("(") for value in values):
        return None
    kernel, stride, padding = (literal_eval(str(value)) for value in values)
    return (kernel, stride, padding) if max(stride) > 1 and any(padding) and len(kernel) > 1 else None


def _alike(size: int, kernel: int, stride: int, padding: int) -> bool:
    same = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return same == 2 * padding
