"""The folder of a converted checkpoint, which is to be uploaded."""

from __future__ import annotations

import shlex
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


def upload_command(folder: Path, hub_id: str) -> str:
    """The command with which a person uploads a folder, from the folder above it."""
    return f"hf upload {shlex.quote(hub_id)} {shlex.quote(f'./{folder.name}')} ."
