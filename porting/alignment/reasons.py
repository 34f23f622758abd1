"""What is said of a pair: on what evidence it stands, how sure it is, and whether its results are to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from porting.alignment.model import Group
from porting.alignment.scoring import Evidence
from porting.text import show

MANNERS = (
    "",
    "weights",
    "weights, transposed",
    "weights, rows or columns in another order",
    "weights, axes split or merged",
)
REORDERED = 3


def reasons(evidence: Evidence, pairs: Mapping[int, int], known: Mapping[int, int]) -> Iterator[Group]:
    """Each pair as a group.

    Args:
        evidence: what the pairs were found by.
        pairs: rows of the original by rows of the port.
        known: these and those that were given.
    """
    placing = evidence.placing(known)
    arranged = _Arranged(evidence, known, placing.parents[0])
    for row, column in pairs.items():
        one, other = evidence.original.paths[row], evidence.ported.paths[column]
        texts = [*_weights(evidence, row, column), *_values(evidence, row, column)]
        texts += [*_place(evidence, row, column, place=bool(placing.place[row, column])), *_strangers(evidence, row)]
        why = arranged.outside(row, column)
        texts += [why] if why else []
        confidence = _confidence(evidence, row, column)
        yield Group((one,), (other,), "; ".join(texts) or "place", confidence, compared=not why)


def _weights(evidence: Evidence, row: int, column: int) -> Iterator[str]:
    contents = evidence.contents
    manner = contents.manner(evidence.original.paths[row], evidence.ported.paths[column])
    share = max(contents.own[row, column], contents.held[row, column])
    if manner and contents.own[row, column] == contents.held[row, column]:
        yield MANNERS[manner] if share == 1 else f"{MANNERS[manner]}, {share:.0%} of them"
    elif share:
        yield "contains the same weights" if share == 1 else f"contains {share:.0%} of the same weights"


def _values(evidence: Evidence, row: int, column: int) -> Iterator[str]:
    given, made = evidence.inputs[row, column], evidence.outputs[row, column]
    if given or made:
        yield "the same " + " and ".join(text for text, said in (("inputs", given), ("results", made)) if said)


def _place(evidence: Evidence, row: int, column: int, *, place: bool) -> Iterator[str]:
    said = ((evidence.same_path, "path"), (evidence.same_name, "name"), (evidence.same_class, "class"))
    texts = [text for table, text in said if table[row, column]][:1] + (["place"] if place else [])
    if texts:
        yield " and ".join(texts)


def _strangers(evidence: Evidence, row: int) -> Iterator[str]:
    """Where the weights of a module were found instead, if that was taken for an error."""
    misled = np.flatnonzero(evidence.withdrawn[row] & (evidence.contents.own[row] > 0))
    if len(misled):
        yield f"but its weights are in {show(evidence.ported.paths[int(misled[0])])}"


def _confidence(evidence: Evidence, row: int, column: int) -> float:
    """1 for equal weights of their own, less for other evidence; 0.3 for the place alone."""
    doubts = [
        0.0 if evidence.own[row, column] == 1 else 1.0 - 0.8 * float(evidence.own[row, column]),
        1.0 - 0.95 * float(evidence.held[row, column]) ** 2,
        0.4 if evidence.inputs[row, column] else 1.0,
        0.3 if evidence.outputs[row, column] else 1.0,
        0.7,
        0.8 if evidence.same_class[row, column] else 1.0,
        0.8 if evidence.same_name[row, column] else 1.0,
    ]
    return round(1.0 - float(np.prod(doubts)), 2)


class _Arranged:
    """Pairs that work differently by intent, so that their results are not to be equal."""

    def __init__(self, evidence: Evidence, pairs: Mapping[int, int], parents: np.ndarray) -> None:
        self.evidence = evidence
        self.pairs = pairs
        self.parents = parents
        self.left, self.right = evidence.original.paths, evidence.ported.paths
        self._fits = {pair: self._state(pair) for pair in pairs.items()}

    def outside(self, row: int, column: int) -> str:
        """Why the results are not compared; empty if they are."""
        if self._applied_above(row, column):
            return "a weight is applied outside"
        if self._manner((row, column)) == REORDERED and self._meant(row):
            return "its results are in another order"
        return ""

    def _manner(self, pair: tuple[int, int]) -> int:
        return self.evidence.contents.manner(self.left[pair[0]], self.right[pair[1]])

    def _state(self, pair: tuple[int, int]) -> bool | None:
        """Whether the module around a pair works; None if that cannot be known, as it is given something else."""
        over = int(self.parents[pair[0]])
        if over < 0 or over not in self.pairs:
            return None
        evidence, around = self.evidence, (over, self.pairs[over])
        return evidence.flow.works(*around) if evidence.inputs[around] or evidence.outputs[around] else None

    def _meant(self, row: int) -> bool:
        """Whether an order of rows is right: the module around it or around one of its role works, or none fails."""
        roles = self.evidence.original.roles
        alike = [pair for pair in self.pairs.items() if roles[pair[0]] == roles[row]]
        states = {self._fits[pair] for pair in alike if self._manner(pair) == REORDERED}
        return True in states or False not in states

    def _applied_above(self, row: int, column: int) -> bool:
        """Whether one applies a weight that is applied above the other, as a bias that a head adds."""
        contents = self.evidence.contents
        mine = [n for n, each in enumerate(contents.left) if each.owner == self.left[row]]
        theirs = [n for n, each in enumerate(contents.right) if each.owner == self.right[column]]
        found = contents.same[np.ix_(mine, theirs)] > 0
        if not found.any():
            return False
        lacks_left = [mine[n] for n in np.flatnonzero(~found.any(1))]
        lacks_right = [theirs[n] for n in np.flatnonzero(~found.any(0))]
        above_left = [n for n, each in enumerate(contents.left) if _is_above(each.owner, self.left[row])]
        above_right = [n for n, each in enumerate(contents.right) if _is_above(each.owner, self.right[column])]
        if lacks_left and not lacks_right:
            return bool((contents.same[np.ix_(lacks_left, above_right)] > 0).any(1).all())
        if lacks_right and not lacks_left:
            return bool((contents.same[np.ix_(above_left, lacks_right)] > 0).any(0).all())
        return False


def _is_above(path: str, below: str) -> bool:
    return path != below and (not path or below.startswith(f"{path}."))
