"""What a generated test expects: few values of each output, taken from the original's trace alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.comparison import Positions
from porting.comparison.pairing import pair_results
from porting.errors import GenerationError
from porting.portfile import Portfile
from porting.runs import OutputPairs
from porting.stubs.replay import literal
from porting.stubs.sampling import Sample, choose
from porting.text import show
from porting.tolerance import Tolerance
from porting.trace import Call, Trace
from porting.trace.structure import Structure, is_named
from porting.verification import Verification

LEAST_TOLERANCE = {"float32": 1e-4, "float64": 1e-4}
LEAST_TOLERANCE_OF_HALF = 1e-2
MARGIN = 10.0
"""How many times the largest measured noise a test allows: on other machines rounding falls otherwise."""

Access = tuple[tuple[str, str | int], ...]
"""How to reach a tensor in what the port returns: attributes and items; empty for the returned tensor itself."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor that the port's forward returned.

    Attributes:
        name: its names on all levels, joined by dots; ``output`` for a lone tensor.
        access: how to reach it.
        tensor: its values.
    """

    name: str
    access: Access
    tensor: torch.Tensor


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """One output, as both models gave it.

    Attributes:
        name: of the output; no other one has it.
        leaf: the port's own.
        original: the original's tensor, of the same shape; 0 where nothing counts.
        mask: bool, of that shape: what counts; None: everything.
        max_abs: the largest difference between them where it counts.
        sample: what the test looks at.
        others: the port's tensor when it was computed otherwise.
    """

    name: str
    leaf: Leaf
    original: torch.Tensor
    mask: torch.Tensor | None
    max_abs: float
    sample: Sample
    others: tuple[torch.Tensor, ...] = ()

    def informed(self, moved: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> ExpectedOutput:
        """The same output, looked at where it moves, with more that is known of its noise.

        Args:
            moved: how far each element moved when a module was perturbed.
            others: the port's tensor when it was computed otherwise.
        """
        sample = choose(self.original, self.mask, moved)
        return ExpectedOutput(self.name, self.leaf, self.original, self.mask, self.max_abs, sample, tuple(others))

    @property
    def noise(self) -> float:
        """The largest difference from the original of one element that counts, however the port was computed."""
        mask = torch.ones_like(self.original, dtype=torch.bool) if self.mask is None else self.mask
        found = [(other.double() - self.original.double()).abs()[mask.expand(other.shape)] for other in self.others]
        return max([self.max_abs, *(float(each.max()) for each in found)])

    def sums_atol(self, atol: float) -> float:
        """The absolute tolerance of the sums: that of an element, or more where their own noise is larger."""
        expected = self.sample.sums(self.original)
        noise = [float((self.sample.sums(each) - expected).abs().max()) for each in (self.leaf.tensor, *self.others)]
        return max(atol, _rounded_up(MARGIN * max(noise)))

    def expected(self, atol: float) -> dict[str, Any]:
        """Where the test looks and what it expects there; the values are the original's.

        Args:
            atol: the absolute tolerance of an element.
        """
        return {
            "shape": list(self.original.shape),
            "places": list(self.sample.places),
            "channels": self.sample.channels,
            "valid": self.sample.valid,
            "means": literal(self.sample.means(self.original)),
            "slice": literal(self.sample.values(self.original)),
            "sums": [float(f"{value:.8g}") for value in self.sample.sums(self.original).tolist()],
            "sums_atol": self.sums_atol(atol),
        }

    def variables(self, atol: float) -> dict[str, Any]:
        """The template's variables, for an absolute tolerance of an element."""
        return {"name": self.name, "access": self.leaf.access, "expected": self.expected(atol)}


def expected_outputs(portfile: Portfile, verification: Verification, call: Call) -> tuple[ExpectedOutput, ...]:
    """The compared outputs that are floating-point tensors and that ``call``, the port's forward, returns as they are,
    or returns with more than what counts of them.

    Raises:
        GenerationError: there is none, or one whose original tensor is the port's own.
        PortfileError: ``outputs()`` does not keep its contract.
    """
    ported = verification.ported
    leaves = tuple(leaves_of(ported, call))
    positions, valid = Positions.of(ported), ported.valid_positions()
    found: list[ExpectedOutput] = []
    pairs = zip(_pairs(portfile, verification), verification.comparison.outputs, strict=True)
    for (name, original, own), compared in pairs:
        if original is own:
            raise GenerationError(
                f"outputs() gives the port's own tensor {show(name)} as the original's, so it says nothing of that",
                hint="let outputs() in the portfile take the second item from the original's result",
            )
        leaf = next((leaf for leaf in leaves if _holds(leaf, own, valid)), None)
        if leaf is not None and original.is_floating_point() and original.dim():
            unique = name if name not in {each.name for each in found} else f"{name}#{len(found)}"
            if leaf.tensor is own or valid is None:
                placed = original, positions.mask(original, call.key, name)
            else:
                placed = _scattered(original, leaf.tensor, valid)
            found.append(ExpectedOutput(unique, leaf, *placed, compared.numbers.max_abs, choose(*placed)))
    if not found:
        raise GenerationError(
            "none of the outputs is a floating-point tensor that the port's forward returns as it is",
            hint="let outputs() in the portfile name tensors that the forward returns",
        )
    return tuple(found)


