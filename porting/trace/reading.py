"""Open a trace folder: everything is validated before use, a tensor's content when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting import strictjson
from porting.errors import TraceError
from porting.text import show
from porting.trace.model import Trace
from porting.trace.problems import Problems
from porting.trace.records import Reader
from porting.trace.writing import FORMAT, MANIFEST, manifest_hash

if TYPE_CHECKING:
    import os

MAX_MANIFEST_BYTES = 512 << 20


def open_trace(folder: str | os.PathLike[str], *, allow_failed: bool = False) -> Trace:
    """Open a trace; tensors are read when asked for, and verified then.

    Args:
        folder: the trace's folder.
        allow_failed: also open the trace of a forward that raised.

    Raises:
        TraceError: there is no finished trace, it is damaged in any byte of the manifest or of a shard's header,
            or it is the trace of a forward that raised. The message names the place.
    """
    path = Path(folder)
    document = load_manifest(path)
    trace, _ = read_document(path, document, Problems(path / MANIFEST))
    if trace.failure is not None and not allow_failed:
        raise TraceError(
            f"{show(path)} is the trace of a run that raised in {trace.failure.where}: {show(trace.failure.error)}",
            hint=f"look at it with: porting capture --show {show(path)}",
        )
    return trace


def load_manifest(folder: Path) -> dict[str, Any]:
    """The manifest as JSON.

    Raises:
        TraceError: it is missing, no strict JSON, too large, or of another format.
    """
    path = folder / MANIFEST
    try:
        if not path.is_file():
            what = "holds no finished trace (no manifest.json)" if folder.is_dir() else "does not exist"
            raise TraceError(f"{show(folder)} {what}", hint="record it again with: porting capture")
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise TraceError(f"{show(path)} is larger than {MAX_MANIFEST_BYTES >> 20} MiB")
        document = strictjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TraceError(f"{show(path)} cannot be read: {show(error)}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else "no format number"
        raise TraceError(f"{show(path)} is not a trace of format {FORMAT}: it says {show(found)}")
    return document


def read_document(folder: Path, document: dict[str, Any], problems: Problems) -> tuple[Trace, Reader]:
    """A manifest as a trace, after every check that needs no tensor's content.

    Raises:
        TraceError: it is not valid, and ``problems`` are not collected; or it is nested too deeply.
    """
    reader = Reader(folder, problems)
    try:
        _check_hash(document, problems)
        return reader.trace(document), reader
    except RecursionError:
        raise TraceError(f"{show(folder / MANIFEST)} is nested too deeply") from None


def _check_hash(document: Mapping[str, Any], problems: Problems) -> None:
    found = manifest_hash(document)
    if "sha256" not in document or document["sha256"] == found:
        return
    problems.say(
        "it does not have the hash it carries: it was changed after it was written. The sha256 of what is written "
        f"is {found}: of the document without its sha256, as json.dumps(document, sort_keys=True, "
        'separators=(",", ":"))',
        hint="record the trace again with: porting capture",
    )
