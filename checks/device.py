"""Step 10 of the recipe: the port runs where it is put, on a GPU too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking
from porting.checks.shared.reading import require_none_written
from porting.checks.shared.wording import place, require_agreement

if TYPE_CHECKING:
    from porting.behaviour.devices import Elsewhere
    from porting.checks.shared.context import CheckContext

STEP = 10
NO_DEVICE = "no GPU here"


def check_follows_device(context: CheckContext) -> Figures:
    """No tensor of the port stays on another device than the one that the port and its inputs are on.

    Usual mistake, "a missing ``.to(device)``": a device that is written down, ``torch.arange`` without one, a plain
    tensor that is no buffer. A forward without data finds them, with torch's fake tensors on another device and on
    ``meta``; on a GPU, where there is one, the outputs must also be the cpu's.

    Raises:
        ClaimRefuted: a tensor stayed behind, or the GPU's outputs differ by more than rounding.
        Skip: torch cannot run the port without data, and there is no GPU.
    """
    from porting.behaviour.devices import accelerator, run_elsewhere

    subject = context.ported
    found = {kind: run_elsewhere(subject.model, subject.inputs, subject.forward, kind) for kind in ("fake", "meta")}
    figures: dict[str, Any] = {kind: _said(each) for kind, each in found.items()}
    decided = [each for each in found.values() if each.status != "unable"]
    if decided and decided[0].status == "left":
        raise ClaimRefuted(_left(decided[0]), hint=_mend(context), figures={**figures, "gpu": NO_DEVICE})
    device = accelerator()
    figures["gpu"] = NO_DEVICE if device is None else _on(context, device, figures)
    if not decided and device is None:
        raise Lacking(f"torch cannot run the port without data, and there is no GPU: {figures['fake']}")
    return figures


def check_no_fixed_device(context: CheckContext) -> Figures:
    """No device is written down in the port's files.

    Usual mistake, "a missing ``.to(device)``", as it is read: ``.cuda()``, ``.to("cuda")``, ``device="cuda:0"``, and a
    tensor that a forward makes with ``device="cpu"``.

    Raises:
        ClaimRefuted: one is.
        Lacking: the port is not written in a ``modeling_*.py``.
    """
    from porting.conventions.devices import fixed_devices

    return require_none_written(context, fixed_devices, "take the device of an input")


CHECKS = (check_follows_device, check_no_fixed_device)


def _said(found: Elsewhere) -> str:
    if found.status == "moved":
        return "every tensor followed"
    return f"{found.status}: {found.line or found.module}: {found.words}"


def _left(found: Elsewhere) -> str:
    where = f" at {found.line}" if found.line else ""
    return f"{place(found.module)}: a tensor stayed behind on another device{where}\n  {found.words}"


def _on(context: CheckContext, device: Any, figures: Figures) -> str:
    """The port on a device that is there, against itself on the cpu."""
    from porting.behaviour import agree
    from porting.behaviour.devices import outputs_on
    from porting.errors import CaptureError

    subject = context.ported
    try:
        returned = outputs_on(subject, device)
    except CaptureError as error:
        raise ClaimRefuted(f"on {device}: {error.message}", hint=_mend(context), figures=figures) from error
    if returned is None:
        return f"{device}: no room"
    agreement = agree(subject.given, returned, subject.allowance, subject.valid_positions(subject.inputs))
    require_agreement(
        agreement, f"the port on {device} against itself on the cpu", hint=_mend(context), figures=figures
    )
    return f"{device}: equal, max abs {agreement.max_abs:.3g}"


def _mend(context: CheckContext) -> str:
    return f"make it with device=… of an input, or register it as a buffer, then: {context.command('check')}"
