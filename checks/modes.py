"""Step 7 of the recipe: the port runs in eval mode, and every run of it is the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.reading import require_none_written
from porting.checks.shared.wording import place, places
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 7


def check_eval_mode(context: CheckContext) -> Figures:
    """No module of the port is in training mode.

    Recipe, "usual mistakes": dropout active in the forward pass because the model is not in eval mode.

    Raises:
        ClaimRefuted: a module is in training mode.
    """
    from porting.behaviour import training_modules
    from porting.hooks.module_tree import walk

    training = training_modules(context.ported_structure)
    modules = sum(1 for _ in walk(context.ported_structure))
    figures: Figures = {"modules": modules, "training": len(training)}
    if training:
        raise ClaimRefuted(
            f"{place(training[0])} is in training mode\n\n"
            f"Modules in training mode: {len(training)} of {modules}\n  {places(training)}",
            hint="call model.eval() in ported() once the model is complete, and leave self.training alone",
            figures=figures,
        )
    return figures


def check_dropout_inactive(context: CheckContext) -> Figures:
    """Nothing that the port returns depends on the seed.

    Recipe, "usual mistakes": functional dropout without ``training=self.training`` drops in eval mode, too.

    Raises:
        ClaimRefuted: runs with two seeds differ.
        Skip: runs with the same seed differ, or the original draws random numbers, too.
    """
    from porting.behaviour import parting_by_seed

    parting = parting_by_seed(context.ported)
    if parting is None:
        return {"seeds": 2}
    if parting_by_seed(context.ported, (0, 0)) is not None:
        raise Lacking("runs with the same seed differ already: see check_runs_repeat")
    if context.verification.original.run.get("random"):
        raise Skip(f"the original draws random numbers in its forward, too (the port does in {place(parting.place)})")
    raise ClaimRefuted(
        f"{place(parting.place)} gives something else with another seed, so the output {show(parting.output)} does",
        hint="give functional dropout training=self.training, and attention dropout 0.0 if not self.training; then: "
        + context.command("verify --strict"),
        figures={"seeds": 2, "first": parting.place, "output": parting.output},
    )


def check_statistics_kept(context: CheckContext) -> Figures:
    """A forward leaves the running statistics of norms over the batch as they are.

    Recipe, "usual mistakes": a batch norm that is not in eval mode normalises by the batch, and learns from it.

    Raises:
        ClaimRefuted: a run changes them.
        Skip: there are none, or the original changes its own, too.
    """
    from porting.behaviour import changed_statistics, statistics_of

    known = len(statistics_of(context.ported_structure))
    if not known:
        raise Skip("the port has no running statistics")
    changed = changed_statistics(context.ported)
    figures: Figures = {"statistics": known, "changed": len(changed)}
    if not changed:
        return figures
    if _original_learns(context):
        raise Skip(f"the original changes its running statistics, too (the port first {show(changed[0])})")
    raise ClaimRefuted(
        f"{show(changed[0])} is changed by a forward\n\n"
        f"Running statistics that are changed: {len(changed)} of {known}\n  {places(changed)}",
        hint="call model.eval() in ported(), and pass training=self.training to functional batch norm",
        figures=figures,
    )


def check_runs_repeat(context: CheckContext) -> Figures:
    """A second run of the port with the same seed gives the same bits.

    Recipe step 7, which compares one run: a port that keeps something from run to run, as a cache, passes only once.

    Raises:
        ClaimRefuted: it gives others.
        Skip: the original does not repeat itself either.
    """
    from porting.behaviour import parting_by_repetition

    parting = parting_by_repetition(context.ported)
    if parting is None:
        return {"runs": 2}
    if _original_does_not_repeat(context):
        raise Skip(f"the original does not repeat itself either (the port parts in {place(parting.place)})")
    raise ClaimRefuted(
        f"{place(parting.place)} gives something else in a second run, so the output {show(parting.output)} does",
        hint="keep nothing from run to run: a cache belongs to the call, not to the module",
        figures={"runs": 2, "first": parting.place, "output": parting.output},
    )


def check_dropout_follows_mode(context: CheckContext) -> Figures:
    """Every functional dropout in the port's files follows the model's mode.

    Usual mistake, "functional dropout without ``training=self.training``", as it is read, on every path of the code.

    Raises:
        ClaimRefuted: one drops in eval mode, too.
        Lacking: the port is not written in a ``modeling_*.py``.
    """
    from porting.conventions.dropout import unfollowing

    return require_none_written(context, unfollowing, "pass training=self.training")


CHECKS = (
    check_eval_mode,
    check_dropout_inactive,
    check_dropout_follows_mode,
    check_statistics_kept,
    check_runs_repeat,
)


def _original_learns(context: CheckContext) -> bool:
    from porting.behaviour import changed_statistics

    try:
        return bool(changed_statistics(context.original))
    except Skip:
        return False


def _original_does_not_repeat(context: CheckContext) -> bool:
    from porting.behaviour import parting_by_repetition

    try:
        return parting_by_repetition(context.original) is not None
    except Skip:
        return False
