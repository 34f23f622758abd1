"""An architecture that a checkpoint may be, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from porting.text import show

UNMODIFIED, NEAR, FAR = "unmodified", "near", "far"
LINES = 6


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
        if self.verdict == UNMODIFIED:
            return f"every tensor has a place: this may be an unmodified {show(self.class_name)}{same}"
        return (
            f"{self.verdict}: {self.placed_share:.0%} of the checkpoint's tensors have a place in "
            f"{show(self.class_name)}, and {self.filled_share:.0%} of its tensors are filled{same}"
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
