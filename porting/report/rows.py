"""The rows of the layer table: one per aligned call, folded where layers are alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from porting.folding import fold

if TYPE_CHECKING:
    from porting.comparison import CallComparison
    from porting.verification import Verification

OK, INHERITED, CULPRIT, UNSEEN = "ok", "inherited", "culprit", "not compared"


@dataclass(frozen=True, slots=True)
class Row:
    """One ported call in the table.

    Attributes:
        name: its label; folded: the pattern of several.
        class_name: of the ported module.
        accumulated: max abs when both ran freely, None if not comparable.
        isolated: max abs on the original's own inputs, None if not judged.
        ratio: of the isolated error to the noise floor, None for a floor of zero.
        state: ``ok``, ``inherited`` (off, by an upstream fault only), ``culprit`` or ``not compared``.
        note: what is added to the state.
    """

    name: str
    class_name: str
    accumulated: float | None
    isolated: float | None
    ratio: float | None
    state: str
    note: str = ""


def layer_rows(verification: Verification) -> list[Row]:
    """A row per aligned call in the order in which they returned, and one per culprit without a counterpart."""
    culprits = {culprit.ported: culprit for culprit in verification.culprits}
    first = verification.first_divergence
    compared = {call.ported.index: call for call in verification.comparison.calls}
    rows = []
    for call in verification.ported.completed:
        culprit = culprits.pop(call.path, None)
        own = compared.get(call.index)
        if own is None and culprit is None:
            continue
        seen = [culprit.observation] if culprit else list(verification.isolation.of_call(call.key))
        worst = max(seen, key=lambda o: o.numbers.max_abs, default=None)
        numbers = own.worst if own else None
        rows.append(
            Row(
                name=call.label or "(model)",
                class_name=call.class_name,
                accumulated=numbers.max_abs if numbers else None,
                isolated=worst.numbers.max_abs if worst else None,
                ratio=worst.floor.ratio(worst.numbers) if worst else None,
                state=CULPRIT if culprit else state_of(own),
                note=f"{culprit.where}" if culprit else "first" if own is first and first else "",
            )
        )
    return rows


def state_of(call: CallComparison | None) -> str:
    """The state of a call that is no culprit."""
    if call is None or not call.compared:
        return UNSEEN
    return OK if call.ok else INHERITED


def folded(rows: Sequence[Row]) -> list[Row]:
    """Rows that differ by layer numbers only become one, with the largest figures; below an inherited one none."""
    shown = _without_inherited_children(rows)
    kinds: dict[tuple[str, str, str], list[Row]] = {}
    for row in shown:
        kinds.setdefault((row.class_name, row.state, row.note), []).append(row)
    place = {row.name: position for position, row in enumerate(shown)}
    found: list[tuple[int, Row]] = []
    for alike in kinds.values():
        for pattern in fold([row.name for row in alike]):
            members = [alike[position] for position in pattern.members]
            found.append((place[members[0].name], _merged(pattern.name, members)))
    return [row for _, row in sorted(found, key=lambda item: item[0])]


def _without_inherited_children(rows: Sequence[Row]) -> list[Row]:
    """Leave out what lies below a container whose every call is merely inherited."""
    whole = {
        row.name
        for row in rows
        if row.state == INHERITED
        and all(other.state == INHERITED and not other.note for other in rows if other.name.startswith(f"{row.name}."))
    }
    return [row for row in rows if not any(parent in whole for parent in _parents(row.name))]


def _parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _merged(name: str, members: Sequence[Row]) -> Row:
    return replace(
        members[0],
        name=name,
        accumulated=_largest(row.accumulated for row in members),
        isolated=_largest(row.isolated for row in members),
        ratio=_largest(row.ratio for row in members),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known, key=lambda value: (math.isnan(value), value), default=None)
