"""porting: prove that a model re-implemented in Transformers is the same model as the original.

The public API is loaded on first use, so that importing the package imports neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from porting.checks import CheckReport, run_checks
    from porting.comparison import Comparison, TensorComparison, compare
    from porting.errors import PortingError
    from porting.hooks.capturing import capture
    from porting.hooks.selection import Selection
    from porting.portfile import Portfile
    from porting.runs import Inputs
    from porting.tolerance import Tolerance
    from porting.trace import Trace, open_trace
    from porting.verification import Verification, verify
    from porting.verifying import verify_portfile
    from porting.weights import WeightsReport, assert_loaded, check_weights
    from porting.weights.conversion import Conversion, convert
    from porting.weights.inference import Inference, infer_rules

__all__ = [
    "CheckReport",
    "Comparison",
    "Conversion",
    "Inference",
    "Inputs",
    "Portfile",
    "PortingError",
    "Selection",
    "TensorComparison",
    "Tolerance",
    "Trace",
    "Verification",
    "WeightsReport",
    "assert_loaded",
    "capture",
    "check_weights",
    "compare",
    "convert",
    "infer_rules",
    "open_trace",
    "run_checks",
    "verify",
    "verify_portfile",
]

_HOMES = {
    "porting.checks": ("CheckReport", "run_checks"),
    "porting.comparison": ("Comparison", "TensorComparison", "compare"),
    "porting.errors": ("PortingError",),
    "porting.hooks.capturing": ("capture",),
    "porting.hooks.selection": ("Selection",),
    "porting.portfile": ("Portfile",),
    "porting.runs": ("Inputs",),
    "porting.tolerance": ("Tolerance",),
    "porting.trace": ("Trace", "open_trace"),
    "porting.verification": ("Verification", "verify"),
    "porting.verifying": ("verify_portfile",),
    "porting.weights.inference": ("Inference", "infer_rules"),
    "porting.weights": ("WeightsReport", "assert_loaded", "check_weights"),
    "porting.weights.conversion": ("Conversion", "convert"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME_OF:
        raise AttributeError(f"module 'porting' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def _version() -> str:
    """The installed version; a plain checkout has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("porting")
    except PackageNotFoundError:
        return "(not installed)"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
