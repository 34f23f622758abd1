"""Step 8 of the recipe: in half precision the port loses what the dtype explains, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.settling import LIVE
from porting.checks.shared.wording import place
from porting.errors import CaptureError
from porting.text import show

if TYPE_CHECKING:
    import torch

    from porting.behaviour import Half
    from porting.checks.shared.context import CheckContext

STEP = 8
UNAVAILABLE = ("not implemented for", "unsupported dtype", "not supported")
"""What torch says of an operation that this machine does not have in a dtype."""


def check_bfloat16(context: CheckContext) -> Figures:
    """In bfloat16 the port runs, gives no NaN or Inf, and loses no more than the dtype explains.

    Recipe, "usual mistakes", wrong dtype. What the dtype explains is the larger of two losses against float64: the
    original's in the same dtype, and the port's own in float32 with every result rounded to it.

    Raises:
        ClaimRefuted: the forward raises, is not finite, or loses several times as much.
        Inconclusive: it raises, and the original cannot be asked.
        Skip: the port is in half precision as it is, or the original fares no better.
    """
    import torch

    return _require(context, torch.bfloat16)


def check_float16(context: CheckContext) -> Figures:
    """In float16 the port runs, gives no NaN or Inf, and loses no more than the dtype explains.

    Recipe, "usual mistakes", wrong dtype; the usual one here is a mask of -1e9, which float16 cannot hold. What the
    dtype explains is found as for bfloat16.

    Raises:
        ClaimRefuted: the forward raises, is not finite, or loses several times as much.
        Inconclusive: it raises, and the original cannot be asked.
        Skip: the port is in half precision as it is, or the original fares no better.
    """
    import torch

    return _require(context, torch.float16)


CHECKS = (check_bfloat16, check_float16)


def _require(context: CheckContext, dtype: torch.dtype) -> Figures:
    from porting.behaviour import in_half

    subject = context.ported
    own = {tensor.dtype for tensor in subject.model.parameters() if tensor.is_floating_point()}
    if not own:
        raise Skip("the port has no floating-point parameters")
    if low := [each for each in own if each.itemsize < 4]:
        raise Skip(f"the port has parameters in {_name(low[0])} as it is")
    if not subject.given:
        raise Skip("the port returns no floating-point tensor")
    try:
        half = in_half(subject, dtype)
    except CaptureError as error:
        return _raised(context, dtype, error.message)
    if half.nonfinite:
        return _not_finite(context, half)
    return _lossy(context, half)


def _raised(context: CheckContext, dtype: torch.dtype, message: str) -> Figures:
    if any(said in message.lower() for said in UNAVAILABLE):
        raise Lacking(f"this machine cannot run it in {_name(dtype)}: {message}")
    other, why = _original(context, dtype)
    text = f"in {_name(dtype)} {message}"
    if other is None and why and not _is_live(context):
        raise Inconclusive(f"{text}; whether the original's does is not known: {why}", hint=LIVE)
    if other is None:
        raise Skip(f"{text}; {why}")
    hint = "give tensors that the forward makes the dtype of the hidden states, and cast back what is computed apart"
    raise ClaimRefuted(f"{text}; the original runs in it", hint=hint)


def _not_finite(context: CheckContext, half: Half) -> Figures:
    from porting.behaviour import first_nonfinite, largest_inside

    other, why = _original(context, half.dtype)
    most = _most(half.dtype)
    name = _name(half.dtype)
    if other is not None and other.nonfinite:
        raise Skip(f"in {name} the output {show(half.nonfinite[0])} is not finite, and neither is the original's")
    where, size = largest_inside(half.subject)
    if other is None and size > most:
        reach = f"{place(where)} reaches {size:.3g}, and {name} ends at {most:.3g}"
        raise Skip(f"in {name} the output {show(half.nonfinite[0])} is not finite: {reach}; {why}")
    first = first_nonfinite(half)
    raise ClaimRefuted(
        f"{place(first or '')} gives NaN or Inf in {name}, where it has none in float32\n\n"
        f"Outputs that are not finite: {', '.join(map(show, half.nonfinite))}",
        hint="take torch.finfo(dtype).min for a mask, an eps that the dtype holds, and sums of squares in float32",
        figures={"first": first},
    )


def _lossy(context: CheckContext, half: Half) -> Figures:
    import torch

    from porting.behaviour import first_lossy, losses, rounded_outputs
    from porting.noise.floor import FACTOR

    subject = half.subject
    found, explained = losses(subject, half.outputs), losses(subject, rounded_outputs(subject, half.dtype))
    if not found:
        raise Skip(f"nothing that the port returns in {_name(half.dtype)} can be compared with float64")
    other, _ = _original(context, half.dtype)
    of_original = max(losses(other.subject, other.outputs).values(), default=0.0) if other else None
    least = torch.finfo(half.dtype).eps
    bounds = {name: FACTOR * max(explained.get(name, 0.0), of_original or 0.0, least) for name in found}
    wrong = [name for name, loss in found.items() if loss > bounds[name]]
    worst = max(found, key=lambda name: found[name] / bounds[name])
    figures: Figures = {
        "relative_error": found[worst],
        "explained": explained.get(worst),
        "original_relative_error": of_original,
    }
    if wrong:
        first = first_lossy(half, FACTOR)
        known = "not known" if of_original is None else f"{of_original:.2g}"
        raise ClaimRefuted(
            f"{place(first or '')} loses more in {_name(half.dtype)} than the dtype explains\n\n"
            f"Outputs that lose too much: {len(wrong)} of {len(found)}\n  {show(worst)}:\n"
            f"    Median relative error of a vector: {found[worst]:.2g}\n"
            f"    With every result rounded to {_name(half.dtype)}: {explained.get(worst, 0.0):.2g}\n"
            f"    The original's: {known}",
            hint="compute norms, softmax and rotations in float32, and positions in integers or float32",
            figures=figures,
        )
    return figures


def _original(context: CheckContext, dtype: torch.dtype) -> tuple[Half | None, str]:
    """The original in half precision; or why there is none."""
    from porting.behaviour import in_half

    try:
        return in_half(context.original, dtype), ""
    except (CaptureError, Skip) as error:
        return None, error.message


def _is_live(context: CheckContext) -> bool:
    try:
        return context.original is not None
    except Skip:
        return False


def _most(dtype: torch.dtype) -> float:
    import torch

    return torch.finfo(dtype).max


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
