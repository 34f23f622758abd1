"""What a relation between two tensors is: a cause, and words for it."""

from __future__ import annotations

import re
from typing import NamedTuple


class Relation(NamedTuple):
    """How the model's tensor comes from the one that it should hold, or from another.

    Attributes:
        cause: a cause code; ``unknown`` where the relation has none.
        words: what the model's tensor is, after "it is".
    """

    cause: str
    words: str


class Place(NamedTuple):
    """Which tensor of the model is looked at.

    Attributes:
        name: its full name.
        sources: the checkpoint's names for what it should hold.
        kind: ``parameter`` or ``buffer``.
        folded: whether the rules make it of the two parts of a weight norm.
    """

    name: str
    sources: tuple[str, ...] = ()
    kind: str = "parameter"
    folded: bool = False

    @property
    def is_fused(self) -> bool:
        """Whether it is, or is cut from, a fused projection of an attention."""
        return any(_FUSED.search(part) for name in (self.name, *self.sources) for part in name.split(".")[-2:])

    @property
    def is_magnitude(self) -> bool:
        """Whether it is the magnitude of a weight norm."""
        return self.name.endswith(("weight_g", "weight.original0"))

    @property
    def is_folded(self) -> bool:
        """Whether it is made of a weight norm, or its direction."""
        return self.folded or self.name.endswith(("weight_v", "weight.original1"))

    @property
    def is_bias(self) -> bool:
        """Whether it is added in its module."""
        return "bias" in self.name.rpartition(".")[2]


_FUSED = re.compile(r"qkv|q_k_v|query_key_value|kv(?![a-z])|in_proj|c_attn|key_value", re.IGNORECASE)


def clause(relation: Relation) -> str:
    """The relation as a clause; empty without words."""
    if not relation.words:
        return ""
    if relation.words.startswith("all "):
        return f"the model's are {relation.words}"
    return f"it {relation.words}" if relation.words.startswith("looks like") else f"it is {relation.words}"
