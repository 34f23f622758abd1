"""The part of a port's processor that makes numbers of images or of sounds, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from porting.errors import PortfileError, PortingError
from porting.kinds import kind_of
from porting.processors.samples import Kind
from porting.text import show

Arrays = dict[str, np.ndarray]


MOST_RATE = 1_000_000
"""Samples of sound in a second, at most: a settings file may say anything."""
NUMERIC = "fiub"
"""Kinds of dtypes that are compared; texts among the results are not."""


class ProcessorError(PortingError):
    """A processor raised."""

    code = "processor"


def unchanged(value: Any) -> Any:
    """The value itself."""
    return value


@dataclass(frozen=True)
class Processor:
    """An image processor or a feature extractor of Transformers.

    Attributes:
        kind: of content that it takes.
        part: the object.
        before: changes every sample first.
        after: changes every array at the end.
    """

    kind: Kind
    part: Any
    before: Callable[[Any], Any] = unchanged
    after: Callable[[np.ndarray], np.ndarray] = unchanged

    @property
    def rate(self) -> int:
        """Samples of sound in a second.

        Raises:
            PortfileError: the processor says a number that no sound has.
        """
        given = getattr(self.part, "sampling_rate", None) or 16000
        if not isinstance(given, int | float) or not 1 <= given <= MOST_RATE:
            raise PortfileError(
                f"sampling_rate of the processor is {show(given)}, and sounds have 1 to {MOST_RATE} samples a second",
                hint="correct sampling_rate in preprocessor_config.json",
            )
        return int(given)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is saved of it: the keys of ``preprocessor_config.json``."""
        settings: Mapping[str, Any] = self.part.to_dict()
        return settings

    def changed(self, **settings: Any) -> Processor:
        """One that is built anew with other settings.

        Raises:
            Exception: whatever the class raises for them.
        """
        return replace(self, part=type(self.part).from_dict({**self.settings, **settings}))

    def alone(self, value: Any) -> Arrays:
        """The arrays of one sample, without the batch axis where there is one.

        Raises:
            ProcessorError: it raised.
        """
        return self.batch([value])[0]

    def batch(self, values: Sequence[Any]) -> list[Arrays]:
        """The arrays of each of some samples that were given together.

        Raises:
            ProcessorError: it raised.
        """
        try:
            made = dict(self._call([self.before(value) for value in values]))
            return [self._one(made, len(values), number) for number in range(len(values))]
        except Exception as error:
            raise ProcessorError(f"{type(error).__name__}: {show(error, 300)}") from error

    def _call(self, values: list[Any]) -> Mapping[str, Any]:
        if self.kind == "image":
            made: Mapping[str, Any] = self.part(images=values)
            return made
        try:
            return self._listened(values)
        except ValueError:  # it does not pad by default, and cannot make one array of several lengths
            return self._listened(values, padding=True)

    def _listened(self, values: list[Any], **how: Any) -> Mapping[str, Any]:
        sounds = [np.array(value, dtype=np.float32) for value in values]
        made: Mapping[str, Any] = self.part(sounds, sampling_rate=self.rate, **how)
        return made

    def _one(self, made: Mapping[str, Any], count: int, number: int) -> Arrays:
        arrays = {}
        for name, value in made.items():
            if hasattr(value, "__len__") and len(value) == count:
                arrays[name] = self.after(as_array(value[number]))
            elif count == 1:
                arrays[name] = self.after(as_array(value))
        return {name: array for name, array in arrays.items() if array.dtype.kind in NUMERIC}


def as_array(value: Any) -> np.ndarray:
    """A tensor, an image, or nested lists, as an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
        return np.asarray(value.numpy())
    return np.asarray(value)


def processors_of(value: Any) -> list[Processor]:
    """The parts of a processor that take images and sounds.

    Args:
        value: what ``ported_processor()`` returned.

    Raises:
        PortfileError: it is no processor of Transformers.
    """
    from transformers import FeatureExtractionMixin, ProcessorMixin
    from transformers.image_processing_utils import BaseImageProcessor

    found: list[Processor] = []
    for part in (value, getattr(value, "image_processor", None), getattr(value, "feature_extractor", None)):
        if isinstance(part, BaseImageProcessor):
            found.append(Processor("image", part))
        elif isinstance(part, FeatureExtractionMixin):
            sounds = getattr(part, "sampling_rate", None) is not None
            found.append(Processor("audio" if sounds else "image", part))
    if not found and not isinstance(value, ProcessorMixin):
        raise PortfileError(
            f"ported_processor() must return a processor of Transformers, and returned {kind_of(value)}",
            hint="an image processor, a feature extractor, or a processor that holds one",
        )
    return list({processor.kind: processor for processor in reversed(found)}.values())
