"""The original's greedy tokens after the port's prompt, with the margins by which they are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from porting.behaviour.decoding import NotDecodable, Reader
from porting.behaviour.greedy import Choice, greedy, new_tokens, with_tokens
from porting.behaviour.subject import Subject, named_tensors
from porting.errors import CaptureError, PortfileError
from porting.probes.deriving import Underivable, derive
from porting.reruns.batching import rows_of
from porting.runs import Inputs
from porting.text import show

if TYPE_CHECKING:
    from porting.portfile import Portfile


def followed(
    portfile: Portfile, original: Subject, ported: Subject, reader: Reader, row: int, count: int
) -> list[Choice]:
    """How the original goes on with a prompt: by ``original_generate()`` of the portfile, else by forwards of it, one
    for each token.

    Args:
        portfile: of both models.
        original: live.
        ported: the port, which finds the place of the logits among the outputs.
        reader: the port before its prompt, of one row.
        row: which one of the inputs it is.
        count: how many tokens.

    Raises:
        NotDecodable: the original cannot be given a longer text, or which of its outputs are the logits is open.
        PortfileError: a function of the portfile does not keep its contract.
    """
    prompt = reader.inputs[reader.text]
    if "original_generate" not in portfile.functions:
        return greedy(_logits_of(portfile, original, ported, reader, row), prompt, count)
    inputs = _corresponding(original, ported, reader, row)
    returned = portfile.call("original_generate", original.model, inputs.fresh().as_given(), count)
    try:
        tokens = new_tokens(returned, prompt)
    except (ValueError, TypeError, RuntimeError) as error:
        raise PortfileError(f"original_generate() must return ids: {show(error, 200)}") from error
    return _along(reader, tokens)


def own_logits(reader: Reader, tokens: torch.Tensor) -> torch.Tensor:
    """The port's logits (vocabulary) after some tokens.

    Raises:
        NotDecodable: it returns none.
    """
    whole = with_tokens(reader, tokens).whole()
    if "logits" not in whole:
        raise NotDecodable("the port returns no logits")
    return whole["logits"][0, -1]


def least_margin(reader: Reader) -> float:
    """A margin that rounding could turn round: both logits may move by what the port's outputs may."""
    return 2 * reader.subject.allowance("logits", reader.whole()["logits"]).atol


def _along(reader: Reader, tokens: Sequence[int]) -> list[Choice]:
    """The original's tokens, each with the margin that it has in the port over the likeliest other one."""
    prompt = reader.inputs[reader.text]
    found: list[Choice] = []
    for token in tokens:
        logits = own_logits(reader, prompt).double()
        if not 0 <= token < len(logits):
            return [*found, Choice(token, int(logits.argmax()), math.inf)]  # a token that the port does not have
        others = logits.clone()
        others[token] = -torch.inf
        found.append(Choice(token, int(others.argmax()), abs(float(logits[token] - others.max()))))
        prompt = torch.cat([prompt, prompt.new_tensor([[token]])], dim=1)
    return found


def _logits_of(
    portfile: Portfile, original: Subject, ported: Subject, reader: Reader, row: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The original's logits after some tokens, from a forward of it on what the port's inputs correspond to."""

    def logits_of(tokens: torch.Tensor) -> torch.Tensor:
        longer = with_tokens(reader, tokens)
        try:
            returned = original.result(_corresponding(original, ported, longer, row))
        except CaptureError as error:
            text = f"the original cannot be given a longer text: {error}; write original_generate()"
            raise NotDecodable(text) from error
        port = ported.result(Inputs(kwargs=longer.inputs))
        found = _counterpart(portfile, returned, port, tuple(longer.whole()["logits"].shape))
        return found[0, -1].detach().cpu()

    return logits_of


def _corresponding(original: Subject, ported: Subject, reader: Reader, row: int) -> Inputs:
    """The original's inputs for what the port reads: its given row, or that with a text of another length.

    Raises:
        NotDecodable: they cannot be made of the port's.
    """
    given = _row_of(original.inputs, row)
    whole = Reader.of(ported.model, _row_of(ported.inputs, row))
    if whole.length == reader.length:
        return given
    named = {name: value for name, value in whole.inputs.items() if isinstance(value, torch.Tensor)}
    try:
        return derive(given, named, {name: reader.inputs[name] for name in named}, set())
    except Underivable as error:
        text = f"the original cannot be given a text of another length: {error}"
        raise NotDecodable(text) from error


def _counterpart(portfile: Portfile, original: Any, ported: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """What the original returns for the port's logits."""
    pairs = portfile.pair_outputs(original, ported)
    if pairs is None:
        pairs = [(name, tensor, tensor) for name, tensor in named_tensors(original).items()]
    fitting = [one for _, one, other in pairs if tuple(one.shape) == tuple(other.shape) == shape]
    if len(fitting) != 1:
        raise NotDecodable(
            f"{len(fitting)} outputs of the original have the shape of the port's logits; write outputs()"
        )
    return fitting[0]


def _row_of(inputs: Inputs, row: int) -> Inputs:
    try:
        return rows_of(inputs)[row]
    except ValueError:
        return inputs
