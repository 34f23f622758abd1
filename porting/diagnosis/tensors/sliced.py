"""Lists against stacked tensors: the matrices of several modules that the original keeps as slices of one tensor.

Which rows of its slice a matrix is follows from the other layers, else from what most matrices of the list hold. A
slice has no signatures of its own in a trace, so that the live original is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Owned, axes_of, live, tensors_of_trace
from porting.diagnosis.tensors.roles import places
from porting.diagnosis.tensors.unaligned import home_of

Pattern = tuple[str, bool, tuple[int, ...]]
"""Family of a stack, whether its matrices are transposed, and the rows that are taken of each."""


@dataclass(frozen=True)
class Slices:
    """A tensor of three dimensions, slice by slice.

    Attributes:
        source: the original's tensor.
        turned: whether its matrices are transposed.
        matrices: (slices, rows, columns).
    """

    source: Owned
    turned: bool
    matrices: torch.Tensor

    @property
    def family(self) -> str:
        """Its name, without the numbers."""
        return f"{places(self.source.path)[0]}.{self.source.info.name}"

    def places_of(self, matrix: Owned) -> np.ndarray | None:
        """(slice, row) of each row of a matrix; None if it has others."""
        sums = np.concatenate([axes_of(each)[0] for each in self.matrices])
        gaps = np.abs(sums[:, None] - matrix.axes[0][None, :])
        nearest = gaps.argmin(0)
        if bool((gaps.min(0) > 1e-6 * float(np.std(sums))).any()):
            return None
        return np.stack(np.divmod(nearest, self.matrices.shape[1]))


def explained_by_slice(case: Case, tensor: Owned) -> Explained | None:
    """``swapped``, ``wrong-layer`` or ``not-loaded``: a matrix that is not the original's slice of its number."""
    if len(tensor.shape) != 2 or tensor.path in case.alignment.original_of or tensor.info.sketch is None:
        return None
    members = _members(case, tensor)
    own = list(_slices(case, tensor, len(members)))
    if len(members) < 2 or not own:
        return None
    others = [each for first in _first_of_lists(case, tensor) for each in _patterns(case, first)]
    votes = Counter(others or _patterns(case, tensor)).most_common(1)
    found = next((each for each in own if votes and (each.family, each.turned) == votes[0][0][:2]), None)
    if found is None:
        return None
    slot = next(number for number, each in enumerate(members) if each.name == tensor.name)
    wanted = found.matrices[slot][list(votes[0][0][2])]
    if torch.equal(wanted.to(values := live(case.model, tensor).detach()), values):
        return None
    return _explained(case, tensor, own, found.source, slot, wanted)


def _members(case: Case, tensor: Owned) -> list[Owned]:
    """The matrices of the list that a matrix belongs to, in its order."""
    family, numbers = places(tensor.path)
    found = [
        each
        for each in tensors_of_trace(case.ported)
        if each.info.name == tensor.info.name and each.shape == tensor.shape and places(each.path)[0] == family
        and places(each.path)[1][:-1] == numbers[:-1]
    ]  # fmt: skip
    return sorted(found, key=lambda each: places(each.path)[1])


def _first_of_lists(case: Case, tensor: Owned) -> Iterator[Owned]:
    """The first matrix of the same list in every other layer."""
    family, numbers = places(tensor.path)
    seen = {numbers[:-1]}
    for each in tensors_of_trace(case.ported):
        theirs, layer = places(each.path)[0], places(each.path)[1][:-1]
        if each.info.name == tensor.info.name and theirs == family and layer not in seen:
            seen.add(layer)
            yield each


def _slices(case: Case, tensor: Owned, count: int) -> Iterator[Slices]:
    """The stacks of the original at a matrix's place, of as many slices, that have room for it."""
    home = home_of(case, tensor.path)
    for one in tensors_of_trace(case.original) if home else ():
        if len(one.shape) != 3 or one.shape[0] != count or not one.path.startswith(str(home)):
            continue
        content = case.weights(one.path, one.info.name)
        if content is None:
            continue
        for turned in (False, True):
            matrices = content.mT if turned else content
            if matrices.shape[2] == tensor.shape[1] and matrices.shape[1] >= tensor.shape[0]:
                yield Slices(one, turned, matrices)


def _patterns(case: Case, tensor: Owned) -> list[Pattern]:
    """The rows that the matrices of a list are, each of one slice."""
    members = _members(case, tensor)
    found: list[Pattern] = []
    for each in _slices(case, tensor, len(members)):
        for member in members:
            rows = each.places_of(member)
            if rows is not None and len(set(rows[0])) == 1:
                found.append((each.family, each.turned, tuple(rows[1].tolist())))
    return found


def _explained(
    case: Case, tensor: Owned, own: Sequence[Slices], source: Owned, slot: int, wanted: torch.Tensor
) -> Explained:
    others = (each for first in _first_of_lists(case, tensor) for each in _slices(case, first, len(own[0].matrices)))
    code = "not-loaded"
    if any(each.places_of(tensor) is not None for each in own):
        code = "swapped"
    elif any(each.places_of(tensor) is not None for each in others):
        code = "wrong-layer"
    return Explained(
        code,
        tensor,
        f"{tensor.name} is not what the original's {source.name} has at {slot}"
        + {"swapped": ", but rows of it from elsewhere", "wrong-layer": ", but that of another layer"}.get(code, ""),
        f"load slice {slot} of the original's {source.name} into {tensor.name}",
        wanted.clone(),
    )
