"""What was measured on a port, from its evidence, as documents say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porting.evidence import Record, changes, newest_records

if TYPE_CHECKING:
    from porting.portfile import Portfile

MEASURED: Mapping[str, tuple[str, str]] = {
    "check_outputs_equal": ("largest difference of the outputs from the original's", "max_abs"),
    "check_hidden_states_equal": ("modules that were compared, one by one", "compared_modules"),
    "check_weights_loaded": ("weights with the original's values", "compared_weights"),
    "check_greedy_tokens_equal": ("greedy tokens equal to the original's", "compared_tokens"),
    "check_token_ids_equal": ("texts with the original's token ids", "compared_texts"),
    "check_chat_prompts_equal": ("prompts equal to the original's", "compared_prompts"),
    "check_processor_outputs_equal": ("arrays with the original's preprocessing", "compared_arrays"),
}
"""Claims of which a reader wants to know a figure: what it is, and its name."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The newest record of a claim.

    Attributes:
        what: was measured.
        figure: how much.
        record: of it.
        stale: whether what it speaks of has changed since.
    """

    what: str
    figure: str
    record: Record
    stale: bool

    @property
    def state(self) -> str:
        """How it ended, and whether that still holds."""
        return f"{self.record.result}, and changed since" if self.stale else self.record.result


def proofs_of(portfile: Portfile) -> tuple[Proof, ...]:
    """What was measured, in the order of the recipe.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    records = newest_records(portfile)
    found = []
    for claim, (what, figure) in MEASURED.items():
        if (record := records.get(claim)) and (value := record.figures.get(figure)) is not None:
            text = f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
            found.append(Proof(what, str(text), record, bool(changes(record, portfile))))
    return tuple(found)


def runs_of(portfile: Portfile) -> list[tuple[str, str, int, str]]:
    """Commands that left evidence: each with the day of the last run, how many claims it settled, and how these ended.

    What speaks of something that has changed since counts as stale, however it ended.

    Raises:
        EvidenceError: the evidence file is damaged.
    """
    found: dict[str, list[Record]] = {}
    for record in newest_records(portfile).values():
        found.setdefault(record.command, []).append(record)
    rows = []
    for command, records in found.items():
        results = ["stale" if changes(record, portfile) else record.result for record in records]
        counts = ", ".join(f"{results.count(each)} {each}" for each in dict.fromkeys(results))
        rows.append((command, max(record.time for record in records)[:10], len(records), counts))
    return rows
