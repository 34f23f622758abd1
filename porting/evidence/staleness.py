"""What has changed since a claim was checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from porting.evidence.files import fingerprint, is_same
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from porting.evidence.records import Record
    from porting.portfile import Portfile


def changes(record: Record, portfile: Portfile) -> tuple[str, ...]:
    """What a record speaks of and what is another thing by now, in words; empty while the record is fresh."""
    return tuple(_changes(record, portfile))


def about_files(portfile: Portfile, paths: Iterable[Path]) -> dict[str, str]:
    """Files as a record speaks of them."""
    found = {f"file {os.path.relpath(path, portfile.folder)}": fingerprint(path) for path in paths}
    return {subject: value for subject, value in found.items() if value is not None}


def _changes(record: Record, portfile: Portfile) -> Iterator[str]:
    for subject, earlier in record.about.items():
        kind, _, name = subject.partition(" ")
        if kind == "file" and not is_same(portfile.folder / name, earlier):
            yield f"{show(name)} changed"
