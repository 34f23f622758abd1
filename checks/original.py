"""Step 4 of the recipe: the original's forward runs, as it is meant to be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Skip
from porting.checks.shared.wording import places
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 4


def check_original_eval_mode(context: CheckContext) -> Figures:
    """No module of the original is in training mode.

    Recipe step 4, "model in eval mode"; of a recorded original its trace says it.

    Raises:
        ClaimRefuted: a module is in training mode.
    """
    modes = _modes(context)
    training = [path for path, mode in modes.items() if mode]
    figures: Figures = {"modules": len(modes), "training": len(training)}
    if training:
        raise ClaimRefuted(
            f"{_place(training[0])} is in training mode\n\n"
            f"Modules in training mode: {len(training)} of {len(modes)}\n  {places(training)}",
            hint="call model.eval() in original() once the model is complete",
            figures=figures,
        )
    return figures


def check_original_repeats(context: CheckContext) -> Figures:
    """A second run of the original gives the same bits, with another seed, too.

    Recipe step 4, "two runs give equal bits".

    Raises:
        ClaimRefuted: it gives others.
        Skip: it is not live; ``porting capture --repeat 2`` shows it where it was recorded.
    """
    from porting.behaviour import parting_by_repetition, parting_by_seed

    subject = context.original
    parting = parting_by_seed(subject) or parting_by_repetition(subject)
    if parting is None:
        return {"runs": 2, "seeds": 2}
    raise ClaimRefuted(
        f"{_place(parting.place)} gives something else in a second run, so its output {show(parting.output)} does",
        hint="let original() return it in eval mode, and fix what else it draws or keeps; then: "
        + context.command("capture --side original --repeat 2"),
        figures={"first": parting.place, "output": parting.output},
    )


CHECKS = (check_original_eval_mode, check_original_repeats)


def _modes(context: CheckContext) -> dict[str, bool]:
    """Whether each module is in training mode, by path."""
    from porting.hooks.module_tree import walk

    try:
        return {path: module.training for path, module in walk(context.original_structure)}
    except Skip:
        return {path: module.training for path, module in context.verification.original.modules.items()}


def _place(path: str) -> str:
    return f"the original's {show(path)}" if path else "the original itself"
