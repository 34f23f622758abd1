"""How what the checks of one portfile share is made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import Skip

if TYPE_CHECKING:
    import torch

    from porting.behaviour import Material, Subject
    from porting.checks.shared.context import CheckContext
    from porting.probes import Probe
    from porting.runs import Side
    from porting.trace import Trace
    from porting.verification import Verification
    from porting.weights import WeightsReport


def subject_of(context: CheckContext, side: Side, model: torch.nn.Module) -> Subject:
    """A live model with the way in which it is run."""
    from porting.behaviour import Subject

    portfile = context.portfile
    return Subject(side, model, portfile.inputs(side), partial(portfile.run, side), portfile.counted)


def material_of(context: CheckContext) -> Material:
    """The inputs of both sides, or of the port alone where the original is not live."""
    from porting.behaviour import Material

    ported = context.ported
    try:
        return Material.of(ported.model, ported.inputs, context.original.model, context.original.inputs)
    except Skip:
        return Material.of(ported.model, ported.inputs)


def probes_of(context: CheckContext) -> tuple[Probe, ...]:
    """Both models on generated inputs."""
    from porting.extending import guarded
    from porting.probes import run_probes
    from porting.probes.quick import quickly
    from porting.verifying import verify_on

    original, ported, portfile = context.original, context.ported, context.portfile
    verify = quickly(
        original.result,
        ported.result,
        partial(verify_on, portfile, original.model, ported.model),
        outputs=guarded(portfile.pair_outputs),
        tolerance=portfile.tolerance(),
        counted=portfile.counted,
        culprits=context.verification.culprits,
    )
    return run_probes(verify, original.model, ported.model, ported.inputs, original.inputs)


def audit_of(context: CheckContext) -> WeightsReport | None:
    """Every tensor of the live port held against the checkpoint; None where nothing tells which is which."""
    from porting.weights import audit_loaded

    checkpoint, rules = context.portfile.checkpoint(), context.portfile.rules()
    if checkpoint is None:
        return None
    report = audit_loaded(context.ported_model, checkpoint, rules)
    return None if rules is None and report.of("MISSING") else report


def verification_of(context: CheckContext) -> Verification:
    """Both sides run, aligned, compared and judged."""
    from porting.extending import require_live
    from porting.verifying import verify_portfile

    options, live = context.verifying, context.original_is_live
    require_live(live, probe=options["probe"], reinit=options["reinit"])
    options["progress"]("building the models", 0, 1)
    original = context.original_model if live else None
    return verify_portfile(context.portfile, original=original, ported=context.ported_model, **options)


def recorded_of(context: CheckContext, side: Side) -> Trace:
    """One side run alone, or as it was recorded."""
    from porting.hooks.capturing import capture
    from porting.trace import Trace
    from porting.verifying import original_of

    portfile = context.portfile
    if side == "original" and not context.original_is_live:
        recorded = original_of(portfile)
        assert isinstance(recorded, Trace)
        return recorded
    return capture(
        context.original_model if side == "original" else context.ported_model,
        portfile.inputs(side),
        run=partial(portfile.run, side),
        valid_positions=portfile.valid_positions(),
        side=side,
        seed=int(side == "ported"),
    )
