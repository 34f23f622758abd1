"""Which folder holds the converted checkpoint of a port."""

from __future__ import annotations

from pathlib import Path

from porting.weights.conversion.manifest import MANIFEST

USUAL = "converted"
"""What the folder is called where nothing else tells which it is."""


def converted_folder(beside: Path) -> Path | None:
    """The converted checkpoint in a folder: what ``porting convert`` wrote there last, else ``converted``.

    Args:
        beside: the portfile's folder.
    """
    records = [path for path in beside.glob(f"*/{MANIFEST}") if path.is_file()]
    if records:
        return max(records, key=lambda path: (path.stat().st_mtime_ns, path.parent.name)).parent
    usual = beside / USUAL
    return usual if (usual / "config.json").is_file() else None
