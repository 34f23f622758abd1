"""Everything that is wrong with a trace, for those who write one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from porting.errors import TraceError
from porting.trace.folders import MANIFEST, SHARD_NAME
from porting.trace.model import Trace
from porting.trace.parts import Call
from porting.trace.problems import Enough, Problems
from porting.trace.reading import load_manifest, read_document
from porting.trace.records import Reader, call_place


def validate_trace(folder: Path) -> Trace:
    """Check all of a trace: the manifest, every shard's header and every tensor against its checksum.

    Returns:
        The trace, also of a forward that raised.

    Raises:
        TraceError: it is not valid; the message names up to twenty problems with their places, ``problems`` all, up
            to a thousand.
    """
    problems = Problems(folder / MANIFEST, collect=True)
    document, text = load_manifest(folder)
    try:
        trace, reader = read_document(folder, document, text, problems)
        _check_order(trace.calls, problems)
        _check_files(folder, reader, problems)
        _check_contents(reader, problems)
    except Enough:
        raise problems.error(folder) from None
    if problems.found:
        raise problems.error(folder)
    return trace


def _check_order(calls: Sequence[Call], problems: Problems) -> None:
    """Repeats count from 0 in each step, and what a call makes belongs to its step."""
    by_index = {call.index: call for call in calls}
    repeats: dict[tuple[int, str], int] = {}

    def check(_: int, call: Call) -> None:
        place = call.step, call.path
        expected = repeats.get(place, 0)
        repeats[place] = call.repeat + 1
        if call.repeat != expected:
            problems.say(f"repeat is {call.repeat}, and must be {expected}: each step counts a module's calls from 0")
        parent = None if call.parent is None else by_index.get(call.parent)
        if parent is not None and parent.step != call.step:
            problems.say(f"step is {call.step}, and that of its parent, call {parent.index}, is {parent.step}")

    problems.each(calls, lambda _, call: call_place(call.index, {"path": call.path}), check)


def _check_files(folder: Path, reader: Reader, problems: Problems) -> None:
    """No shard lies there that the manifest does not list."""
    for path in sorted(folder.iterdir()):
        if SHARD_NAME.fullmatch(path.name) and path.name not in reader.listed:
            problems.say(f"shard {path.name} is in the folder, and not among the shards")


def _check_contents(reader: Reader, problems: Problems) -> None:
    """Every tensor has its checksum."""

    def check(_: int, key: Any) -> None:
        try:
            reader.store[key]
        except TraceError as error:
            problems.say(error.message.removeprefix("the trace is damaged: "))

    problems.each(reader.store, lambda _, key: reader.first_named.get(key, f"tensor {key}"), check)
