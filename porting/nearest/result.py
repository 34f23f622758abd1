"""An architecture that a checkpoint may be, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porting.nearest.cells import Cell, Held
from porting.text import show

UNMODIFIED, NEAR, FAR = "unmodified", "near", "far"
LINES = 6


SETTINGS = 8
"""Settings that a sentence tells."""
TELLING = 0.25
"""Share of a checkpoint's tensors up to which it is worth telling how many do not fit, and with which settings."""


@dataclass(frozen=True)
class Proof:
    """A model that was built without memory for its weights, beside a checkpoint.

    Attributes:
        class_name: of the model.
        settings: of its config, those that are no default and on which its tensors depend.
        loose: those of them that could be others, alone or together, as heads and their groups.
        tensors: how many the checkpoint has.
        left: how many of these have no place in it.
        empty: how many of its tensors the checkpoint does not fill.
        of_left: which have no place, in a few lines.
        of_empty: which are not filled, in a few lines.
    """

    class_name: str
    settings: Mapping[str, int | bool | str]
    loose: tuple[str, ...] = ()
    tensors: int = 0
    left: int = 0
    empty: int = 0
    of_left: tuple[str, ...] = ()
    of_empty: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the model has exactly the checkpoint's tensors."""
        return not self.left and not self.empty

    @property
    def telling(self) -> bool:
        """Whether it is near enough for what differs to be worth telling."""
        return self.left + self.empty <= TELLING * self.tensors

    def statement(self) -> str:
        """What is shown, in a sentence without a full stop."""
        if not self.telling:
            return f"no settings were found with which {show(self.class_name)} has exactly these tensors"
        model = f"{show(self.class_name)} {self.values()}"
        if self.exact:
            return f"{model} was built and has exactly these tensors"
        lacks = [f"{_tensors(self.left)} of the checkpoint {_have(self.left)} no place"] * bool(self.left)
        lacks += [f"{_tensors(self.empty)} of its own {_have(self.empty)} no counterpart"] * bool(self.empty)
        return f"as near as it was built, {model}: {' and '.join(lacks)}"

    def values(self) -> str:
        """The settings, in words."""
        told = [f"{show(name, 60)}={show(value, 60)}" for name, value in list(self.settings.items())[:SETTINGS]]
        more = f" and {len(self.settings) - SETTINGS} more" if len(self.settings) > SETTINGS else ""
        loose = f" (of these, shapes leave open {_some(self.loose)})" if self.loose else ""
        return f"with {', '.join(told)}{more}{loose}" if told else "with its default settings"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "class": self.class_name,
            "settings": dict(self.settings),
            "loose": list(self.loose),
            "exact": self.exact,
            "left": self.left,
            "empty": self.empty,
            "of_left": list(self.of_left),
            "of_empty": list(self.of_empty),
        }


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


@dataclass(frozen=True)
class Candidate:
    """An architecture of Transformers beside a checkpoint.

    Attributes:
        model_type: as Transformers' configs say.
        class_name: of the class that was compared.
        verdict: ``unmodified`` where every tensor has a place and every place is filled, ``near`` or ``far``.
        placed: tensors of the checkpoint that have a place in the architecture.
        tensors: how many the checkpoint has, without buffers that models compute themselves.
        filled: kinds of tensors of the architecture, its blocks counted once, that are filled.
        kinds: how many it has.
        names: 0 to 1, how much the words of the names agree where tensors have a place.
        config: values for its config that the shapes tell.
        left: what has no place, in a few lines.
        empty: what nothing fills, in a few lines.
        ways: how tensors get there other than one to one, in a few lines.
        converted: kinds of the checkpoint's names that the model type's registered conversion reads, and of how many;
            (0, 0) where none is registered.
        heirs: how many models of Transformers are derived from it.
        tied: model types that shapes cannot tell from this one.
        proof: what a model shows that was built; None where none was (`prove`).
    """

    model_type: str
    class_name: str
    verdict: str
    placed: int
    tensors: int
    filled: int
    kinds: int
    names: float
    config: Mapping[str, int]
    left: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    converted: tuple[int, int] = (0, 0)
    heirs: int = 0
    tied: tuple[str, ...] = ()
    proof: Proof | None = None

    @property
    def unmodified(self) -> bool:
        """Whether it may be this model as it is: all tensors have a place, and what was built does not refute it."""
        return self.verdict == UNMODIFIED and (self.proof is None or self.proof.exact)

    @property
    def placed_share(self) -> float:
        """0 to 1: of the checkpoint's tensors."""
        return self.placed / self.tensors if self.tensors else 0.0

    @property
    def filled_share(self) -> float:
        """0 to 1: of the architecture's tensors."""
        return self.filled / self.kinds if self.kinds else 0.0

    @property
    def share(self) -> float:
        """0 to 1: of both together."""
        return (self.placed_share + self.filled_share) / 2

    def statement(self) -> str:
        """What is found in a sentence."""
        same = f" (by shapes alone it may as well be {_some(self.tied)})" if self.tied else ""
        if self.proof is not None and self.proof.exact:
            return f"{self.proof.statement()}: this may be an unmodified one{same}"
        return f"{self._structure()}{same}" + (f"; {self.proof.statement()}" if self.proof else "")

    def _structure(self) -> str:
        if self.verdict == UNMODIFIED:
            return f"every tensor has a place: this may be an unmodified {show(self.class_name)}"
        return (
            f"{self.verdict}: {self.placed_share:.0%} of the checkpoint's tensors have a place in "
            f"{show(self.class_name)}, and {self.filled_share:.0%} of its tensors are filled"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "model_type": self.model_type,
            "class": self.class_name,
            "verdict": self.verdict,
            "statement": self.statement(),
            "placed": self.placed,
            "tensors": self.tensors,
            "filled": self.filled,
            "kinds": self.kinds,
            "share": round(self.share, 4),
            "names": round(self.names, 4),
            "config": dict(self.config),
            "left": list(self.left),
            "empty": list(self.empty),
            "ways": list(self.ways),
            "converted": list(self.converted),
            "heirs": self.heirs,
            "tied": list(self.tied),
            "proof": None if self.proof is None else self.proof.to_dict(),
        }


def conclusion(candidates: Sequence[Candidate]) -> str:
    """What all candidates together say, in one sentence for a person."""
    near = [each for each in candidates if each.verdict != FAR]
    if not near:
        return "nothing near: no architecture of the installed Transformers has tensors like the checkpoint's"
    return f"nearest is {show(near[0].model_type)}; {near[0].statement()}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(show(name, 60) for name in names[:LINES])
    return shown + (f" and {len(names) - LINES} more" if len(names) > LINES else "")


def lines_of(held: Sequence[tuple[Cell, Held]]) -> tuple[str, ...]:
    """Tensors of blocks in a few lines: each with its shape."""
    lines = []
    for cell, each in held[:LINES]:
        name = f"{cell.path}.{each.name}" if cell.path else each.name
        lines.append(f"{show(name, 80)} {show(each.shape, 60)}")
    return (*lines, *([f"and {len(held) - LINES} more"] if len(held) > LINES else []))
