"""Step 10 of the recipe: end to end, the port goes on with a text as the original does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from porting.checks.outcomes import ClaimRefuted, Figures, Inconclusive, Skip
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from porting.behaviour.decoding import Reader
    from porting.behaviour.greedy import Choice
    from porting.checks.context import CheckContext

    LogitsOf = Callable[[torch.Tensor], torch.Tensor]

STEP = 10


def check_generate_equals_greedy_loop(context: CheckContext) -> Figures:
    """The port's ``generate`` gives the tokens that its own forward makes the likeliest, one after another.

    What ``generate`` adds to the forward must change nothing: the cache, position ids and masks that it prepares. Up
    to the first step whose margin is within rounding. Settings of the generation config that choose otherwise are
    left out, and said.

    Raises:
        ClaimRefuted: a token is another one, or ``generate`` raises.
        Inconclusive: the first step already has a low margin.
        Skip: the port generates no text.
    """
    from porting.behaviour.greedy import TOKENS, generated, greedy

    reader, _ = _prompt(context)
    choices = greedy(lambda tokens: _own_logits(reader, tokens), reader.inputs[reader.text], TOKENS)
    tokens = _unless_raised(context, lambda: generated(context.ported_model, reader, TOKENS))
    return _equal(context, reader, choices, tokens, "the port's generate", "its own forward")


def check_greedy_tokens_equal(context: CheckContext) -> Figures:
    """The port's greedy tokens are the original's, until the first step with a low margin.

    Recipe step 10. The original's come from ``original_generate()`` in the portfile, against the port's own
    ``generate`` with its generation config; without that function from forwards of the live original, one for each
    token, against ``generate`` without settings that choose otherwise. A margin within rounding decides nothing.

    Raises:
        ClaimRefuted: a token is another one, or ``generate`` raises.
        Inconclusive: the first step already has a low margin.
        Skip: the port generates no text, or the original's tokens cannot be had.
    """
    from porting.behaviour.greedy import TOKENS, generated, greedy

    reader, row = _prompt(context)
    prompt = reader.inputs[reader.text]
    if "original_generate" in context.portfile.functions:
        theirs = _original_tokens(context, row, prompt)
        tokens = _unless_raised(context, lambda: generated(context.ported_model, reader, TOKENS, own=True))
        choices = _choices_along(reader, theirs)
    else:
        logits_of = _original_logits(context, reader, row)
        choices = greedy(logits_of, prompt, TOKENS)
        tokens = _unless_raised(context, lambda: generated(context.ported_model, reader, TOKENS))
    return _equal(context, reader, choices, tokens, "the port's generate", "the original")


CHECKS = (check_generate_equals_greedy_loop, check_greedy_tokens_equal)


def _prompt(context: CheckContext) -> tuple[Reader, int]:
    from porting.behaviour.decoding import NotDecodable
    from porting.behaviour.greedy import prompt_of
    from porting.errors import CaptureError
    from porting.pretrained import is_pretrained

    model = context.ported_model
    if not is_pretrained(model) or not model.can_generate():
        raise Skip("the port has no generate: it is no PreTrainedModel with a head that generates")
    try:
        reader, row = prompt_of(model, context.ported.inputs)
        _own_logits(reader, reader.inputs[reader.text])
    except (NotDecodable, CaptureError) as error:
        raise Skip(error.message) from error
    return reader, row


def _own_logits(reader: Reader, tokens: torch.Tensor) -> torch.Tensor:
    from porting.behaviour.decoding import NotDecodable
    from porting.behaviour.greedy import with_tokens

    whole = with_tokens(reader, tokens).whole()
    if "logits" not in whole:
        raise NotDecodable("the port returns no logits")
    return whole["logits"][0, -1]


def _unless_raised(context: CheckContext, run: Callable[[], list[int]]) -> list[int]:
    from porting.errors import CaptureError

    try:
        return run()
    except CaptureError as error:
        raise ClaimRefuted(error.message, hint=_mend(context)) from error


def _equal(
    context: CheckContext, reader: Reader, choices: Sequence[Choice], tokens: list[int], what: str, reference: str
) -> Figures:
    from porting.behaviour.greedy import choosing_settings, race

    least = _least_margin(context, reader)
    found = race(choices, tokens, least)
    unsure = None if found.unsure is None else choices[found.unsure]
    figures: dict[str, Any] = {
        "compared_tokens": found.compared,
        "smallest_margin": found.smallest,
        "low_margin_step": found.unsure,
        "low_margin": None if unsure is None else unsure.margin,
        "low_margin_tokens": None if unsure is None else f"{unsure.token}, {unsure.second}",
        "least_margin": least,
        "left_out": ", ".join(choosing_settings(context.ported_model)),
    }
    if found.differs is not None:
        step, choice = found.differs, choices[found.differs]
        raise ClaimRefuted(
            f"{what} differs from {reference} at new token {step}: {tokens[step]}, expected {choice.token} "
            f"(by a margin of {choice.margin:.3g} over {choice.second}; rounding explains {least:.2g})\n"
            f"  found:    {show(tokens)}\n  expected: {show([each.token for each in choices])}",
            hint=_mend(context),
            figures=figures,
        )
    if not found.compared:
        why = "it gives no new token" if unsure is None else f"the first token has a margin of {unsure.margin:.3g}"
        raise Inconclusive(
            f"{what} cannot be held against {reference}: {why}",
            hint="give inputs() a text after which the next token is plain",
            figures=figures,
        )
    return figures


def _least_margin(context: CheckContext, reader: Reader) -> float:
    """A margin that rounding could turn round: both logits may move by what the port's outputs may."""
    from porting.behaviour import Subject
    from porting.runs import Inputs

    inputs = Inputs(kwargs=reader.inputs)
    subject = Subject(
        "ported", context.ported_model, inputs, lambda model, given: given.forward(model), lambda _: None
    )
    return 2 * subject.allowance("logits", reader.whole()["logits"]).atol


