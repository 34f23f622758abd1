"""Compare two traces: the final outputs, and every aligned call in execution order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from porting.alignment import Alignment, align
from porting.comparison.metrics import TensorComparison, compare_tensors, finite
from porting.comparison.pairing import pair_leaves, pair_results, said_results
from porting.comparison.positions import Positions
from porting.results import Result
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Call, Trace

if TYPE_CHECKING:
    from porting.runs import OutputPairs


@dataclass(frozen=True, slots=True)
class NamedComparison:
    """The comparison of one named tensor: a final output, or a leaf of a call."""

    name: str
    numbers: TensorComparison


def verdict_of(outputs: Sequence[NamedComparison]) -> str:
    """``mismatch``, ``inconclusive`` or ``match``, by final outputs."""
    if any(not output.numbers.allclose and output.numbers.comparable for output in outputs):
        return "mismatch"
    if any(output.numbers.original_shape != output.numbers.ported_shape for output in outputs):
        return "mismatch"
    compared = [output.numbers.comparable for output in outputs]
    return "match" if compared and all(compared) else "inconclusive"


@dataclass(frozen=True, slots=True)
class CallComparison:
    """Two aligned calls when both models ran freely: an upstream difference shows here, too.

    Attributes:
        original: the original call.
        ported: the ported call.
        leaves: the outputs that correspond; empty if none do.
    """

    original: Call
    ported: Call
    leaves: tuple[NamedComparison, ...]

    @property
    def compared(self) -> bool:
        """Whether anything of them was compared."""
        return any(leaf.numbers.comparable for leaf in self.leaves)

    @property
    def ok(self) -> bool:
        """Whether every leaf that was compared is within the tolerance."""
        return all(leaf.numbers.allclose for leaf in self.leaves if leaf.numbers.comparable)

    @property
    def worst(self) -> TensorComparison | None:
        """The leaf that is furthest off, None if nothing was compared."""
        leaves = [leaf.numbers for leaf in self.leaves if leaf.numbers.comparable]
        return max(leaves, key=lambda numbers: (not numbers.allclose, numbers.required), default=None)


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Two traces compared.

    Attributes:
        tolerance: that decides.
        outputs: the final outputs.
        unpaired: final outputs of one side that have no counterpart.
        alignment: which module is which.
        calls: aligned calls in the order in which the ported ones returned.
        warnings: code and message of what weakens the comparison.
    """

    renderer: ClassVar[str] = "porting.report.verification:render_comparison"

    tolerance: Tolerance
    outputs: tuple[NamedComparison, ...]
    unpaired: tuple[str, ...]
    alignment: Alignment
    calls: tuple[CallComparison, ...]
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def verdict(self) -> str:
        """``mismatch``, ``inconclusive`` or ``match``, by the outputs alone."""
        return verdict_of(self.outputs)

    @property
    def first_divergence(self) -> CallComparison | None:
        """The first ported call, as they returned, whose output fails the tolerance."""
        return next((call for call in self.calls if not call.ok), None)

    @property
    def blind(self) -> tuple[CallComparison, ...]:
        """Aligned calls of which nothing was compared, neither of them nor of what they call."""
        seen: set[int | None] = set()
        for call in self.calls:  # a call returns after those that it makes
            if call.compared or call.ported.index in seen:
                seen |= {call.ported.index, call.ported.parent}
        return tuple(call for call in self.calls if call.ported.index not in seen)

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``match``."""
        return self.verdict == "match"

    @property
    def exit_code(self) -> int:
        """0 verified, 1 a difference, 3 inconclusive."""
        return 0 if self.ok else 3 if self.verdict == "inconclusive" else 1

    def realigned(self, alignment: Alignment) -> Comparison:
        """The same under an alignment in which fewer modules are compared."""
        compared = alignment.original_of.keys() - alignment.reordered
        calls = tuple(call for call in self.calls if call.ported.path in compared)
        return replace(self, alignment=alignment, calls=calls)

    def summary(self) -> str:
        """Verdict, the furthest output and the first call that diverges."""
        return summarise(self.verdict, self.outputs, self.tolerance, self.first_divergence)

    def to_dict(self) -> dict[str, Any]:
        """The fields of ``porting verify --json`` that a comparison can fill."""
        first = self.first_divergence
        return {
            "schema": 1,
            "verdict": self.verdict,
            "tolerance": {"atol": self.tolerance.atol, "rtol": self.tolerance.rtol},
            "outputs": [{"name": output.name, **output.numbers.to_dict()} for output in self.outputs],
            "first_divergence": None if first is None else divergence_dict(first),
            "alignment": alignment_dict(self.alignment),
            "warnings": [{"code": code, "message": message} for code, message in self.warnings],
        }


def compare(
    original: Trace,
    ported: Trace,
    *,
    tolerance: Tolerance | None = None,
    module_map: Mapping[str, str] | None = None,
    outputs: OutputPairs | None = None,
    alignment: Alignment | None = None,
) -> Comparison:
    """Compare two traces; neither model is needed.

    Args:
        original: the original's trace; tolerance is relative to its values.
        ported: the port's trace.
        tolerance: 1e-3 absolute and relative, if None.
        module_map: original path to ported path, where the alignment is to be overruled.
        outputs: (name, original, ported) of the final outputs; None pairs what the runs returned.
        alignment: one made before; None makes it.

    Raises:
        PortfileError: ``module_map`` names a module that does not exist.
        TraceError: a tensor on disk is damaged.
    """
    original.check()
    ported.check()
    tolerance = tolerance or Tolerance()
    alignment = alignment or align(original, ported, module_map)
    positions = Positions.of(ported)
    if outputs is not None:
        alignment = replace(alignment, results=said_results(original, ported, outputs))
    pairs, unpaired = _final_outputs(original, ported) if outputs is None else (outputs, [])
    return Comparison(
        tolerance=tolerance,
        outputs=tuple(
            NamedComparison(name, compare_tensors(a, b, tolerance, positions.mask(a, (0, "", 0), name)))
            for name, a, b in pairs
        ),
        unpaired=tuple(unpaired),
        alignment=alignment,
        calls=tuple(
            compare_calls(original, one, ported, other, tolerance, positions, alignment)
            for one, other in alignment.calls(original, ported)
        ),
        warnings=(*_warnings(unpaired), *_ambiguous(positions), *_dtypes(pairs)),
    )


def compare_calls(
    original: Trace,
    one: Call,
    ported: Trace,
    other: Call,
    tolerance: Tolerance,
    positions: Positions,
    alignment: Alignment,
) -> CallComparison:
    """Compare the corresponding outputs of two aligned calls."""
    leaves = []
    said = alignment.results if other.parent is None else ()
    for pair in pair_leaves(original, one.outputs, ported, other.outputs, alignment.layouts, said):
        reference = pair.layout.apply(original.tensor(pair.original))
        tensor = pair.layout.view(ported.tensor(pair.ported))
        mask = positions.mask(tensor, other.key, pair.ported.name)
        leaves.append(NamedComparison(pair.ported.name, compare_tensors(reference, tensor, tolerance, mask)))
    return CallComparison(one, other, tuple(leaves))


def summarise(
    verdict: str, outputs: Sequence[NamedComparison], tolerance: Tolerance, first: CallComparison | None
) -> str:
    """The verdict in one line."""
    if not outputs:
        return f"{verdict}: no output of the two sides corresponds"
    wrong = [output for output in outputs if not output.numbers.allclose]
    if wrong:
        where = f"; first diverging module: {show(first.ported.label or 'the model itself')}" if first else ""
        return f"{verdict}: {show(wrong[0].name or 'output')}: {wrong[0].numbers.describe()}{where}"
    worst = max((output.numbers for output in outputs), key=lambda numbers: numbers.required)
    count = f"{len(outputs)} output{'s' if len(outputs) > 1 else ''}"
    return f"{verdict}: {count} equal within {tolerance} (largest difference {worst.max_abs:.2g})"


def divergence_dict(call: CallComparison) -> dict[str, Any]:
    """``first_divergence`` as JSON."""
    worst = call.worst
    return {
        "original": call.original.label,
        "ported": call.ported.label,
        "max_abs": None if worst is None else finite(worst.max_abs),
    }


def alignment_dict(alignment: Alignment) -> dict[str, Any]:
    """``alignment`` as JSON."""
    return {
        "pairs": [list(pair) for pair in alignment.pairs],
        "groups": [
            {
                "original": list(group.original),
                "ported": list(group.ported),
                "evidence": group.evidence,
                "confidence": group.confidence,
                "layout": group.layout,
            }
            for group in alignment.groups
        ],
        "unmatched_original": list(alignment.unmatched_original),
        "unmatched_ported": list(alignment.unmatched_ported),
    }


def _final_outputs(original: Trace, ported: Trace) -> tuple[OutputPairs, list[str]]:
    pairs, unpaired = pair_results(original.outputs, ported.outputs)
    found = [(b.name or "output", original.tensor(a), ported.tensor(b)) for a, b in pairs]
    return found, unpaired


def _warnings(unpaired: Sequence[str]) -> list[tuple[str, str]]:
    if not unpaired:
        return []
    names = ", ".join(show(name) for name in unpaired[:6]) + (" …" if len(unpaired) > 6 else "")
    return [("outputs-unpaired", f"not compared, as the other side has none like it: {names}; declare outputs()")]


def _dtypes(pairs: OutputPairs) -> list[tuple[str, str]]:
    texts = [
        f"{show(name or 'the output')} is {b.dtype}, the original's is {a.dtype}".replace("torch.", "")
        for name, a, b in pairs
        if a.dtype != b.dtype
    ]
    return [("dtype-differs", "; ".join(texts[:6]))] if texts else []


def _ambiguous(positions: Positions) -> list[tuple[str, str]]:
    if not positions.ambiguous:
        return []
    text = "the sequences are as long as some activation is wide, so padding counts where an axis may be either"
    return [("ambiguous-axes", f"{text}; use inputs of another length")]
