"""Step 8 of the recipe: the outputs equal the original's on other inputs, too: longer, padded, of other sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.living import require_live
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.checks.shared.wording import place
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext
    from porting.probes import Probe

STEP = 8
LONGER = ("long", "scaled-rotation", "odd-length")
PADDED = ("padded-right", "padded-left")
BY_HAND = "porting verify --portfile of a copy of the portfile, whose inputs() are of that kind"
OTHERS = ("batch", "single-token", "image-size", "image-odd")


def check_longer_sequences(context: CheckContext) -> Figures:
    """On longer texts and sounds, past every window and limit in the config, the port gives what the original gives.

    Recipe step 8, "tests of what is special in this model": what short inputs do not reach is not compared by them.

    Raises:
        ClaimRefuted: an output differs, or the port's forward raises.
        Inconclusive: an output could not be compared.
        Skip: there is nothing longer to give to both.
    """
    return _require(context, "check_longer_sequences", LONGER)


def check_padded_sequences(context: CheckContext) -> Figures:
    """On rows of different lengths, padded on either side, the port gives what the original gives.

    Recipe, "pipelines and serving": what counts must not depend on what pads it.

    Raises:
        ClaimRefuted: an output differs, or the port's forward raises.
        Inconclusive: an output could not be compared.
        Skip: the two do not take the same mask.
    """
    return _require(context, "check_padded_sequences", PADDED)


def check_other_inputs(context: CheckContext) -> Figures:
    """On another batch, on one token, and on images of other sizes, the port gives what the original gives.

    Recipe step 8: one example is no proof.

    Raises:
        ClaimRefuted: an output differs, or the port's forward raises.
        Inconclusive: an output could not be compared.
        Skip: no such inputs can be given to both.
    """
    return _require(context, "check_other_inputs", OTHERS)


CHECKS = (check_longer_sequences, check_padded_sequences, check_other_inputs)


def _require(context: CheckContext, claim: str, names: tuple[str, ...]) -> Figures:
    require_live(context, claim, BY_HAND)
    probes = [probe for probe in context.probes if probe.name in names]
    made = [probe for probe in probes if probe.verdict != "skipped"]
    if not made:
        reasons = [f"{probe.description}: {probe.reason}" for probe in probes]
        raise Skip("; ".join(reasons) or "the port is given nothing of that kind")
    figures: Figures = {f"{probe.name}_max_abs": _finite(probe.max_abs) for probe in made}
    wrong = [probe for probe in made if probe.verdict == "mismatch"]
    hint = f"see each probe with: {context.command('verify --probe')}"
    if wrong:
        lines = "\n".join(_line(probe) for probe in wrong)
        first = f"{_culprit(wrong[0])}: on {wrong[0].description} the port is not the original"
        raise ClaimRefuted(f"{first}\n\n{lines}", hint=hint, figures=figures)
    if open_ := [probe.description for probe in made if probe.verdict == "inconclusive"]:
        raise Inconclusive(f"not every output could be compared on {'; '.join(open_)}", hint=hint, figures=figures)
    return figures


def _culprit(probe: Probe) -> str:
    return place(probe.culprits[0].ported) if probe.culprits else "the outputs"


def _line(probe: Probe) -> str:
    if _finite(probe.max_abs) is None:
        reason = show(probe.reason, 400) or "an output has another shape, or NaN or Inf at other places"
        return f"  {probe.description}: {reason}"
    text = f"  {probe.description}:\n    Greatest absolute difference: {probe.max_abs:.6g}"
    causes = [culprit.proven for culprit in probe.culprits if culprit.proven]
    return f"{text}\n    Cause: {causes[0].code} (proven): {show(causes[0].summary, 400)}" if causes else text


def _finite(value: float | None) -> float | None:
    from porting.comparison.metrics import finite

    return finite(value)
