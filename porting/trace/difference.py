"""What differs between two traces: facts of the runs, modules, parameters, calls, and contents by their checksums."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

from porting.results import Result
from porting.text import show
from porting.trace.address import label_of
from porting.trace.call_changes import call_changes, common_calls, leaf_changes, run_leaf_changes
from porting.trace.changes import Change, coverage_changes, facts, module_changes, parameter_changes

if TYPE_CHECKING:
    from porting.trace.model import Trace

Key = tuple[int, str, int]
"""Step, path and repeat of a call."""


@dataclass(frozen=True, repr=False)
class TraceDifference(Result):
    """What differs between two traces; where nothing does, it is `ok`.

    Attributes:
        run: facts of the runs: sides, versions, seeds, threads, how they ended.
        modules: modules added, removed, or of another class, mode or setting.
        parameters: parameters and buffers added, removed, or of another shape, dtype or content.
        calls: calls added, removed, in another order, of another class or made from another call.
        tensors: leaves of inputs and outputs, of calls and of the runs, that differ in shape, dtype or content; the
            positions that count among them.
        coverage: what was not observed, or was left out, in one of them.
        first: label of the first call that differs, in the order in which calls return; None: no call does.
    """

    renderer: ClassVar[str] = "porting.report.difference:render_difference"

    run: tuple[Change, ...]
    modules: tuple[Change, ...]
    parameters: tuple[Change, ...]
    calls: tuple[Change, ...]
    tensors: tuple[Change, ...]
    coverage: tuple[Change, ...]
    first: str | None

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.same_content and not self.run and not self.coverage

    @property
    def same_content(self) -> bool:
        """Whether modules, parameters, calls and tensors are the same, whatever the facts of the runs."""
        return not (self.modules or self.parameters or self.calls or self.tensors)

    @property
    def sections(self) -> Mapping[str, tuple[Change, ...]]:
        """What differs, by what it belongs to."""
        names = ("run", "modules", "parameters", "calls", "tensors", "coverage")
        return {name: getattr(self, name) for name in names}

    def summary(self) -> str:
        """How much differs."""
        if self.ok:
            return "the traces are equal"
        counts = [f"{len(changes):,} in {name}" for name, changes in self.sections.items() if changes]
        same = "the content is equal; " if self.same_content else ""
        first = "" if self.first is None else f"; first call: {show(self.first) or '(model)'}"
        return f"the traces differ: {same}{', '.join(counts)}{first}"

    def to_dict(self) -> dict[str, Any]:
        """Every change, by section."""
        changes = {name: [asdict(change) for change in found] for name, found in self.sections.items()}
        return {
            "schema": 1,
            "equal": self.ok,
            "same_content": self.same_content,
            "first_differing_call": self.first,
            **changes,
        }


def difference_of(one: Trace, other: Trace) -> TraceDifference:
    """Compare two traces, without reading a tensor from disk."""
    changed = {
        call.key: tuple(leaf_changes(one, call, other, other.by_key[call.key])) for call in common_calls(one, other)
    }
    affected = {key for key, changes in changed.items() if changes}
    return TraceDifference(
        run=(*facts("", one.run, other.run), *_ending(one, other)),
        modules=tuple(module_changes(one, other)),
        parameters=tuple(parameter_changes(one, other)),
        calls=tuple(call_changes(one, other)),
        tensors=(*run_leaf_changes(one, other), *chain.from_iterable(changed.values())),
        coverage=tuple(coverage_changes(one, other)),
        first=_first(one, other, affected),
    )


def _ending(one: Trace, other: Trace) -> Iterator[Change]:
    if one.failure != other.failure:
        ends = [f"failed in {t.failure.where}: {t.failure.error}" if t.failure else "complete" for t in (one, other)]
        yield Change("status", "fact", *ends)


def _first(one: Trace, other: Trace, affected: Collection[Key]) -> str | None:
    """The label of the first call that differs, where the calls of both are gone through as they returned."""
    for mine, theirs in zip_longest(one.completed, other.completed):
        if theirs is not None and theirs.key not in one.by_key:
            return label_of(other, theirs)
        if mine is not None and (theirs is None or mine.key != theirs.key or mine.key in affected):
            return label_of(one, mine)
    return None
