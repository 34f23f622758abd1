"""Step 7 of the recipe: the port's forward gives what the original's gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive
from porting.checks.wording import MOST_LINES, head, more, output_lines
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from porting.checks.context import CheckContext
    from porting.comparison import CallComparison
    from porting.diagnosis import Culprit
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
    wrong = [output for output in comparison.outputs if not output.numbers.allclose]
    if comparison.verdict == "inconclusive":
        uncompared = "".join(f"; {head(output)}" for output in wrong[:MOST_LINES])
        raise Inconclusive(
            f"not every output could be compared{uncompared}",
            hint=f"declare outputs() in the portfile, then: {context.command('verify')}",
            figures=_figures(verification),
        )
    first = verification.first_divergence
    place = "" if first is None else f"{_label(first)} is the first module to diverge; "
    raise ClaimRefuted(
        "\n".join(
            (
                f"{place}{head(wrong[0])}",
                "",
                f"Outputs not within {comparison.tolerance}: {len(wrong)} of {len(comparison.outputs)}",
                *(line for output in wrong[:MOST_LINES] for line in output_lines(output)),
                *more(len(wrong)),
                *_culprit_lines(verification.culprits),
            )
        ),
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
    diverging = [call for call in verification.comparison.calls if not call.ok]
    if diverging or verification.culprits:
        raise ClaimRefuted(
            "\n".join(_hidden_state_lines(verification, diverging)),
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
        "compared_modules": len(_compared(verification)),
        "first_divergence": _label(first) if first else None,
        "culprit": _culprit(culprits[0]) if culprits else None,
        "cause": culprits[0].proven.code if culprits and culprits[0].proven else None,
    }


def _compared(verification: Verification) -> list[CallComparison]:
    return [call for call in verification.comparison.calls if call.worst is not None]


def _not_compared(verification: Verification) -> str:
    """What keeps equal hidden states from being a proof; empty if nothing does."""
    below = [call for call in _compared(verification) if call.ported.path]
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
    """Aligned modules that hold parameters and of which nothing was compared."""
    modules = verification.ported.modules
    return [
        _label(call)
        for call in verification.comparison.blind
        if any(parameter.kind == "parameter" for parameter in modules[call.ported.path].parameters)
    ]


def _hidden_state_lines(verification: Verification, diverging: list[CallComparison]) -> Iterator[str]:
    if diverging:
        first = diverging[0]
        where = f" (in the original: {show(first.original.label or 'the model itself')})"
        yield f"{_label(first)} is the first module to diverge{where}: {_described(first)}"
        yield ""
        yield f"Modules that diverge: {len(diverging)} of {len(_compared(verification))}"
        yield from (f"  {_label(call)}: {_described(call)}" for call in diverging[:MOST_LINES])
        yield from more(len(diverging))
    else:
        ratio = verification.culprits[0].noise_ratio
        size = f" ({ratio:.3g} times the noise floor)" if ratio else ""
        yield (
            f"{_culprit(verification.culprits[0])} differs from the original by more than rounding{size}, "
            f"which the tolerance of {verification.comparison.tolerance} hides"
        )
    yield from _culprit_lines(verification.culprits)


def _culprit_lines(culprits: Iterable[Culprit]) -> Iterator[str]:
    for culprit in tuple(culprits)[:MOST_LINES]:
        yield f"Culprit {_culprit(culprit)} ({culprit.where}):"
        yield from (f"  {show(text, 400)}" for text in culprit.differences)
        if culprit.proven:
            yield f"  Cause: {culprit.proven.code} (proven): {show(culprit.proven.summary, 400)}"
            yield f"  Fix: {show(culprit.proven.fix, 400)}"


def _described(call: CallComparison) -> str:
    return call.worst.describe() if call.worst else "nothing was compared"


def _label(call: CallComparison) -> str:
    return show(call.ported.label or "the model itself")


def _culprit(culprit: Culprit) -> str:
    return show(culprit.ported or "the model itself")


def _next(context: CheckContext, verification: Verification) -> str:
    if verification.culprits:
        return f"mend {_culprit(verification.culprits[0])}, then: {context.command('verify --strict')}"
    return f"see every module with: {context.command('verify --full')}"
