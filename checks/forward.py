"""Step 7 of the recipe: the port's forward gives what the original's gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive
from porting.checks.shared.wording import (
    MOST_LINES,
    compared,
    culprit_lines,
    culprit_name,
    differing_outputs,
    diverging_modules,
    head,
    label,
)
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from porting.checks.shared.context import CheckContext
    from porting.verification import Verification

STEP = 7


def check_outputs_equal(context: CheckContext) -> Figures:
    """The port returns the original's outputs: equal shapes, then equal values within the tolerance (1e-3).

    Recipe step 7, "forward gives the original's output". Values count at valid positions only.

    Raises:
        ClaimRefuted: an output differs.
        Inconclusive: an output, or all of them, could not be compared.
    """
    verification = context.verification
    comparison = verification.comparison
    if comparison.verdict == "match":
        return _figures(verification)
    if comparison.verdict == "inconclusive":
        wrong = [output for output in comparison.outputs if not output.numbers.allclose]
        uncompared = "".join(f"; {head(output)}" for output in wrong[:MOST_LINES])
        raise Inconclusive(
            f"not every output could be compared{uncompared}",
            hint=f"declare outputs() in the portfile, then: {context.command('verify')}",
            figures=_figures(verification),
        )
    raise ClaimRefuted(
        "\n".join((*differing_outputs(comparison), *culprit_lines(verification.culprits))),
        hint=_next(context, verification),
        figures=_figures(verification),
    )


def check_hidden_states_equal(context: CheckContext) -> Figures:
    """Every aligned module gives what its original gives, and none differs by more than rounding on its own.

    Recipe step 7, "embeddings first, then upward": layer by layer within the tolerance when both models run
    freely, and within the noise floor when each module is fed the original's own tensors.

    Raises:
        ClaimRefuted: a module diverges, or one is a culprit that the tolerance hides.
        Inconclusive: no module below the model itself, or not every parameter's module, could be compared.
    """
    verification = context.verification
    if verification.first_divergence or verification.culprits:
        raise ClaimRefuted(
            "\n".join(_hidden_state_lines(verification)),
            hint=_next(context, verification),
            figures=_figures(verification),
        )
    if gap := _not_compared(verification):
        raise Inconclusive(
            gap,
            hint=f"pair them with MODULE_MAP in the portfile, then: {context.command('verify --full')}",
            figures=_figures(verification),
        )
    return _figures(verification)


CHECKS = (check_outputs_equal, check_hidden_states_equal)


def _figures(verification: Verification) -> Figures:
    worst = max((output.numbers.max_abs for output in verification.comparison.outputs), default=math.nan)
    first = verification.first_divergence
    culprits = verification.culprits
    return {
        "verdict": verification.verdict,
        "max_abs": worst if math.isfinite(worst) else None,
        "compared_modules": len(compared(verification.comparison)),
        "first_divergence": label(first) if first else None,
        "culprit": culprit_name(culprits[0]) if culprits else None,
        "cause": culprits[0].proven.code if culprits and culprits[0].proven else None,
    }


def _not_compared(verification: Verification) -> str:
    """What keeps equal hidden states from being a proof; empty if nothing does."""
    below = [call for call in compared(verification.comparison) if call.ported.path]
    if not below and len(verification.ported.calls) > 1:
        return "no module below the model itself has a counterpart in the original"
    if verification.uncovered:
        names = ", ".join(show(name) for name in verification.uncovered[:MOST_LINES])
        return f"{len(verification.uncovered)} executed parameters lie under no compared module: {names}"
    if blind := _owning_blind(verification):
        names = ", ".join(blind[:MOST_LINES])
        return f"of {len(blind)} modules with parameters nothing could be compared: {names}"
    return "" if verification.isolation.observations else "no module could be judged on the original's own tensors"


def _owning_blind(verification: Verification) -> list[str]:
    """Aligned modules that hold parameters and of which nothing was compared, neither they nor what is around them."""
    from porting.coverage import judged_equal

    modules = verification.ported.modules
    judged = judged_equal(verification.isolation, verification.ported)
    return [
        label(call)
        for call in verification.comparison.blind
        if call.ported.path not in judged
        and any(parameter.kind == "parameter" for parameter in modules[call.ported.path].parameters)
    ]


def _hidden_state_lines(verification: Verification) -> Iterator[str]:
    if verification.first_divergence:
        yield from diverging_modules(verification.comparison)
    else:
        ratio = verification.culprits[0].noise_ratio
        size = f" ({ratio:.3g} times the noise floor)" if ratio else ""
        yield (
            f"{culprit_name(verification.culprits[0])} differs from the original by more than rounding{size}, "
            f"which the tolerance of {verification.comparison.tolerance} hides"
        )
    yield from culprit_lines(verification.culprits)


def _next(context: CheckContext, verification: Verification) -> str:
    if verification.culprits:
        return f"mend {culprit_name(verification.culprits[0])}, then: {context.command('verify --strict')}"
    return f"see every module with: {context.command('verify --full')}"
