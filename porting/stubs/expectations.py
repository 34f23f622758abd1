"""What a generated test expects: few values of each output, taken from the original's trace alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from porting.comparison import Positions
from porting.comparison.pairing import pair_results
from porting.errors import GenerationError
from porting.portfile import Portfile
from porting.runs import OutputPairs
from porting.stubs.sampling import Sample, choose
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Call, Trace
from porting.verification import Verification

LEAST_TOLERANCE = {"float32": 1e-4, "float64": 1e-4}
LEAST_TOLERANCE_OF_HALF = 1e-2

Access = tuple[str, str | int] | None
"""How to reach a tensor in what the port returns: an attribute, an item, or None for the returned tensor itself."""


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """One output, as both models gave it.

    Attributes:
        name: of the output.
        access: where it is in what the port returns.
        original: the original's tensor.
        ported: the port's, of the same shape.
        max_abs: the largest difference between them at valid positions.
        sample: what the test looks at.
    """

    name: str
    access: Access
    original: torch.Tensor
    ported: torch.Tensor
    max_abs: float
    sample: Sample

    def variables(self) -> dict[str, Any]:
        """The template's variables; the values are the original's."""
        return {
            "name": self.name,
            "access": self.access,
            "shape": tuple(self.original.shape),
            "places": self.sample.places,
            "channels": self.sample.channels,
            "means": _shortest(self.sample.means(self.original)),
            "slice": _shortest(self.sample.values(self.original)),
        }


def expected_outputs(portfile: Portfile, verification: Verification, call: Call) -> tuple[ExpectedOutput, ...]:
    """The compared outputs that are floating-point tensors and that ``call``, the port's forward, returns as they are.

    Raises:
        GenerationError: there is none.
        PortfileError: ``outputs()`` does not keep its contract.
    """
    ported = verification.ported
    reachable = _reachable(ported, call)
    compared = verification.comparison.outputs
    positions = Positions.of(ported)
    found = []
    for (name, original, own), numbers in zip(_pairs(portfile, verification), compared, strict=True):
        if id(own) in reachable and original.is_floating_point() and original.dim():
            mask = positions.mask(original, call.key, name)
            access, max_abs = reachable[id(own)], numbers.numbers.max_abs
            found.append(ExpectedOutput(name, access, original, own, max_abs, choose(original, mask)))
    if not found:
        raise GenerationError(
            "none of the outputs is a floating-point tensor that the port's forward returns as it is",
            hint="let outputs() in the portfile name tensors that the forward returns",
        )
    return tuple(found)


def tolerance_of(dtype: str, measured: float, allowed: Tolerance) -> tuple[float, float]:
    """Absolute and relative tolerance of a test.

    Ten times the measured difference, at least what is usual for the dtype (1e-4 in float32, 1e-2 in half precision),
    and never more than what was verified.
    """
    usual = LEAST_TOLERANCE.get(dtype, LEAST_TOLERANCE_OF_HALF)
    return min(max(usual, _rounded_up(10 * measured)), allowed.atol), min(usual, allowed.rtol)


def _rounded_up(value: float) -> float:
    """To one significant digit."""
    if not value:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.0e}")


def require_passing(output: ExpectedOutput, atol: float, rtol: float) -> None:
    """Check that the port, as it ran, passes the test that is written for it.

    Raises:
        GenerationError: it does not: its difference is within what was verified, and above the test's own tolerance;
            or the expected values are not finite.
    """
    sample = output.sample
    for own, expected in (
        (sample.means(output.ported), sample.means(output.original)),
        (sample.values(output.ported), sample.values(output.original)),
    ):
        if not bool(expected.isfinite().all()):
            raise GenerationError(
                f"the original's output {show(output.name)} has NaN or Inf where a test would look",
                hint="let outputs() in the portfile name other tensors",
            )
        if not torch.allclose(own, expected, atol=atol, rtol=rtol):
            raise GenerationError(
                f"the verified port would fail a test of {show(output.name)} at atol {atol:g}, rtol {rtol:g}",
                hint="raise the atol of TOLERANCE in the portfile to what these outputs need",
            )


def _pairs(portfile: Portfile, verification: Verification) -> OutputPairs:
    """The final outputs of both sides, as they were compared."""
    original, ported = verification.original, verification.ported
    declared = portfile.pair_outputs(original.value(original.outputs), ported.value(ported.outputs))
    if declared is not None:
        return declared
    leaves, _ = pair_results(original.outputs, ported.outputs)
    return [(other.name or "output", original.tensor(one), ported.tensor(other)) for one, other in leaves]


def _reachable(ported: Trace, call: Call) -> dict[int, Access]:
    """The tensors that are a field or an item of what the forward returned, or are that itself, by identity."""
    value, structure = ported.value(call.outputs), call.outputs.structure
    if isinstance(value, torch.Tensor):
        return {id(value): None}
    if isinstance(value, (list, tuple)):
        items: list[tuple[Access, Any]] = [(("item", index), item) for index, item in enumerate(value)]
    else:
        kind = "item" if structure["class"] in ("dict", "OrderedDict") else "attribute"
        items = [((kind, name), item) for name, item in value.items()]
    return {id(item): access for access, item in items if isinstance(item, torch.Tensor)}


def _shortest(tensor: torch.Tensor) -> Any:
    """Nested lists of the shortest decimals that stand for the same float32 values."""
    if tensor.dim() > 1:
        return [_shortest(row) for row in tensor]
    return [float(str(value)) for value in tensor.numpy()]
