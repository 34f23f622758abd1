"""Files that a command wrote or shows, in the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from porting.recording import noise_of
from porting.report.detail import in_full, next_line
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rich.console import RenderableType

    from porting.parts import Part
    from porting.recording import Recording
    from porting.stubs import GeneratedTests
    from porting.trace.summary import TensorSummary
    from porting.weights.emitting import Emitted


def render_recording(recording: Recording) -> RenderableType:
    """Each trace: its calls as a tree, and how the run ended."""
    parts: list[RenderableType] = []
    for folder, trace in recording.traces:
        parts += [Text(f"{show(folder)}: {show(repr(trace))}", style="bold"), trace.tree(full=in_full())]
        if labels := dict(recording.differing).get(folder):
            text = f"DIFFERS from run to run in {len(labels)} calls, first: {show(labels[0] or 'the model itself')}"
            parts.append(Text(text, style="bold red"))
        elif recording.repeats > 1:
            parts.append(Text(f"the same bits in {recording.repeats} runs", style="green"))
        if noise := noise_of(trace):
            parts.append(Text(f"relative noise: {', '.join(_noise(kind, entry) for kind, entry in noise.items())}"))
        if recording.validated:
            parts.append(Text(f"every one of {len(trace.tensors):,} tensors has its checksum", style="green"))
        if trace.failure and trace.failed_call is None:
            text = f"FAILED in {trace.failure.where}: {show(trace.failure.error, 500)}"
            parts.append(Text(text, style="bold red"))
    failed = any(trace.failure for _, trace in recording.traces)
    advice = "mend what raised, then: porting capture" if failed else "porting verify, or porting compare"
    return Group(*parts, next_line(advice))


def render_generated(generated: GeneratedTests) -> RenderableType:
    """Which files there are, or what would be in them, what is left to do about them, and how to run them."""
    parts = [Text(generated.summary(), style="bold green")]
    for path, content in generated.files.items():
        if generated.dry_run and isinstance(content, str):
            parts += [Text(f"--- {show(path, 300)}", style="bold"), Text(content)]
        elif path != generated.path:
            parts.append(Text(f"  and {show(os.path.relpath(path), 300)}"))
    parts += [Text(f"No test: {show(text, 300)}", style="dim") for text in generated.skipped]
    parts += [Text(f"To do: {show(text, 300)}", style="yellow") for text in generated.left]
    parts += _parts(generated.parts)
    return Group(*parts, next_line(show(generated.command, 500)))


def render_emitted(emitted: Emitted) -> RenderableType:
    """Where the rules are as code, what is left to do about them, and how to run them."""
    left = [Text(f"To do: {show(text, 300)}", style="yellow") for text in emitted.left]
    left += _parts(emitted.parts)
    return Group(Text(emitted.summary(), style="bold green"), *left, next_line(show(emitted.command, 300)))


def _parts(parts: Iterable[tuple[Path, Part]]) -> list[Text]:
    """What is left in files to a person, with the line."""
    return [
        Text(f"{show(os.path.relpath(path), 300)}:{part.line} you: {show(part.what, 300)}", style="yellow")
        for path, part in parts
    ]


def render_tensor(tensor: TensorSummary) -> RenderableType:
    """Dtype and shape, figures, and the values abbreviated."""
    figures = tensor.figures
    facts = {
        "min": figures.smallest,
        "max": figures.largest,
        "mean": figures.mean,
        "std": figures.std,
        "zeros": figures.zeros,
        "NaN": figures.nan,
        "infinite": figures.inf,
    }
    lines = [Text(tensor.summary(), style="bold"), Text(", ".join(f"{key} {_figure(facts[key])}" for key in facts))]
    if tensor.dtype.startswith("complex"):
        lines.append(Text("(min, max, mean and std are of absolute values)", style="dim"))
    if tensor.strides is not None:
        lines.append(Text(f"strides of the live tensor: {show(tensor.strides)}"))
    for kind, (largest, l2) in (tensor.noise or {}).items():
        lines.append(Text(f"noise, {show(kind)}: largest {largest:.3g}, L2 {l2:.3g}"))
    return Group(*lines, Text(tensor.printed))


def _noise(kind: str, entry: Mapping[str, Any]) -> str:
    """The largest relative noise of a kind, or why there is none."""
    if entry["relative_l2"] is None:
        return f"{show(kind)} not measured ({show(entry['status'])})"
    if not entry["relative_l2"]:
        return f"{show(kind)} none"
    return f"{show(kind)} {entry['relative_l2']:.1e} at {show(entry['call'] or 'the model itself')}"


def _figure(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else f"{value}"
