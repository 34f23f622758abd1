"""What is known of a port, for what is written about it."""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting.checkout import Checkout, find_checkout
from porting.errors import PortingError
from porting.stubs.literals import IDENTIFIER, snake
from porting.weights.conversion.latest import converted_folder

if TYPE_CHECKING:
    import torch

    from porting.portfile import Portfile

HEAD = re.compile(r"(For[A-Z]\w*|PreTrainedModel|Model|Config)$")
"""What follows a model's own name in the name of a class."""


@dataclass(frozen=True)
class Port:
    """A portfile, and what documents say about its port; each fact is found when it is asked for.

    Attributes:
        portfile: it.
        model: the port, live or on the meta device.
    """

    portfile: Portfile
    model: torch.nn.Module

    @classmethod
    def of(cls, portfile: Portfile) -> Port:
        """The port of a portfile, without its weights if ``config()`` says how.

        Raises:
            PortingError: it cannot be built.
        """
        from porting.weights import build_on_meta

        config = portfile.config()
        model = portfile.build("ported") if config is None else build_on_meta(portfile.ported_class(), config)
        return cls(portfile, model)

    @property
    def kind(self) -> type:
        """The model's class."""
        return type(self.model)

    @property
    def config(self) -> Any:
        """The model's config; None where it has none."""
        return getattr(self.model, "config", None)

    @cached_property
    def name(self) -> str:
        """The model's name as part of a file's name.

        Raises:
            GenerationError: it has no ASCII letter to begin with.
        """
        return snake(self.portfile.model_name)

    @property
    def title(self) -> str:
        """The model's name for people: as its classes begin."""
        name = self.kind.__name__ if self.config is None else type(self.config).__name__
        return HEAD.sub("", name) or name

    @property
    def hub_id(self) -> str | None:
        """Where the weights are or will be on the Hub, if the portfile says so in the Hub's own form."""
        found = str(self.portfile.constants.get("HUB_ID") or "")
        return found if re.fullmatch(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", found, re.ASCII) else None

    @cached_property
    def folder(self) -> Path | None:
        """The converted checkpoint that is to be uploaded, if there is one."""
        return converted_folder(self.portfile.folder)

    @cached_property
    def checkout(self) -> Checkout | None:
        """The checkout of Transformers that the model is written in, or that the portfile lies in."""
        try:
            source = inspect.getsourcefile(self.kind)
        except (TypeError, OSError):
            source = None
        found = None if source is None else find_checkout(Path(source))
        return found or find_checkout(self.portfile.folder)

    @cached_property
    def tokenizer(self) -> Any:
        """What ``ported_tokenizer()`` returns; None without it."""
        return self._made("ported_tokenizer")

    @cached_property
    def processor(self) -> Any:
        """What ``ported_processor()`` returns; None without it."""
        return self._made("ported_processor")

    @cached_property
    def task(self) -> str | None:
        """The task of ``transformers.pipeline`` that fits the model's class best, if one does."""
        from porting.pipelines.tasks import tasks_of

        return next((task.name for task in tasks_of(self.model)), None)

    @property
    def documented(self) -> tuple[str, ...]:
        """Names of the port's own public classes: configs, tokenizer, processors, models."""
        configs = [*_public(type(self.config))] if self.config is not None else []
        found = [*configs, *self._readers(), *_models(self.kind)]
        return tuple(dict.fromkeys(name for name in found if IDENTIFIER.fullmatch(name)))

    @property
    def materials(self) -> tuple[str, ...]:
        """What the model reads, of ``text``, ``image``, ``audio`` and ``video``, by the names of its inputs."""
        names = " ".join(inspect.signature(self.kind.forward).parameters)  # type: ignore[attr-defined]
        kinds = {
            "text": r"\binput_ids\b",
            "image": "pixel_values(?!_video)",
            "audio": "input_features|input_values|audio",
        }
        found = [kind for kind, pattern in {**kinds, "video": "video"}.items() if re.search(pattern, names)]
        return tuple(found)

    def _readers(self) -> Iterator[str]:
        """Classes of the tokenizer and the processor, and of their parts, that were written for this model."""
        parts = [getattr(self.processor, name, None) for name in ("image_processor", "feature_extractor")]
        package = _package(self.kind)
        for each in (self.tokenizer, *parts, self.processor):
            if each is not None and _package(type(each)) == package:
                yield type(each).__name__

    def _made(self, function: str) -> Any:
        if function not in self.portfile.functions:
            return None
        try:
            return self.portfile.call(function)
        except PortingError:
            return None


def _package(kind: type) -> str:
    """The package of a model in Transformers; of other modules the folder of the file."""
    module = kind.__module__
    if module.startswith("transformers."):
        return module.rpartition(".")[0]
    return str(Path(getattr(sys.modules.get(module), "__file__", None) or ".").parent)


def _public(kind: type) -> list[str]:
    """The public names of a class's module, and its own."""
    module = sys.modules.get(kind.__module__)
    named = [name for name in getattr(module, "__all__", ()) if isinstance(getattr(module, name, None), type)]
    return named or [kind.__name__]


def _models(kind: type) -> list[str]:
    """The public models of a model's module: the bare one, then those with a head."""
    from torch import nn

    module = sys.modules.get(kind.__module__)
    names = [name for name in _public(kind) if issubclass(getattr(module, name, kind), nn.Module)]
    return sorted(names, key=lambda name: ("PreTrained" in name, len(name) if name.endswith("Model") else math.inf))
