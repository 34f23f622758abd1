"""Evidence: the record that a claim was checked, how it ended and what it speaks of, beside the portfile.

``records`` says what a record is, ``store`` keeps records in ``porting-evidence.json``; ``circumstances`` are those of
a run, with ``versions`` and ``repositories``. What a claim speaks of is noted as it is asked for (``asking``) and as
functions of the portfile run (``using``: what they read, ``reading``, and are made of, ``code``). Each such thing is a
subject with a fingerprint (``subjects``, by ``functions``, ``files``, ``headers``, ``moments`` and ``naming``);
``staleness`` says which are other ones by now, and ``renewing`` what they are today.
"""

from __future__ import annotations

from porting.evidence.records import FILE, RESULTS, SILENT, EvidenceError, Figure, Outcome, Record
from porting.evidence.staleness import changes
from porting.evidence.store import KEPT, forget_ticks, keep, newest_records, record, records_by_claim

__all__ = [
    "FILE",
    "KEPT",
    "RESULTS",
    "SILENT",
    "EvidenceError",
    "Figure",
    "Outcome",
    "Record",
    "changes",
    "forget_ticks",
    "keep",
    "newest_records",
    "record",
    "records_by_claim",
]
