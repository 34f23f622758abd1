"""Step 10 of the recipe: the port behind ``transformers.pipeline`` gives what it gives when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.errors import PortingError
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.checks.shared.context import CheckContext
    from porting.pipelines import Disagreement, Interview, Task

STEP = 10


def check_pipeline_equals_direct_call(context: CheckContext) -> Figures:
    """`transformers.pipeline` on the port answers what calling its tokenizer or processor and the model answers.

    Recipe, "pipelines and serving"; for every task that Transformers' own mappings have for the class.

    Raises:
        ClaimRefuted: an answer differs, or the pipeline raises where the model itself answers.
        Skip: there is no task for the class, or nothing that makes its inputs.
    """
    figures: dict[str, Any] = {"tasks": "", "questions": 0}
    for interview in _interviews(context):
        wrong = _asked(context, interview, batched=False)
        figures["tasks"] = ", ".join(filter(None, (figures["tasks"], interview.task.name)))
        figures["questions"] += len(interview.questions)
        if wrong:
            raise ClaimRefuted(
                f"{interview.task.name}: the pipeline's {_differing(interview.task, wrong[0])}",
                hint="does forward return its fields under Transformers' names and in their order (logits first)?",
                figures=figures,
            )
    return figures


def check_pipeline_batches_equal(context: CheckContext) -> Figures:
    """A pipeline answers the same to a question alone and in a batch with others.

    Usual mistakes: padding that reaches the result, a padding side that shifts positions, a padding token that the
    tokenizer and the config do not share.

    Raises:
        ClaimRefuted: an answer in a batch is another one than alone.
        Skip: there is no task for the class, nothing that makes its inputs, no padding token, or the model itself
            is not independent of padding, which other checks judge.
    """
    figures: dict[str, Any] = {"tasks": "", "questions": 0}
    skipped: list[str] = []
    for interview in _interviews(context):
        reason = _cannot_batch(interview)
        if reason:
            skipped.append(f"{interview.task.name}: {reason}")
            continue
        try:
            wrong = _asked(context, interview, batched=True)
        except ClaimRefuted as error:
            if not interview.takes_batch():
                raise
            skipped.append(f"{error.message}, and the model itself takes the batch")
            continue
        if wrong and (told := _model_itself(context, interview)):
            skipped.append(f"{interview.task.name}: {told}")
            continue
        figures["tasks"] = ", ".join(filter(None, (figures["tasks"], interview.task.name)))
        figures["questions"] += len(interview.questions)
        if wrong:
            cause, hint = _cause(interview)
            raise ClaimRefuted(
                f"{interview.task.name}: in a batch, the pipeline's {_differing(interview.task, wrong[0])}{cause}",
                hint=hint,
                figures=figures,
            )
    if not figures["tasks"]:
        raise Skip("; ".join(skipped))
    return figures


CHECKS = (check_pipeline_equals_direct_call, check_pipeline_batches_equal)


def _interviews(context: CheckContext) -> list[Interview]:
    """One for each task that can be asked.

    Raises:
        Skip: there is none; the reason says what is missing.
    """
    return context.shared("pipelines", lambda: _made(context))


def _made(context: CheckContext) -> list[Interview]:
    from transformers import PreTrainedModel

    from porting.pipelines import Equipment, Interview, NotAskableError, tasks_of

    model = context.ported_model
    if not isinstance(model, PreTrainedModel):
        raise Lacking("the port is no PreTrainedModel, which pipelines need")
    tasks = tuple(tasks_of(model))
    if not tasks:
        raise Skip(f"no pipeline of Transformers takes {show(type(model).__name__, 60)}")
    names = [name for name in ("ported_tokenizer", "ported_processor") if name in context.portfile.functions]
    if not names:
        raise Lacking("the portfile has neither ported_tokenizer() nor ported_processor()")
    given = {name.removeprefix("ported_"): context.returned(name) for name in names}
    given.setdefault("tokenizer", getattr(given.get("processor"), "tokenizer", None))
    equipment = Equipment(**given)
    said = []
    made = []
    for task in tasks:
        parts = equipment.of(task)
        if not parts or any(getattr(part, name, None) is None for part in parts.values() for name in task.needs):
            said.append(f"{task.name} needs what the portfile does not return")
            continue
        interview = Interview(model, task, parts, _material(task, parts))
        try:
            _ = interview.questions
        except NotAskableError as error:
            said.append(error.message)
        else:
            made.append(interview)
    if not made:
        raise Skip("; ".join(said))
    return made


def _material(task: Task, parts: Any) -> Sequence[Any]:
    from porting.processors import samples_of

    if task.material == "text":
        return ()
    rate = max(int(getattr(part, "sampling_rate", None) or 16000) for part in parts.values())
    samples = [sample.value for sample in samples_of(task.material, rate) if sample.usual]
    if task.material == "image":
        return samples
    shortest = min(map(len, samples))
    return [sample[:shortest] for sample in samples]


def _asked(context: CheckContext, interview: Interview, *, batched: bool) -> list[Disagreement]:
    from porting.pipelines import PipelineFailedError

    try:
        return interview.batched() if batched else interview.alone()
    except PipelineFailedError as error:
        raise ClaimRefuted(
            error.message, hint=f"see the whole traceback with: {context.command('check')} --debug"
        ) from error


def _padding_tokenizer(interview: Interview) -> Any:
    """The tokenizer that pads the questions; None where they are no texts."""
    return interview.equipment.get("tokenizer") if interview.task.material == "text" else None


def _cannot_batch(interview: Interview) -> str:
    """Why there is no batch to ask; empty if there is one."""
    if len(interview.questions) < 2:
        return "the model takes one question alone"
    tokenizer = _padding_tokenizer(interview)
    if tokenizer is None:
        return ""
    if tokenizer.pad_token_id is None:
        return "the tokenizer has no pad_token, without which pipelines make no batches"
    if "attention_mask" not in interview.encoded(interview.questions[0]):
        return "the tokenizer returns no attention_mask, so that the model cannot tell what is padding"
    return ""


def _model_itself(context: CheckContext, interview: Interview) -> str:
    """That the original is not independent of padding either, or cannot be asked; empty if the port is at fault."""
    from porting.checks.batching import check_padding_left, check_padding_right

    tokenizer = _padding_tokenizer(interview)
    if tokenizer is None or interview.counts_from_mask:
        return ""
    side = "left" if interview.task.generates else tokenizer.padding_side
    if side == "left" and not interview.task.generates and interview.causal:
        return "the tokenizer pads on the left, as for generation, and a forward counts positions from the first"
    if _cause(interview)[0]:
        return ""
    try:
        (check_padding_left if side == "left" else check_padding_right)(context)
    except (Skip, Inconclusive) as reason:
        return f"padding on the {side} changes what the model itself gives: {reason.message}"
    except ClaimRefuted:
        pass
    return ""


def _cause(interview: Interview) -> tuple[str, str]:
    """What makes the batch right, in words, and what to do; without either if nothing that is tried does."""
    tokenizer = _padding_tokenizer(interview)
    if tokenizer is None:
        return "", "compare the processor's arrays of a batch with those of each sample alone"
    other = {"left": "right", "right": "left"}[tokenizer.padding_side]
    if _right_with_shared_token(interview):
        number = tokenizer.pad_token_id
        return (
            f"; with the tokenizer's pad_token_id {number} in the config it is the same",
            f"set config.pad_token_id = {number}",
        )
    if _right(interview.with_equipment(padding_side=other)):
        return (
            f"; padded on the {other} it is the same",
            f"set the tokenizer's padding_side = {other!r}, and save it",
        )
    return "", "compare model(**tokenizer(texts, padding=True)) with each text alone"


def _right(interview: Interview) -> bool:
    try:
        return not interview.batched()
    except PortingError:
        return False


def _right_with_shared_token(interview: Interview) -> bool:
    from porting.pipelines.calling import own_config

    config = interview.model.config
    number = _padding_tokenizer(interview).pad_token_id
    if getattr(config, "pad_token_id", None) == number:
        return False
    with own_config(interview.model):
        interview.model.config.pad_token_id = number
        return _right(interview)


def _differing(task: Task, wrong: Disagreement) -> str:
    if task.writes:
        return f"text for sound {wrong.question} is not what the tokenizer makes of the model's likeliest tokens"
    if task.generates:
        return f"tokens for text {wrong.question} are not those of model.generate()"
    return (
        f"answer to {task.material} {wrong.question} is not the model's own: max abs {wrong.max_abs:.3g},"
        f" and rounding explains {wrong.allowed:.2g}"
    )
