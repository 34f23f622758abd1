"""``assert_port_close``: what a port computes is what the original computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.errors import MismatchError, PortingError
from porting.plugin.settings import settings_of
from porting.plugin.sharing import or_fail, said, shared
from porting.text import show
from porting.tolerance import Tolerance

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    import torch

    from porting.behaviour.agreement import Allowance
    from porting.comparison import Comparison
    from porting.verification import Verification

HINT = "find the module at fault: pass both models and their inputs instead, or: porting verify"


class PortClose:
    """The assertion, within the tolerance of a test's portfile.

    Args:
        config: of the run.
        path: the portfile, if there is one.
    """

    def __init__(self, config: pytest.Config, path: Path | None) -> None:
        self._config = config
        self._path = path

    def __call__(
        self,
        original: Any,
        ported: Any,
        inputs: Any = None,
        *,
        atol: float | None = None,
        rtol: float | None = None,
        valid_positions: torch.Tensor | None = None,
    ) -> None:
        """Assert that shapes are equal, NaN and Inf at the same places, and values within the tolerance.

        Nothing is broadcast. The failure names everything that differs.

        Args:
            original: a tensor, an array, a number; a dict, list, tuple or ``ModelOutput`` of these; a trace; a model.
            ported: the same of the port.
            inputs: of two models: a dict of keyword arguments, or a tuple.
            atol: absolute; the run's, else the portfile's, else 1e-3, if None, and then 1% of an output that lies
                wholly within that, as probabilities of many classes do: zeros would pass.
            rtol: the same, relative to the original's value.
            valid_positions: bool over (batch, sequence) of what counts; None: everything, and of two models what the
                attention mask lets count.

        Raises:
            MismatchError: it is not so, nothing could be compared, or a model cannot be run.
        """
        __tracebackhide__ = True
        tolerance = self.tolerance(atol, rtol)
        try:
            if _are_values(original, ported):
                allowance = _to_scale(tolerance) if atol is None else lambda *_: tolerance
                _require_same_values(original, ported, allowance, valid_positions)
            else:
                _require_close(original, ported, inputs, tolerance, valid_positions, settings_of(self._config).strict)
        except PortingError as error:
            raise MismatchError(said(error)) from None

    def tolerance(self, atol: float | None = None, rtol: float | None = None) -> Tolerance:
        """The tolerance given, else the run's, else the portfile's, else 1e-3."""
        if self._path is None:
            own = settings_of(self._config).tolerance(Tolerance())
        else:
            path = self._path
            own = or_fail(lambda: shared(self._config, path)).context.portfile.tolerance()
        return Tolerance(own.atol if atol is None else atol, own.rtol if rtol is None else rtol)


def _require_close(
    original: Any, ported: Any, inputs: Any, tolerance: Tolerance, valid: torch.Tensor | None, strict: bool
) -> None:
    import torch

    from porting.trace import Trace

    pair = (original, ported)
    if all(isinstance(each, torch.nn.Module) for each in pair):
        from porting.verification import verify

        positions: Any = "attended" if valid is None else valid
        require_verified(
            verify(original, ported, inputs, tolerance=tolerance, valid_positions=positions, strict=strict)
        )
    elif all(isinstance(each, Trace) for each in pair):
        from porting.comparison import compare

        require_same_run(
            compare(original, ported, tolerance=tolerance), "judge every module by itself: porting verify"
        )
    else:
        kinds = " and ".join(type(each).__name__ for each in pair)
        raise MismatchError(f"a {kinds} cannot be compared", hint="pass two models, two traces, or outputs of both")


def _are_values(*pair: Any) -> bool:
    import torch

    from porting.trace import Trace

    return not any(isinstance(each, (torch.nn.Module, Trace)) for each in pair)


def _to_scale(tolerance: Tolerance) -> Allowance:
    """The tolerance, or for tensors that lie wholly within it 1% of their root mean square, and at least rounding."""

    def allowance(_: str, tensor: torch.Tensor) -> Tolerance:
        import torch

        values = tensor.double() if tensor.is_floating_point() else torch.zeros(0)
        values = values[values.isfinite()]
        if not values.numel() or not 0 < float(values.abs().max()) <= tolerance.atol:
            return tolerance
        scaled = max(float(values.square().mean().sqrt()) / 100, 10 * torch.finfo(tensor.dtype).eps)
        return Tolerance(min(tolerance.atol, scaled), tolerance.rtol)

    return allowance


def require_verified(verification: Verification) -> None:
    """Refute a verification that is not fine with every output that differs and every module at fault.

    Raises:
        MismatchError: it is not fine.
    """
    from porting.checks.shared.wording import culprit_lines, culprit_name, differing_outputs

    if verification.ok:
        return
    culprits = verification.culprits
    hint = f"mend {culprit_name(culprits[0])}" if culprits else "see what was compared: print(verification.text())"
    if verification.comparison.verdict != "mismatch":
        raise MismatchError(verification.failure_message(), hint=hint)
    raise MismatchError("\n".join((*differing_outputs(verification.comparison), *culprit_lines(culprits))), hint=hint)


def require_same_run(comparison: Comparison, hint: str) -> None:
    """Refute a comparison of two traces with every output and module that differs.

    Raises:
        MismatchError: an output or a module fails the tolerance, or nothing could be compared.
    """
    from porting.checks.shared.wording import differing_outputs, diverging_modules

    if comparison.verdict == "mismatch":
        raise MismatchError("\n".join(differing_outputs(comparison)), hint=hint)
    if comparison.first_divergence:
        raise MismatchError("\n".join(diverging_modules(comparison)), hint=hint)
    if not comparison.ok:
        raise MismatchError(f"not every output could be compared: {comparison.summary()}", hint=hint)


def _require_same_values(original: Any, ported: Any, allowance: Allowance, valid: torch.Tensor | None) -> None:
    from porting.behaviour import agree
    from porting.checks.shared.wording import head, require_agreement

    expected, found = _named(original, ported)
    agreement = agree(expected, found, allowance, valid)
    require_agreement(agreement, "the port is not the original", hint=HINT, figures={})
    if agreement.blind:
        raise MismatchError(f"{head(agreement.blind[0])}: nothing could be compared", hint=HINT)


def _named(original: Any, ported: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Both sides as tensors by name; by position where only one of the two has names."""
    from porting.trace import flatten, is_named

    (one, left), (other, right) = flatten(original), flatten(ported)
    if is_named(one) != is_named(other):
        names = [name for name, _ in (left if is_named(one) else right)]
        names += [str(number) for number in range(len(names), max(len(left), len(right)))]
        left, right = (list(zip(names, values, strict=False)) for values in (_values(left), _values(right)))
    return _tensors(left), _tensors(right)


def _values(leaves: list[tuple[str, Any]]) -> list[Any]:
    return [value for _, value in leaves]


def _tensors(leaves: list[tuple[str, Any]]) -> dict[str, torch.Tensor]:
    return {name: _tensor(name, value) for name, value in leaves if value is not None}


def _tensor(name: str, value: Any) -> torch.Tensor:
    """A value as a tensor with a number for each element; an array of another library is copied.

    Raises:
        MismatchError: it holds no numbers.
    """
    import numpy as np
    import torch

    try:
        if not isinstance(value, torch.Tensor):
            return torch.from_numpy(np.array(value))
        if value.is_meta or value.is_nested:
            raise TypeError("it has no data" if value.is_meta else "its rows are of several shapes")
        plain = value.detach()
        return (
            plain.dequantize() if plain.is_quantized else plain if plain.layout is torch.strided else plain.to_dense()
        )
    except (TypeError, ValueError, RuntimeError) as error:
        where = f" at {show(name)}" if name else ""
        raise MismatchError(
            f"a {type(value).__name__}{where} cannot be compared: {show(error)}",
            hint="pass tensors, arrays, numbers, or what holds them",
        ) from None
