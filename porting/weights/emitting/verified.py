"""What a script compares its result with: inputs of a verified run, and values of the original's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.stubs.expectations import expected_outputs, require_passing, tolerance_of
from porting.stubs.replay import (
    MOST_WRITTEN,
    dtype_of,
    forward_of,
    plain_inputs,
    provenance,
    require_small,
    written_inputs,
)

if TYPE_CHECKING:
    from porting.portfile import Portfile
    from porting.verification import Verification


def verified_values(portfile: Portfile, verification: Verification) -> dict[str, Any]:
    """The variables of the template; every value is the original's.

    Raises:
        GenerationError: the run, its inputs or its outputs cannot be written down.
        PortfileError: a function of the portfile does not keep its contract.
    """
    call, given = forward_of(verification)
    require_small(given, MOST_WRITTEN)
    outputs = expected_outputs(portfile, verification, call)
    measured = max(output.noise for output in outputs)
    atol, rtol = tolerance_of(dtype_of(verification.ported), measured, verification.comparison.tolerance)
    for output in outputs:
        require_passing(output, atol, rtol)
    return {
        **provenance(verification.original),
        "scalars": plain_inputs(given),
        "tensors": written_inputs(given),
        "outputs": [output.variables(atol) for output in outputs],
        "atol": atol,
        "rtol": rtol,
        "measured": f"{measured:.2g}",
    }
