"""What Transformers keeps beside the weights: the config, the generation config, tokenizer and processor."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from porting.errors import PortingError
from porting.folders import sync
from porting.pretrained import is_pretrained
from porting.text import show
from porting.weights.report import Spec


def save_beside(folder: Path, model: torch.nn.Module, specs: Mapping[str, Spec], others: Sequence[Any]) -> None:
    """Save what belongs to a model into its folder, and wait until it is on the disk.

    Args:
        folder: where.
        model: its config and generation config are saved, if it is Transformers' own kind of model.
        specs: the weights that the folder will hold, whose dtype the config states.
        others: objects with ``save_pretrained``, such as a tokenizer and a processor.

    Raises:
        PortingError: one cannot be saved.
    """
    for each in (*_of_model(model, specs), *others):
        try:
            each.save_pretrained(folder)
        except OSError:
            raise
        except Exception as error:
            raise PortingError(
                f"{show(type(each).__name__)}.save_pretrained raised {type(error).__name__}: {show(error, 500)}",
                hint="give an object that Transformers can save, or leave it out",
            ) from error
    for path in folder.rglob("*"):
        sync(path)


def _of_model(model: torch.nn.Module, specs: Mapping[str, Spec]) -> Iterator[Any]:
    if not is_pretrained(model):
        return
    config = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    config.dtype = main_dtype(specs) or config.dtype
    yield config
    if model.can_generate() and model.generation_config is not None:
        yield copy.deepcopy(model.generation_config)


def main_dtype(specs: Mapping[str, Spec]) -> torch.dtype | None:
    """The floating dtype that most elements have, of those that a model can compute in; None where there is none."""
    counts: dict[torch.dtype, int] = {}
    for spec in specs.values():
        dtype = getattr(torch, spec.dtype, None)
        if isinstance(dtype, torch.dtype) and dtype.is_floating_point and dtype.itemsize > 1:
            counts[dtype] = counts.get(dtype, 0) + math.prod(spec.shape)
    return max(counts, key=counts.__getitem__) if counts else None
