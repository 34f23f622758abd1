"""Step 8 of the recipe: however it is asked to compute or to return it, the port gives the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Skip
from porting.checks.shared.settling import figures_of, refuse_random
from porting.checks.shared.wording import require_agreement
from porting.errors import CaptureError
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from porting.behaviour import Agreement, Subject
    from porting.checks.shared.context import CheckContext

STEP = 8


def check_attention_implementations(context: CheckContext) -> Figures:
    """Eager attention, sdpa and whatever else runs here give the same, within the measured rounding.

    Recipe step 8, the common model tests (``test_eager_matches_sdpa_inference``). At valid positions.

    Raises:
        ClaimRefuted: two implementations differ, or the forward raises under one that the port says it supports.
        Skip: the port supports one only.
    """
    from porting.behaviour import agree, can_change_attention, under_each_implementation

    subject = context.ported
    if not can_change_attention(subject.model):
        raise Skip("the port has no attention implementations to choose from")
    if not subject.given:
        raise Skip("the port returns no floating-point tensor")
    found = under_each_implementation(subject)
    hint = "pass the same scale, mask and dropout to every attention function, or set _supports_sdpa = False"
    if found.raised:
        name, why = next(iter(found.raised.items()))
        raise ClaimRefuted(f"under {show(name)} attention {why}", hint=hint)
    if len(found.outputs) < 2:
        refused = "; ".join(f"{show(name)}: {why}" for name, why in found.refused.items())
        raise Skip(f"the port runs under {show(found.usual)} attention only; {refused}")
    usual = found.outputs[found.usual]
    agreements = []
    valid = _valid(subject)
    for name, outputs in found.outputs.items():
        if name == found.usual:
            continue
        expected = {key: tensor for key, tensor in usual.items() if key in outputs}
        agreement = agree(expected, {key: outputs[key] for key in expected}, subject.allowance, valid)
        _require(context, agreement, f"{show(name)} against {show(found.usual)} attention", hint)
        agreements.append(agreement)
    return {**figures_of(*agreements), "implementations": ", ".join(found.outputs)}


def check_more_outputs(context: CheckContext) -> Figures:
    """Asking for hidden states and attention weights changes nothing else that the port returns.

    Recipe step 8, the common model tests (``test_hidden_states_output``, ``test_attention_outputs``).

    Raises:
        ClaimRefuted: another output changes, or is not returned any more.
        Skip: the port takes neither argument.
    """
    flags = [name for name in ("output_hidden_states", "output_attentions") if _takes(context, name)]
    agreements = [_with(context, {name: True}) for name in flags]
    found = [agreement for agreement in agreements if agreement is not None]
    if not found:
        raise Skip("the port takes neither output_hidden_states nor output_attentions")
    return {**figures_of(*found), "flags": len(found)}


def check_return_tuple(context: CheckContext) -> Figures:
    """With ``return_dict=False`` the port returns the same tensors in the same order, as a tuple.

    Recipe step 8, the common model tests (``test_model_outputs_equivalence``).

    Raises:
        ClaimRefuted: it returns others, in another order, or no tuple.
        Skip: it does not take ``return_dict``.
    """
    from porting.behaviour import agree, tuple_outputs

    subject = context.ported
    if not _takes(context, "return_dict"):
        raise Skip("the port takes no return_dict")
    hint = "decorate the forward with @can_return_tuple, and return a ModelOutput"
    try:
        found = tuple_outputs(subject)
    except CaptureError as error:
        if _not_taken(context, error, "return_dict"):
            raise Skip(f"the port takes no return_dict: {error.message}") from None
        raise ClaimRefuted(error.message, hint=hint) from None
    names = list(subject.given)
    if len(names) != len(found):
        text = f"with return_dict=False {len(found)} tensors come back, and as a ModelOutput {len(names)}"
        raise ClaimRefuted(text, hint=hint, figures={"tensors": len(found)})
    agreement = agree(subject.given, dict(zip(names, found, strict=True)), subject.allowance, _valid(subject))
    _require(context, agreement, "return_dict=False against the ModelOutput", hint)
    return figures_of(agreement)


def check_use_cache(context: CheckContext) -> Figures:
    """With and without ``use_cache`` the port returns the same.

    Recipe step 10: generation runs with a cache, and is compared without one.

    Raises:
        ClaimRefuted: an output changes.
        Skip: it does not take ``use_cache``.
    """
    if not _takes(context, "use_cache", named=True, anew=True):
        raise Skip("the port takes no use_cache")
    agreements = [_with(context, {"use_cache": value}, partly=True) for value in (True, False)]
    return figures_of(*(agreement for agreement in agreements if agreement is not None))


def check_logits_to_keep(context: CheckContext) -> Figures:
    """With ``logits_to_keep=1`` the logits are the last of all.

    Recipe step 10: generation asks for the last logits only.

    Raises:
        ClaimRefuted: they are others.
        Skip: it does not take ``logits_to_keep``, or returns no logits.
    """
    from porting.behaviour import agree, outputs_with

    subject = context.ported
    if not _takes(context, "logits_to_keep", named=True):
        raise Skip("the port takes no logits_to_keep")
    logits = subject.given.get("logits")
    if logits is None or logits.dim() != 3:
        raise Skip("the port returns no logits over a text")
    hint = "take hidden_states[:, -logits_to_keep:] before the head"
    try:
        found = outputs_with(subject, logits_to_keep=1)
    except CaptureError as error:
        raise ClaimRefuted(f"with logits_to_keep=1 {error.message}", hint=hint) from None
    kept = {"logits": found["logits"]} if "logits" in found else {}
    valid = _valid(subject)
    agreement = agree({"logits": logits[:, -1:]}, kept, subject.allowance, None if valid is None else valid[:, -1:])
    _require(context, agreement, "logits_to_keep=1 against the last of all logits", hint)
    return figures_of(agreement)


CHECKS = (
    check_attention_implementations,
    check_more_outputs,
    check_return_tuple,
    check_use_cache,
    check_logits_to_keep,
)


def _takes(context: CheckContext, name: str, *, named: bool = False, anew: bool = False) -> bool:
    """Whether the forward takes an argument, and the inputs do not set it unless it is set anew."""
    import inspect

    from porting.behaviour import takes

    if "run_ported" in context.portfile.functions:
        raise Skip("run_ported() decides how the port is called, and what is taken of what it returns")
    model = context.ported_model
    wanted = name in inspect.signature(model.forward).parameters if named else takes(model, name)
    return wanted and (anew or name not in context.ported.inputs.named())


def _with(context: CheckContext, arguments: Mapping[str, Any], *, partly: bool = False) -> Agreement | None:
    """How well the outputs agree with an argument more; None if it is not taken."""
    from porting.behaviour import agree, outputs_with

    subject = context.ported
    said = ", ".join(f"{name}={value}" for name, value in arguments.items())
    hint = f"let {said} change what is returned beside the result, and nothing of the result"
    try:
        found = outputs_with(subject, **arguments)
    except CaptureError as error:
        if _not_taken(context, error, *arguments):
            return None
        raise ClaimRefuted(f"with {said} {error.message}", hint=hint) from None
    expected = {name: tensor for name, tensor in subject.given.items() if name in found or not partly}
    kept = {name: found[name] for name in expected if name in found}
    agreement = agree(expected, kept, subject.allowance, _valid(subject))
    if agreement.wrong and _original_changes(context, arguments):
        raise Skip(f"{said} changes what the original returns, too")
    _require(context, agreement, f"{said} against the usual call", hint)
    return agreement


def _not_taken(context: CheckContext, error: CaptureError, *names: str) -> bool:
    """Whether a forward that takes any argument gave one on to something that does not know it."""
    import inspect

    declared = inspect.signature(context.ported_kind.forward).parameters
    return "unexpected keyword" in error.message and not set(names) & set(declared)


def _original_changes(context: CheckContext, arguments: Mapping[str, Any]) -> bool:
    """Whether the original takes the same argument, and returns something else with it."""
    from porting.behaviour import agree, outputs_with

    try:
        subject = context.original
        found = outputs_with(subject, **arguments)
    except (Skip, CaptureError):
        return False
    expected = {name: tensor for name, tensor in subject.given.items() if name in found}
    return bool(agree(expected, found, subject.allowance).wrong)


def _valid(subject: Subject) -> torch.Tensor | None:
    return subject.valid_positions(subject.inputs)


def _require(context: CheckContext, agreement: Agreement, what: str, hint: str) -> None:
    if agreement.wrong:
        refuse_random(context, what)
    require_agreement(agreement, what, hint=hint, figures=figures_of(agreement))