def leaves_of(ported: Trace, call: Call) -> Iterator[Leaf]:
    """The floating-point tensors that the port's forward returned, with the way to each."""
    tensors = iter(call.outputs.leaves)
    for access in _accesses(call.outputs.structure):
        leaf = next(tensors)
        if leaf.tensor is not None and "float" in str(leaf.dtype):
            yield Leaf(leaf.name or "output", access, ported.tensor(leaf))


def tolerance_of(dtype: str, measured: float, allowed: Tolerance) -> tuple[float, float]:
    """Absolute and relative tolerance of a test.

    Ten times the measured noise, at least what is usual for the dtype (1e-4 in float32, 1e-2 in half precision), and
    never more than what was verified.
    """
    usual = _usual(dtype)
    return min(max(usual, _rounded_up(MARGIN * measured)), allowed.atol), min(usual, allowed.rtol)


def require_passing(output: ExpectedOutput, atol: float, rtol: float) -> None:
    """Check that the port, in every way in which it ran, passes the test that is written for it.

    Raises:
        GenerationError: it does not: its difference is within what was verified, and above the test's own tolerance;
            or the expected values are not finite.
    """
    sample = output.sample
    looks: Mapping[Callable[[torch.Tensor], torch.Tensor], float] = {
        sample.means: atol,
        sample.values: atol,
        sample.sums: output.sums_atol(atol),
    }
    for look, allowed in looks.items():
        expected = look(output.original)
        if not bool(expected.isfinite().all()):
            raise GenerationError(
                f"the original's output {show(output.name)} has NaN or Inf where a test would look",
                hint="let outputs() in the portfile name other tensors",
            )
        if not all(torch.allclose(look(own), expected, atol=allowed, rtol=rtol) for own in _owns(output)):
            raise GenerationError(
                f"the verified port would fail a test of {show(output.name)} at atol {atol:g}, rtol {rtol:g}",
                hint="raise the atol of TOLERANCE in the portfile to what these outputs need",
            )


def _owns(output: ExpectedOutput) -> tuple[torch.Tensor, ...]:
    return (output.leaf.tensor, *output.others)


def _usual(dtype: str) -> float:
    return LEAST_TOLERANCE.get(dtype, LEAST_TOLERANCE_OF_HALF)


def _rounded_up(value: float) -> float:
    """To one significant digit."""
    if not value:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.0e}")


def _pairs(portfile: Portfile, verification: Verification) -> OutputPairs:
    """The final outputs of both sides, as they were compared."""
    original, ported = verification.original, verification.ported
    declared = portfile.pair_outputs(original.value(original.outputs), ported.value(ported.outputs))
    if declared is not None:
        return declared
    leaves, _ = pair_results(original.outputs, ported.outputs)
    return [(other.name or "output", original.tensor(one), ported.tensor(other)) for one, other in leaves]


def _holds(leaf: Leaf, own: torch.Tensor, valid: torch.Tensor | None) -> bool:
    """Whether the port returned a tensor as it is, or as the valid positions of what it returned."""
    if leaf.tensor is own:
        return True
    return valid is not None and leaf.tensor.shape[:2] == valid.shape and torch.equal(leaf.tensor[valid], own)


def _scattered(
    original: torch.Tensor, returned: torch.Tensor, valid: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The original's valid positions in the shape of what the port returned, and what counts of that."""
    full = torch.zeros_like(returned)
    full[valid] = original.to(full)
    return full, valid.reshape(*valid.shape, *[1] * (full.dim() - 2)).expand(full.shape)


def _accesses(structure: Structure, above: Access = ()) -> Iterator[Access]:
    """How to reach each leaf of a value, in order."""
    if structure["kind"] == "leaf":
        yield above
        return
    items = structure["class"] in ("dict", "OrderedDict")
    for index, (key, item) in enumerate(zip(structure["keys"], structure["items"], strict=True)):
        if structure["kind"] != "dict" and not is_named(structure):
            step: tuple[str, str | int] = ("item", index)
        else:
            step = ("item" if items else "attribute", key)
        yield from _accesses(item, (*above, step))
