"""The roles of the known tensors at a culprit: a residual, an embedding, a bias, what a child made."""

from __future__ import annotations

import re

import torch

from porting.diagnosis.cause import Case

_NAMED = re.compile(
    r"(?P<original>original )?(?P<kind>argument|input of|output of|parameter|buffer) (?P<path>[^ ]*)(?: \(.*\))?"
)
EMBEDDING = ("embed", "posit", "wpe", "wte", "lookup")
NORM = ("norm", "ln_", "layer_norm")


class Role:
    """What a known tensor is, from its name (see `Case.known`) and the module that made it.

    Attributes:
        name: as given.
        kind: ``argument``, ``input of``, ``output of``, ``parameter`` or ``buffer``.
        path: of the module, or the name of the argument or parameter.
        original: whether only the original has it.
    """

    def __init__(self, case: Case, name: str) -> None:
        found = _NAMED.fullmatch(name)
        self.name = name
        self.kind = found["kind"] if found else ""
        self.path = found["path"].partition("#")[0] if found else ""
        self.original = bool(found and found["original"])
        self._case = case

    @property
    def is_own(self) -> bool:
        """Whether it is a parameter or buffer."""
        return self.kind in ("parameter", "buffer")

    @property
    def is_output(self) -> bool:
        """Whether another module made it."""
        return self.kind == "output of"

    @property
    def is_stream(self) -> bool:
        """Whether it arrived: at the culprit, or at one of its children as what the culprit had by then."""
        return self.kind in ("argument", "input of")

    @property
    def is_embedding(self) -> bool:
        """Whether it came out of an embedding, or is a table of positions."""
        if self.is_own:
            return len(self.shape) > 1 or _is_named(self.path, EMBEDDING)
        return self.is_output and (self._made_by(torch.nn.Embedding) or _is_named(self._names, EMBEDDING))

    @property
    def is_norm(self) -> bool:
        """Whether it came out of a norm."""
        return self.is_output and _is_named(self._names, NORM)

    @property
    def is_vector(self) -> bool:
        """Whether it is a parameter with one value for each channel."""
        return self.is_own and len([length for length in self.shape if length > 1]) == 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a parameter or buffer, without axes of one; empty for others."""
        module = self._case.counterpart if self.original else self._case.info
        owned = module.parameters if module is not None else ()
        found = next((p.shape for p in owned if p.name == self.path), None)
        if found is None:
            live = {
                **dict(self._case.module.named_buffers(recurse=False)),
                **dict(self._case.module.named_parameters()),
            }
            found = tuple(live[self.path].shape) if self.path in live else ()
        return tuple(length for length in found if length > 1)

    @property
    def _names(self) -> str:
        modules = self._case.original.modules if self.original else self._case.ported.modules
        info = modules.get(self.path)
        return f"{self.path.rpartition('.')[2]} {info.class_name if info else ''}"

    def _made_by(self, kind: type[torch.nn.Module]) -> bool:
        if self.original:
            return False
        return isinstance(dict(self._case.model.named_modules()).get(self.path), kind)


def is_embedding(name: str, module: torch.nn.Module) -> bool:
    """Whether a module looks rows up, or is named as if it did."""
    return isinstance(module, torch.nn.Embedding) or _is_named(
        f"{name.rpartition('.')[2]} {type(module).__name__}", EMBEDDING
    )


def _is_named(text: str, stems: tuple[str, ...]) -> bool:
    return any(stem in text.lower() for stem in stems)
