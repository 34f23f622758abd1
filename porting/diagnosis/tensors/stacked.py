"""Stacked tensors against lists: one tensor holds, slice by slice, the matrices of several modules of the original.

Experts are the usual case. Which rows of which matrix each slice holds is read from the rows' signatures; what each
slice should hold follows from the order of the original's list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from porting.diagnosis.cause import Case
from porting.diagnosis.tensors.explained import Explained
from porting.diagnosis.tensors.owned import Owned, axes_of, live, tensors_of_trace
from porting.diagnosis.tensors.roles import places
from porting.diagnosis.tensors.unaligned import home_of

KNOWN = 0.5
"""Share of the rows that must be found in the original for a claim about the rest."""
NOWHERE = -1

Row = tuple[int, int]
"""Number of a piece and of a row in it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A matrix of the original, by its rows or by its columns."""

    source: Owned
    turned: bool

    @property
    def signatures(self) -> np.ndarray:
        """One number for each row."""
        return self.source.turned[0] if self.turned else self.source.axes[0]

    def content(self, case: Case) -> torch.Tensor | None:
        """Its rows, where they are at hand."""
        values = case.weights(self.source.path, self.source.info.name)
        return values if values is None or not self.turned else values.t()


@dataclass(frozen=True)
class Stack:
    """A tensor of three dimensions, as slices of rows.

    Attributes:
        turned: whether the rows of a matrix lie along the last axis.
        rows: for each slice and row, where the original has it; `NOWHERE` as the piece where nothing is found.
    """

    turned: bool
    rows: list[list[Row]]


def explained_by_stack(case: Case, tensor: Owned) -> Explained | None:
    """``permuted``, ``wrong-layer`` or ``not-loaded``: slices that are not those of the original's list in turn."""
    if len(tensor.shape) != 3 or tensor.path in case.alignment.original_of or tensor.info.sketch is None:
        return None
    for turned in (False, True):
        pieces = list(_pieces(case, tensor.shape[1 if turned else 2]))
        stack = _stack(live(case.model, tensor).detach(), pieces, turned=turned) if pieces else None
        wanted = None if stack is None else _wanted(case, tensor, stack, pieces)
        if stack is not None and wanted is not None:
            return None if wanted == stack.rows else _explained(case, tensor, stack, wanted, pieces)
    return None


def _pieces(case: Case, length: int) -> Iterator[Piece]:
    for one in tensors_of_trace(case.original):
        if len(one.shape) == 2 and one.info.sketch is not None and not one.is_constant:
            if one.shape[1] == length:
                yield Piece(one, turned=False)
            if one.shape[0] == length:
                yield Piece(one, turned=True)


def _stack(values: torch.Tensor, pieces: Sequence[Piece], *, turned: bool) -> Stack | None:
    """Where the rows of each slice are among those of the pieces; None if too few are anywhere."""
    sums = np.concatenate([piece.signatures for piece in pieces])
    owners = [(number, row) for number, piece in enumerate(pieces) for row in range(len(piece.signatures))]
    order = np.argsort(sums)
    seen = np.stack([axes_of(matrix)[int(turned)] for matrix in values])
    right = np.clip(np.searchsorted(sums[order], seen), 1, len(order) - 1)
    below, above = order[right - 1], order[right]
    nearest = np.where(np.abs(sums[below] - seen) < np.abs(sums[above] - seen), below, above)
    found = np.abs(sums[nearest] - seen) <= 1e-6 * float(np.std(sums))
    if found.mean() < KNOWN:
        return None
    rows = [
        [owners[place] if here else (NOWHERE, 0) for place, here in zip(*each, strict=True)]
        for each in zip(nearest.tolist(), found.tolist(), strict=True)
    ]
    return Stack(turned, rows)


def _wanted(case: Case, tensor: Owned, stack: Stack, pieces: Sequence[Piece]) -> list[list[Row]] | None:
    """What each slice should hold: the rows that most slices take, of the modules of their own layer in order."""
    home = home_of(case, tensor.path)
    if home is None:
        return None
    families: dict[str, list[int]] = defaultdict(list)
    for number, piece in enumerate(pieces):
        if piece.source.path.startswith(f"{home}."):
            families[_family(piece)].append(number)
    for members in families.values():
        members.sort(key=lambda number: places(pieces[number].source.path)[1])
    whole = [each for each in stack.rows if all(number != NOWHERE for number, _ in each)]
    patterns = Counter(tuple((_family(pieces[number]), row) for number, row in each) for each in whole)
    if not patterns:
        return None
    pattern = patterns.most_common(1)[0][0]
    if any(len(families[family]) != len(stack.rows) for family, _ in pattern):
        return None
    return [[(families[family][slot], row) for family, row in pattern] for slot in range(len(stack.rows))]


def _family(piece: Piece) -> str:
    return f"{places(piece.source.path)[0]}.{piece.source.info.name}{'.T' if piece.turned else ''}"


def _explained(case: Case, tensor: Owned, stack: Stack, wanted: list[list[Row]], pieces: Sequence[Piece]) -> Explained:
    wrong = [slot for slot, (seen, right) in enumerate(zip(stack.rows, wanted, strict=True)) if seen != right]
    first = wrong[0]
    right, held = (pieces[rows[first][0][0]].source.name if rows[first][0][0] != NOWHERE else ""
                   for rows in (wanted, stack.rows))  # fmt: skip
    numbers = {number for slot in wrong for number, _ in stack.rows[slot]}
    code = "permuted" if numbers <= {number for each in wanted for number, _ in each} else "wrong-layer"
    code = "not-loaded" if NOWHERE in numbers else code
    named = ", ".join(map(str, wrong[:6])) + (" …" if len(wrong) > 6 else "")
    return Explained(
        code,
        tensor,
        f"{tensor.name} does not hold the original's list in its order at {named}: at {first} it has "
        f"{held or 'nothing of the original'} where {right} belongs",
        f"stack the original's {_family_name(right)} in their order into {tensor.name}",
        _values(case, tensor, stack, wanted, pieces),
    )


def _family_name(name: str) -> str:
    return places(name)[0]


def _values(
    case: Case, tensor: Owned, stack: Stack, wanted: list[list[Row]], pieces: Sequence[Piece]
) -> torch.Tensor | None:
    """The wanted slices, of rows that the tensor itself holds elsewhere or that the live original has."""
    own = live(case.model, tensor).detach()
    matrices = own.transpose(1, 2) if stack.turned else own
    found = {each: matrices[slot, row] for slot, rows in enumerate(stack.rows) for row, each in enumerate(rows)}
    contents: dict[int, torch.Tensor | None] = {}
    values = matrices.clone()
    for slot, rows in enumerate(wanted):
        for row, each in enumerate(rows):
            if (known := found.get(each)) is None:
                number = each[0]
                content = contents.setdefault(number, pieces[number].content(case))
                known = None if content is None else content[each[1]]
            if known is None:
                return None
            values[slot, row] = known.to(values)
    return values.transpose(1, 2).contiguous() if stack.turned else values
