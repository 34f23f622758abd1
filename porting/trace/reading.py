"""Open a trace folder: everything is validated before use, a tensor's content when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porting import strictjson
from porting.errors import TraceError
from porting.folders import UNFINISHED
from porting.text import show
from porting.trace.fields import LAYOUT
from porting.trace.folders import MANIFEST
from porting.trace.manifest import FORMAT, MAX_MANIFEST_BYTES, laid_out, manifest_hash
from porting.trace.model import Trace
from porting.trace.problems import Problems
from porting.trace.records import Reader

if TYPE_CHECKING:
    import os


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
    if UNFINISHED.fullmatch(path.name):
        raise TraceError(f"{show(path)} was left by a capture that was killed", hint="it can be removed")
    trace, _ = read_document(path, *load_manifest(path), Problems(path / MANIFEST))
    if trace.failure is not None and not allow_failed:
        raise TraceError(
            f"{show(path)} is the trace of a run that raised in {trace.failure.where}: {show(trace.failure.error)}",
            hint=f"look at it with: porting capture --show {show(path)}",
        )
    return trace


def load_manifest(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest as JSON, and its text.

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
        text = path.read_bytes()
        if not text.startswith(b"{") or b"\0" in text:
            raise ValueError("it is not the text of a JSON object")
        document = strictjson.loads(text)
    except (OSError, ValueError) as error:
        raise TraceError(f"{show(path)} cannot be read: {show(error)}") from None
    if document.get("format") != FORMAT:
        found = document.get("format", "no format number")
        raise TraceError(f"{show(path)} is not a trace of format {FORMAT}: it says {show(found)}")
    return document, text


def read_document(folder: Path, document: dict[str, Any], text: bytes, problems: Problems) -> tuple[Trace, Reader]:
    """A manifest as a trace, after every check that needs no tensor's content.

    Raises:
        TraceError: it is not valid, and ``problems`` are not collected; or it is nested too deeply.
    """
    reader = Reader(folder, problems)
    try:
        _check_hash(document, problems)
        _check_layout(document, text, problems)
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


def _check_layout(document: Mapping[str, Any], text: bytes, problems: Problems) -> None:
    """Where the manifest names its layout, not even its white space has changed."""
    checksums = document.get("checksums")
    named = isinstance(checksums, dict) and checksums.get("layout") == LAYOUT
    if named and laid_out(document).encode("ascii") != text:
        problems.say(
            f"it does not have the layout that it names, {LAYOUT}: it was changed after it was written",
            hint="record the trace again with: porting capture",
        )
