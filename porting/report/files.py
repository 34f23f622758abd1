"""Files that a command wrote or shows, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from porting.recording import noise_of
from porting.report.detail import in_full
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

    from porting.recording import Recording
    from porting.stubs import GeneratedTest
    from porting.trace import Trace, Value

MOST_CALLS = 40


def render_recording(recording: Recording) -> RenderableType:
    """Each trace: its calls as a tree, and how the run ended."""
    parts: list[RenderableType] = []
    for folder, trace in recording.traces:
        parts += [Text(f"{show(folder)}: {show(repr(trace))}", style="bold"), _calls(trace)]
        if labels := dict(recording.differing).get(folder):
            text = f"DIFFERS from run to run in {len(labels)} calls, first: {show(labels[0] or 'the model itself')}"
            parts.append(Text(text, style="bold red"))
        elif recording.repeats > 1:
            parts.append(Text(f"the same bits in {recording.repeats} runs", style="green"))
        if noise := noise_of(trace):
            parts.append(Text(f"relative noise: {', '.join(_noise(kind, entry) for kind, entry in noise.items())}"))
        if recording.validated:
            parts.append(Text(f"every one of {len(trace.tensors):,} tensors has its checksum", style="green"))
        if trace.failure:
            text = f"FAILED in {trace.failure.where}: {show(trace.failure.error, 500)}"
            parts.append(Text(text, style="bold red"))
    failed = any(trace.failure for _, trace in recording.traces)
    advice = "mend what raised, then: porting capture" if failed else "porting verify, or porting compare"
    return Group(*parts, Text(f"Next: {advice}"))


def render_generated(generated: GeneratedTest) -> RenderableType:
    """Where the test is, what is left to do about it, and how to run it."""
    left = [Text(f"To do: {show(text)}", style="yellow") for text in generated.left]
    return Group(Text(generated.summary(), style="bold green"), *left, Text(f"Next: {show(generated.command)}"))


def _noise(kind: str, entry: Mapping[str, Any]) -> str:
    """The largest relative noise of a kind, or why there is none."""
    if entry["relative_l2"] is None:
        return f"{show(kind)} not measured ({show(entry['status'])})"
    if not entry["relative_l2"]:
        return f"{show(kind)} none"
    return f"{show(kind)} {entry['relative_l2']:.1e} at {show(entry['call'] or 'the model itself')}"


def _calls(trace: Trace) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("call", no_wrap=True)
    table.add_column("class")
    table.add_column("tensors in")
    table.add_column("tensors out")
    calls = trace.calls
    hidden = 0 if in_full() else max(0, len(calls) - MOST_CALLS)
    for call in calls[: MOST_CALLS // 2] + calls[MOST_CALLS // 2 + hidden :]:
        if hidden and call is calls[MOST_CALLS // 2 + hidden]:
            table.add_row(Text(f"… {hidden:,} more calls (--full)", style="dim"))
        table.add_row(
            Text(show(call.label) or "(model)"),
            Text(show(call.class_name, 40)),
            _shapes(call.inputs),
            _shapes(call.outputs),
        )
    return table


def _shapes(value: Value) -> Text:
    return Text(", ".join(_shape(leaf.name, leaf.shape) for leaf in value.tensor_leaves()))


def _shape(name: str, shape: Iterable[int] | None) -> str:
    return f"{show(name, 40)} {tuple(shape or ())}".strip()
