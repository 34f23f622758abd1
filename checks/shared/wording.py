"""The messages of checks that hold tensors against each other, in the words of ``torch.testing.assert_close``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from porting.behaviour import Agreement
    from porting.comparison import CallComparison, Comparison, NamedComparison
    from porting.diagnosis import Culprit

MOST_LINES = 10
"""Outputs, modules or culprits that a message lists."""


def require_agreement(agreement: Agreement, what: str, *, hint: str, figures: Figures) -> None:
    """Refute a claim with every output that does not agree.

    Args:
        agreement: what was compared.
        what: what was held against what, as in "a row alone against the same row in its batch".
        hint: what to do next.
        figures: what was measured.

    Raises:
        ClaimRefuted: an output differs, or is there on one side only.
        Inconclusive: nothing was compared.
    """
    wrong = agreement.wrong
    if wrong or agreement.missing:
        lines = [f"{what}: {head(wrong[0])}" if wrong else f"{what}: not the same outputs came back", ""]
        lines.append(f"Outputs that differ: {len(wrong)} of {len(agreement.outputs)}")
        lines += [line for output in wrong[:MOST_LINES] for line in output_lines(output)]
        lines += more(len(wrong))
        if agreement.missing:
            lines.append(f"Only once: {', '.join(show(name) for name in agreement.missing[:MOST_LINES])}")
        raise ClaimRefuted("\n".join(lines), hint=hint, figures=figures)
    if not agreement.compared:
        raise Inconclusive(f"{what}: nothing could be compared", hint=hint, figures=figures)


def differing_outputs(comparison: Comparison) -> Iterator[str]:
    """What is wrong with the outputs of a port that fails the tolerance, the first module to diverge first."""
    wrong = [output for output in comparison.outputs if not output.numbers.allclose]
    first = comparison.first_divergence
    place = "" if first is None else f"{label(first)} is the first module to diverge; "
    yield f"{place}{head(wrong[0])}"
    yield ""
    yield f"Outputs not within {comparison.tolerance}: {len(wrong)} of {len(comparison.outputs)}"
    yield from (line for output in wrong[:MOST_LINES] for line in output_lines(output))
    yield from more(len(wrong))


def diverging_modules(comparison: Comparison) -> Iterator[str]:
    """Which modules diverge, in the order in which they returned; there is one."""
    diverging = [call for call in comparison.calls if not call.ok]
    first = diverging[0]
    where = f" (in the original: {place(first.original.label)})"
    yield f"{label(first)} is the first module to diverge{where}: {_described(first)}"
    yield ""
    yield f"Modules that diverge: {len(diverging)} of {len(compared(comparison))}"
    yield from (f"  {label(call)}: {_described(call)}" for call in diverging[:MOST_LINES])
    yield from more(len(diverging))


def culprit_lines(culprits: Iterable[Culprit]) -> Iterator[str]:
    """Each module at fault with what differs there, the cause and its repair where they are proven."""
    for culprit in tuple(culprits)[:MOST_LINES]:
        yield f"Culprit {culprit_name(culprit)} ({culprit.where}):"
        yield from (f"  {show(text, 400)}" for text in culprit.differences)
        if culprit.proven:
            yield f"  Cause: {culprit.proven.code} (proven): {show(culprit.proven.summary, 400)}"
            yield f"  Fix: {show(culprit.proven.fix, 400)}"


def culprit_name(culprit: Culprit) -> str:
    """A module at fault by name."""
    return place(culprit.ported)


def compared(comparison: Comparison) -> list[CallComparison]:
    """The aligned calls of which something was compared."""
    return [call for call in comparison.calls if call.worst is not None]


def label(call: CallComparison) -> str:
    """A ported call by name."""
    return place(call.ported.label)


def head(output: NamedComparison) -> str:
    """One output and what is wrong with it, in a clause."""
    return f"{named(output)}: {output.numbers.describe()}"


def named(output: NamedComparison) -> str:
    """An output's name as part of a sentence."""
    return f"output {show(output.name)}" if output.name not in ("", "output") else "the output"


def output_lines(output: NamedComparison) -> Iterator[str]:
    """The figures of one output, indented."""
    numbers = output.numbers
    if not numbers.comparable:
        yield f"  {named(output)}: {numbers.describe()}"
        return
    yield f"  {named(output)}:"
    yield f"    Greatest absolute difference: {numbers.max_abs:.6g}"
    yield f"    Greatest relative difference: {numbers.max_rel:.6g}"
    if numbers.values_at_worst is not None:
        reference, value = numbers.values_at_worst
        yield f"    Furthest off at index {numbers.worst}: {value:.6g}, expected {reference:.6g}"
    if math.isfinite(numbers.required):
        yield f"    Would pass from a tolerance of {numbers.required:.2g}"


def _described(call: CallComparison) -> str:
    return call.worst.describe() if call.worst else "nothing was compared"


def more(count: int) -> list[str]:
    """That a list was cut, if it was."""
    return [f"  and {count - MOST_LINES} more"] if count > MOST_LINES else []


def listed(lines: Sequence[str]) -> str:
    """The first lines of a list, and how many more there are."""
    return "\n".join((*lines[:MOST_LINES], *more(len(lines))))


def named_all(names: Sequence[str]) -> str:
    """Untrusted names in a sentence, the first few of them."""
    return ", ".join(show(name) for name in names[:MOST_LINES]) + (" …" if len(names) > MOST_LINES else "")


def place(path: str) -> str:
    """A module's path as part of a sentence."""
    return show(path) if path else "the model itself"


def places(paths: Sequence[str]) -> str:
    """The first paths of a list, in a sentence."""
    cut = f" and {len(paths) - MOST_LINES} more" if len(paths) > MOST_LINES else ""
    return ", ".join(map(place, paths[:MOST_LINES])) + cut
