"""Step 8 of the recipe: the port learns as the original does, with and without gradient checkpointing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.living import require_live
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import MOST_LINES, more, require_agreement
from porting.errors import CaptureError
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch

    from porting.behaviour import Checkpointing, Learning
    from porting.behaviour.agreement import Allowance
    from porting.checks.shared.context import CheckContext
    from porting.tolerance import Tolerance

STEP = 8


def check_gradients_equal(context: CheckContext) -> Figures:
    """The gradients of a fixed projection of the outputs are the original's, for every parameter with a counterpart.

    Recipe step 8: who finetunes the port needs what the forward alone does not show, as a ``detach`` left in it.

    Raises:
        ClaimRefuted: a gradient differs, or there is none where the original has one.
        Inconclusive: no parameter's counterpart was found.
        Skip: the outputs differ already, or a side cannot be run backward.
    """
    verdict = context.verification.comparison.verdict
    if verdict != "match":
        raise Lacking(f"the outputs are compared first, and their verdict is {verdict}: see check_outputs_equal")
    require_live(context, "check_gradients_equal", "run both backward from the same projection of their outputs")
    learning = _learning(context)
    figures: Figures = {
        "compared_parameters": learning.compared,
        "unmatched": len(learning.unmatched),
        "unlike": len(learning.unlike),
    }
    if learning.unlike:
        raise ClaimRefuted(
            _unlike(learning),
            hint="look for detach(), no_grad(), .data, requires_grad_(False) or .item() in that module's forward",
            figures=figures,
        )
    if not learning.compared:
        raise Inconclusive("no parameter of the port holds what one of the original holds", figures=figures)
    return figures


def check_gradient_checkpointing(context: CheckContext) -> Figures:
    """Gradient checkpointing changes neither outputs nor gradients.

    Recipe step 8, the common model tests (``test_training_gradient_checkpointing``). In training mode, with the same
    seed.

    Raises:
        ClaimRefuted: it changes some, cannot be switched on, or does nothing.
        Skip: the port does not say that it supports it, or cannot be trained on these inputs.
    """
    from porting.behaviour import CheckpointingError, agree, supports_checkpointing, with_checkpointing

    if not supports_checkpointing(context.ported_structure):
        raise Skip("the port does not say that it supports gradient checkpointing")
    hint = "let the layers be GradientCheckpointingLayer, or set supports_gradient_checkpointing = False"
    try:
        found = with_checkpointing(context.ported)
    except CheckpointingError as error:
        raise ClaimRefuted(error.message, hint=hint) from None
    except CaptureError as error:
        raise Skip(f"the port cannot be run backward in training mode: {error.message}") from None
    if not any(name.startswith("gradient") for name in found.plain):
        raise Skip("nothing that the port returns in training mode depends on a parameter that requires a gradient")
    if not found.recomputed:
        raise ClaimRefuted("gradient checkpointing is switched on, and nothing runs under a checkpoint", hint=hint)
    allowance = _allowance(context, found)
    if agree(found.plain, found.again, allowance).wrong:
        raise Skip("two runs in training mode with the same seed differ as it is")
    agreement = agree(found.plain, found.checkpointed, allowance)
    figures: Figures = {"compared": len(agreement.outputs), "checkpoints": found.recomputed}
    hint = "let a layer use what it is given, and keep nothing: under a checkpoint it runs twice"
    require_agreement(agreement, "with gradient checkpointing against without", hint=hint, figures=figures)
    return figures


CHECKS = (check_gradients_equal, check_gradient_checkpointing)


def _learning(context: CheckContext) -> Learning:
    from porting.behaviour import learning_of
    from porting.comparison.results import paired_results

    _refuse_frozen(context)
    alignment = context.verification.comparison.alignment
    partners: dict[str, set[str]] = {}
    for group in alignment.groups:
        for path in group.ported:
            partners.setdefault(path, set()).update(group.original)

    def pairs(original: Any, ported: Any) -> Any:
        said = context.portfile.pair_outputs(original, ported)
        return paired_results(original, ported) if said is None else said

    def likely(path: str) -> Collection[str]:
        return partners.get(path, ())

    try:
        learning = learning_of(context.original, context.ported, pairs, likely, context.portfile.tolerance())
    except CaptureError as error:
        if error.side == "ported" and _runs_backward(context):
            raise ClaimRefuted(f"{error.message}; the original's does not", hint="see the traceback of it") from None
        raise Skip(error.message) from None
    if not learning.asked[0]:
        raise Skip("nothing that is compared depends on a parameter of the original that requires a gradient")
    if not learning.asked[1]:
        raise ClaimRefuted(
            "no gradient reaches any parameter of the port, and in the original they do",
            hint="look for no_grad(), inference_mode() or detach() around the whole forward",
        )
    return learning


def _refuse_frozen(context: CheckContext) -> None:
    for side, subject in (("original", context.original), ("port", context.ported)):
        if not any(parameter.requires_grad for parameter in subject.model.parameters()):
            raise Lacking(f"no parameter of the {side} requires a gradient: it was frozen as a whole")


def _runs_backward(context: CheckContext) -> bool:
    from porting.behaviour import backward_of, named_tensors

    try:
        backward_of(context.original, lambda result: list(named_tensors(result).values()))
    except CaptureError:
        return False
    return True


def _unlike(learning: Learning) -> str:
    last = learning.unlike[-1]
    first = f"{show(last.name)}: {last.why}; of all that differ it is the nearest to the outputs"
    lines = [
        f"  {show(each.name)}: max abs {each.max_abs:.2g}, the original's reach {each.scale:.2g}"
        for each in reversed(learning.unlike[-MOST_LINES:])
    ]
    head = f"Gradients that differ: {len(learning.unlike)} of {learning.compared}"
    return "\n".join((first, "", head, *lines, *more(len(learning.unlike))))


def _allowance(context: CheckContext, found: Checkpointing) -> Allowance:
    """Recomputing may choose other kernels: the tolerance's relative part, and the last digits of the largest."""
    import torch

    from porting.behaviour.subject import LAST_DIGITS
    from porting.tolerance import Tolerance

    relative = context.portfile.tolerance().rtol
    gradients = [tensor for name, tensor in found.plain.items() if name.startswith("gradient")]
    largest = max(_scale(tensor) for tensor in gradients)

    def allowance(_: str, tensor: torch.Tensor) -> Tolerance:
        least = LAST_DIGITS * torch.finfo(tensor.dtype).eps * max(largest, _scale(tensor))
        return Tolerance(max(relative * _scale(tensor), least), 0.0)

    return allowance


def _scale(tensor: torch.Tensor) -> float:
    finite = tensor[tensor.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0
