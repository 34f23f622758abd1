"""Buffers and plain tensors that no checkpoint brings: whether they are what the class computes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch

from porting.quieting import unlogged
from porting.text import show
from porting.weights.audit.arithmetic import arithmetic
from porting.weights.audit.changed import change
from porting.weights.audit.comparing import difference
from porting.weights.audit.rebuilding import computed
from porting.weights.audit.relation import Place, clause
from porting.weights.report import Finding
from porting.weights.source import spec


class Computed:
    """What a model's class computes from its configuration, made anew when it is first asked for."""

    def __init__(self, model: torch.nn.Module, built: type[torch.nn.Module] | None, config: Any) -> None:
        """Take the class and the configuration, by default the model's own."""
        self._built = built or type(model)
        self._config = getattr(model, "config", None) if config is None else config
        self.failure = ""

    def values(self, name: str) -> list[torch.Tensor]:
        """What may rightly be there: as computed in the configuration's dtype, and in float32; empty if unknown."""
        found = [made[name] for made in self._made if name in made]
        return found[:1] if len(found) > 1 and not difference(*found) else found

    @cached_property
    def _made(self) -> list[dict[str, torch.Tensor]]:
        if self._config is None:
            self.failure = "it has no config, and the portfile no config()"
            return []
        dtype = getattr(self._config, "dtype", None)
        dtypes = [dtype, torch.float32] if dtype not in (None, torch.float32) else [torch.float32]
        try:
            with unlogged(logging.WARNING):
                return [computed(self._built, copy.deepcopy(self._config), each) for each in dtypes]
        except Exception as error:
            self.failure = f"{type(error).__name__}: {show(error, 200)}"
            return []


def wrong_values(tensors: Mapping[str, torch.Tensor], made: Computed) -> Iterator[Finding]:
    """The tensors that are not what the class computes; what it does not compute is not judged."""
    for name, tensor in tensors.items():
        wanted = [] if tensor.is_meta else made.values(name)
        notes = [difference(tensor, value) for value in wanted]
        if wanted and all(notes):
            yield _finding(name, tensor, wanted[0], notes[0])


def _finding(name: str, tensor: torch.Tensor, wanted: torch.Tensor, note: str) -> Finding:
    place = Place(name, kind="buffer")
    cause, words = "buffer-wrong", ""
    if tensor.shape == wanted.shape and not tensor.is_complex():
        given = wanted.to(tensor.dtype)
        relation = arithmetic(tensor, given) or change(place, tensor, given)
        cause = "dtype-cast" if relation.cause == "dtype-cast" else cause
        words = clause(relation).replace("the checkpoint's", "what the class computes")
    parts = (note, words, "it is not loaded, and is not what the class computes")
    text = "; ".join(part for part in parts if part)
    return Finding("VALUE", name, None, spec(name, tensor), note=text, cause=cause)