def _original_tokens(context: CheckContext, row: int, prompt: torch.Tensor) -> list[int]:
    from porting.behaviour.greedy import TOKENS, new_tokens
    from porting.errors import PortfileError

    inputs = _row_of(context.original.inputs.fresh(), row)
    returned = context.portfile.call("original_generate", context.original_model, inputs.as_given(), TOKENS)
    try:
        return new_tokens(returned, prompt)
    except (ValueError, TypeError, RuntimeError) as error:
        raise PortfileError(f"original_generate() must return ids: {show(error, 200)}") from error


def _choices_along(reader: Reader, tokens: Sequence[int]) -> list[Choice]:
    """The original's tokens, each with the margin that it has in the port over the likeliest other one."""
    import torch

    from porting.behaviour.greedy import Choice

    prompt = reader.inputs[reader.text]
    found: list[Choice] = []
    for token in tokens:
        logits = _own_logits(reader, prompt).double()
        if not 0 <= token < len(logits):
            return [*found, Choice(token, int(logits.argmax()), math.inf)]  # a token that the port does not have
        others = logits.clone()
        others[token] = -torch.inf
        found.append(Choice(token, int(others.argmax()), abs(float(logits[token] - others.max()))))
        prompt = torch.cat([prompt, prompt.new_tensor([[token]])], dim=1)
    return found


def _original_logits(context: CheckContext, reader: Reader, row: int) -> LogitsOf:
    """The original's logits after some tokens, from a forward of it on what the port's inputs correspond to."""
    import torch

    from porting.behaviour.greedy import with_tokens
    from porting.errors import CaptureError
    from porting.probes.deriving import Underivable, derive
    from porting.runs import Inputs

    given = _row_of(context.original.inputs, row)
    named = {name: value for name, value in reader.inputs.items() if isinstance(value, torch.Tensor)}

    def logits_of(tokens: torch.Tensor) -> torch.Tensor:
        longer = with_tokens(reader, tokens)
        try:
            inputs = derive(given, named, {name: longer.inputs[name] for name in named}, set())
            returned = context.original.result(inputs)
        except (Underivable, CaptureError) as error:
            raise Skip(f"the original cannot be given a longer text: {error}; write original_generate()") from error
        port = context.ported.result(Inputs(kwargs=longer.inputs))
        found = _counterpart(context, returned, port, tuple(longer.whole()["logits"].shape))
        return found[0, -1].detach().cpu()

    return logits_of


def _counterpart(context: CheckContext, original: Any, ported: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """What the original returns for the port's logits.

    Raises:
        Skip: nothing says which it is.
    """
    from porting.behaviour.subject import named_tensors

    pairs = context.portfile.pair_outputs(original, ported)
    if pairs is None:
        pairs = [(name, tensor, tensor) for name, tensor in named_tensors(original).items()]
    fitting = [one for _, one, other in pairs if tuple(one.shape) == tuple(other.shape) == shape]
    if len(fitting) != 1:
        raise Skip(f"{len(fitting)} outputs of the original have the shape of the port's logits; write outputs()")
    return fitting[0]


def _row_of(inputs: Any, row: int) -> Any:
    from porting.reruns.batching import rows_of

    try:
        return rows_of(inputs)[row]
    except ValueError:
        return inputs


def _mend(context: CheckContext) -> str:
    return f"mend prepare_inputs_for_generation, the cache or the generation config, then: {context.command('check')}"
