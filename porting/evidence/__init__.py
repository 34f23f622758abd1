"""Evidence: the record that a claim was checked, how it ended and what it speaks of, beside the portfile.

``records`` says what a record is, ``store`` keeps records in ``porting-evidence.json``, ``circumstances`` are those of
a run, ``files`` and ``subjects`` know what a record speaks of by its fingerprint, and ``staleness`` says what has
changed since.
"""

from __future__ import annotations

from porting.evidence.records import FILE, RESULTS, EvidenceError, Figure, Outcome, Record
from porting.evidence.staleness import changes
from porting.evidence.store import KEPT, forget_ticks, newest_records, record, records_by_claim

__all__ = [
    "FILE",
    "KEPT",
    "RESULTS",
    "EvidenceError",
    "Figure",
    "Outcome",
    "Record",
    "changes",
    "forget_ticks",
    "newest_records",
    "record",
    "records_by_claim",
]
