"""Step 4 of the recipe: the original's forward runs, as it is meant to be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import places
from porting.text import show

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext
    from porting.recording import Recording

STEP = 4
RECORDING = "recording"
"""Under which a context is handed what ``porting capture --repeat`` recorded."""
QUIET = "let original() return it in eval mode, and fix what else it draws or keeps"
RECORD = "record it without a limit: porting capture --side original"


def check_original_runs(context: CheckContext) -> Figures:
    """The original's forward runs to its end, and returns numbers that are finite.

    Recipe step 4. Of a recorded original its trace says it.

    Raises:
        ClaimRefuted: it raises, or nothing that it returns is a finite number.
    """
    from porting.errors import CaptureError

    try:
        trace = context.trace("original")
    except CaptureError as error:
        if error.side == "ported":
            raise
        raise ClaimRefuted(error.message, hint=error.hint) from error
    returned = [trace.tensor(leaf) for leaf in trace.outputs.leaves if leaf.tensor is not None]
    checkpoint = context.portfile.checkpoint()
    figures: Figures = {
        "calls": len(trace.calls),
        "tensors": len(returned),
        "checkpoint": None if checkpoint is None else checkpoint.name,
    }
    if not returned and any(leaf.dtype for leaf in trace.outputs.leaves):
        raise Inconclusive("the outputs of the original were not recorded", hint=RECORD, figures=figures)
    if not any(bool(tensor.double().isfinite().any()) for tensor in returned):
        raise ClaimRefuted(
            "the original's forward returns no finite number",
            hint="let original() load its checkpoint, and run_original() return tensors",
            figures=figures,
        )
    return figures


def check_inputs_separate(context: CheckContext) -> Figures:
    """What the original's forward is given are ids, pixels and other numbers, and no text.

    Recipe step 4, "ids are separate from text": so tokenizer and model are compared apart. A word that sets an option
    beside tensors is no text.

    Raises:
        ClaimRefuted: it is given text.
    """
    leaves = _given(context)
    texts = [(name, value) for name, value in leaves if isinstance(value, (str, bytes))]
    numbers = len(leaves) - len(texts)
    figures: Figures = {"inputs": len(leaves), "texts": len(texts)}
    for name, value in texts:
        if not numbers or len(value.split()) > 1:
            raise ClaimRefuted(
                f"the original's forward is given text, as its input {show(name)}: {show(value, 60)}",
                hint="let inputs() return ids, made by the original's own tokenizer; the tokenizer is compared by "
                "original_tokenize()",
                figures=figures,
            )
    return figures


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
        Lacking: it is not live; ``porting capture --repeat 2`` runs it twice in another interpreter.
    """
    from porting.behaviour import parting_by_repetition, parting_by_seed

    recording: Recording | None = context.handed(RECORDING)
    if recording is not None:
        return _repeated(context, recording)
    if context.portfile.original_trace is None and context.portfile.original_python is not None:
        command = context.command("capture --side original --repeat 2")
        raise Lacking(f"the original runs in another interpreter, where this shows it: {command}")
    subject = context.original
    parting = parting_by_seed(subject) or parting_by_repetition(subject)
    if parting is None:
        return {"runs": 2, "seeds": 2}
    raise ClaimRefuted(
        f"{_place(parting.place)} gives something else in a second run, so its output {show(parting.output)} does",
        hint=f"{QUIET}; then: {context.command('capture --side original --repeat 2')}",
        figures={"first": parting.place, "output": parting.output},
    )


CHECKS = (check_original_runs, check_inputs_separate, check_original_eval_mode, check_original_repeats)


def _repeated(context: CheckContext, recording: Recording) -> Figures:
    """What runs that were recorded say.

    Raises:
        ClaimRefuted: one gave other bits.
    """
    differing = [label for folder, labels in recording.differing if folder.name == "original" for label in labels]
    figures: Figures = {"runs": recording.repeats, "seeds": recording.repeats, "differing": len(differing)}
    if differing:
        raise ClaimRefuted(
            f"the original's call {show(differing[0])} gives something else in a second run",
            hint=f"{QUIET}; then: {context.command('capture --side original --repeat 2')}",
            figures=figures,
        )
    return figures


def _given(context: CheckContext) -> list[tuple[str, Any]]:
    """The leaves of what the original's forward is given, by name; of recorded ones the tensors are not read."""
    from porting.trace import flatten

    portfile = context.portfile
    if not portfile.takes_recorded_inputs("original"):
        return flatten(portfile.inputs("original").named())[1]
    return [(leaf.name, leaf.value) for leaf in context.trace("original").inputs.leaves]


def _modes(context: CheckContext) -> dict[str, bool]:
    """Whether each module is in training mode, by path."""
    from porting.hooks.module_tree import walk

    try:
        return {path: module.training for path, module in walk(context.original_structure)}
    except Skip:
        return {path: module.training for path, module in context.trace("original").modules.items()}


def _place(path: str) -> str:
    return f"the original's {show(path)}" if path else "the original itself"
