"""What a verification is extended by on demand: probes, and a run with new weights; both need both models live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from porting.errors import PortfileError, PortingError
from porting.probes import run_probes
from porting.probes.result import worst
from porting.progress import Progress, silent
from porting.reinit import run_reinitialised
from porting.runs import Inputs, OutputPairs
from porting.text import show

if TYPE_CHECKING:
    from porting.verification import Verification

Positions = torch.Tensor | Callable[[Inputs], torch.Tensor | None] | Literal["attended"] | None
"""Valid positions: themselves, what finds them for some inputs, or their mask."""
Outputs = Callable[[Any, Any], OutputPairs | None]
Again = Callable[[Inputs, "Inputs | None", Positions], "Verification"]
"""Verifies once more, on the port's inputs, the original's, and these valid positions."""

HINT = "give a live original: original() in the portfile, without ORIGINAL_TRACE and ORIGINAL_PYTHON"


def require_live(live: bool, *, probe: bool, reinit: int | None) -> None:
    """Refuse what needs a live original where there is none.

    Raises:
        PortfileError: there is none.
    """
    if not live and (probe or reinit is not None):
        option = "--probe" if probe else "--reinit"
        what = "new inputs" if probe else "new weights"
        raise PortfileError(f"{option} runs both models on {what}, and the original is a recorded trace", hint=HINT)


def further_summary(verification: Verification, text: str) -> str:
    """The summary of a verification, followed by the runs that are worse than the given one."""
    runs = [(f"probe {probe.name}", probe.verdict) for probe in verification.probes]
    runs += [("new weights", verification.reinit.verdict)] if verification.reinit else []
    given = verification.given_verdict
    worse = [
        f"{verdict} with {name}" for name, verdict in runs if verdict != "skipped" and worst(given, verdict) != given
    ]
    if not worse:
        return text
    return f"{verification.verdict}: {', '.join(worse)}; on the given inputs {text}"


def guarded(outputs: Outputs | None) -> Outputs | None:
    """The same pairing of outputs, whose own exceptions say that it is made for the given inputs only."""
    if outputs is None:
        return None

    def paired(original: Any, ported: Any) -> OutputPairs | None:
        try:
            return outputs(original, ported)
        except PortingError:
            raise
        except Exception as error:
            text = f"outputs() raised {type(error).__name__} on these inputs: {show(error, 300)}"
            raise PortfileError(text, hint="let outputs() take results of other shapes, too") from error

    return paired


def extended(
    verification: Verification,
    again: Again,
    original: torch.nn.Module,
    ported: torch.nn.Module,
    inputs: Inputs,
    original_inputs: Inputs | None,
    positions: Positions,
    *,
    probe: bool,
    reinit: int | None,
    progress: Progress = silent,
) -> Verification:
    """The verification with the probes and the run with new weights that were asked for."""
    more: dict[str, Any] = {}
    if probe:

        def on_probe(made: Inputs, first: Inputs, mask: torch.Tensor | None) -> Verification:
            given = positions if callable(positions) or positions is None else mask
            return again(made, first, "attended" if given is None and positions is not None else given)

        more["probes"] = run_probes(on_probe, original, ported, inputs, original_inputs, progress=progress)
    if reinit is not None:
        pairs = verification.comparison.alignment.pairs
        more["reinit"] = run_reinitialised(
            lambda: again(inputs, original_inputs, positions), original, ported, pairs, reinit
        )
    return replace(verification, **more)
