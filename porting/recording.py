"""What ``porting capture`` reports: the traces that it wrote, or one that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from porting.results import Result
from porting.text import show
from porting.trace import Trace, open_trace, validate_trace


@dataclass(frozen=True, repr=False)
class Recording(Result):
    """Traces on disk, by folder.

    Attributes:
        traces: folder and trace.
        repeats: how many times each model was run.
        differing: folder and the labels of the calls that did not give the same bits every time.
        validated: whether every tensor was read against its checksum.
        warnings: what was asked for in vain.
    """

    renderer: ClassVar[str] = "porting.report.files:render_recording"

    traces: tuple[tuple[Path, Trace], ...]
    repeats: int = 1
    differing: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    validated: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether repeated runs gave the same bits; a run that failed is shown as such, and showing it succeeded."""
        return not any(labels for _, labels in self.differing)

    def summary(self) -> str:
        """How many calls each trace has, and where it lies."""
        return "; ".join(f"{show(folder)}: {trace!r}" for folder, trace in self.traces)

    def to_dict(self) -> dict[str, Any]:
        """Folder, status and size of each trace."""
        differing = dict(self.differing)
        return {
            "schema": 1,
            "ok": self.ok,
            "repeats": self.repeats,
            "validated": self.validated,
            "warnings": list(self.warnings),
            "traces": [
                {**_entry(folder, trace), "differing": list(differing.get(folder, ()))}
                for folder, trace in self.traces
            ],
        }


def recording_of(folders: Sequence[Path]) -> Recording:
    """Open what was recorded in some folders, also of forwards that raised.

    Raises:
        TraceError: one is no finished trace, or damaged.
    """
    return Recording(tuple((folder, open_trace(folder, allow_failed=True)) for folder in folders))


def validate(folder: Path) -> Recording:
    """Read everything in a trace: the manifest, every shard's header and every tensor against its checksum.

    Raises:
        TraceError: anything is missing, damaged or not as the manifest says; all of it is named.
    """
    return Recording(((folder, validate_trace(folder)),), validated=True)


def noise_of(trace: Trace) -> dict[str, dict[str, Any]]:
    """By kind: ``measured`` or why not, the largest relative L2 difference of a call's output, and its label."""
    kinds, noisiest = trace.run.get("noise"), trace.run.get("noisiest")
    places = noisiest if isinstance(noisiest, dict) else {}
    return {
        kind: {"status": str(status), "relative_l2": None, "call": None, **_place(places.get(kind))}
        for kind, status in (kinds if isinstance(kinds, dict) else {}).items()
    }


def _place(entry: Any) -> dict[str, Any]:
    """What a trace says of the noisiest call, if it says it in the form that `capture` gives it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("relative_l2"), float):
        return {}
    call = entry.get("call")
    return {"relative_l2": entry["relative_l2"], "call": call if isinstance(call, str) else None}


def _entry(folder: Path, trace: Trace) -> dict[str, Any]:
    failure = trace.failure
    return {
        "folder": str(folder),
        "status": "failed" if failure else "complete",
        "failure": None if failure is None else {"path": failure.path, "error": failure.error},
        "side": trace.run.get("side"),
        "model": trace.run.get("model"),
        "steps": len({call.step for call in trace.calls}),
        "calls": len(trace.calls),
        "modules": len(trace.modules),
        "tensors": len(trace.tensors),
        "noise": noise_of(trace) or None,
        "unobserved": list(trace.unobserved),
        "left_out": None if trace.left_out is None else dict(trace.left_out),
    }
