"""Greedy generation: the likeliest token after a text, again and again, and the margin by which it is that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from porting.behaviour.decoding import NotDecodable, Reader
from porting.errors import CaptureError
from porting.hooks.preserving import preserved, seed_everything
from porting.inputs.roles import role_of
from porting.inputs.settings import most_positions, settings_of
from porting.quieting import quiet
from porting.reruns.batching import rows_of
from porting.runs import Inputs
from porting.text import show

TOKENS = 8
"""New tokens that are generated."""
CHOOSING: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (1.0,), "encoder_repetition_penalty": (1.0,), "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,), "bad_words_ids": (), "min_length": (0,), "min_new_tokens": (0,),
    "forced_bos_token_id": (), "forced_eos_token_id": (), "forced_decoder_ids": (), "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],), "sequence_bias": (), "exponential_decay_length_penalty": (),
    "guidance_scale": (1.0,),
}  # fmt: skip
"""Settings of a generation config that change which token is taken, and the values beside None that do not."""


@dataclass(frozen=True)
class Choice:
    """The likeliest token at one step.

    Attributes:
        token: it.
        second: the next likeliest.
        margin: how much larger its logit is than that of the second.
    """

    token: int
    second: int
    margin: float


@dataclass(frozen=True)
class Race:
    """Tokens held against greedy choices, up to the first that rounding could turn round.

    Attributes:
        compared: steps before that.
        unsure: the step with the low margin; None: there is none.
        differs: the first step at which the tokens are others; None: none is.
        smallest: the smallest margin among the compared ones; None without any.
    """

    compared: int
    unsure: int | None
    differs: int | None
    smallest: float | None


def race(choices: Sequence[Choice], tokens: Sequence[int], least: float) -> Race:
    """Compare step by step.

    Args:
        choices: of the reference.
        tokens: that are held against them; those after an end are missing.
        least: a margin below this says nothing.
    """
    steps = list(zip(choices, tokens, strict=False))
    unsure = next((step for step, (choice, _) in enumerate(steps) if choice.margin <= least), None)
    sure = steps if unsure is None else steps[:unsure]
    differs = next((step for step, (choice, token) in enumerate(sure) if choice.token != token), None)
    margins = [choice.margin for choice, _ in sure]
    return Race(len(sure) if differs is None else differs, unsure, differs, min(margins, default=None))


def prompt_of(model: torch.nn.Module, inputs: Inputs, count: int = TOKENS) -> tuple[Reader, int]:
    """The row of the inputs with the most tokens that count, and which one it is; cut where no room would be left.

    Args:
        model: that reads it.
        inputs: of several rows.
        count: new tokens for which there has to be room.

    Raises:
        CaptureError: the forward raised.
        NotDecodable: the model reads no text, or looks ahead in it, or the row is padded on the right.
    """
    whole = Reader.of(model, inputs)
    valid = whole.valid
    row = 0 if valid is None else int(valid.sum(1).argmax())
    try:
        one = rows_of(Inputs(kwargs=whole.inputs), valid)[row]
    except ValueError:
        one, row = Inputs(kwargs=whole.inputs), 0
    reader = Reader.of(model, one)
    if len(reader.inputs[reader.text]) != 1:
        raise NotDecodable("the rows of the inputs cannot be told apart")
    if reader.valid is not None and not bool(reader.valid[:, -1].all()):
        raise NotDecodable("every row of the text is padded on the right, where it would go on")
    most = most_positions(settings_of(getattr(model, "config", None)))
    if most is not None and reader.length + count > most:
        reader = with_tokens(reader, reader.inputs[reader.text][:, : max(1, min(reader.length, most - count))])
    if reader.looks_ahead():
        raise NotDecodable(
            "a later token changes what the port returns for an earlier one: it does not go on with texts"
        )
    return reader, row


def with_tokens(reader: Reader, tokens: torch.Tensor) -> Reader:
    """The same inputs for a text that goes on, or ends before: masks, positions and types go with it."""
    changed = {name: _fitted(name, reader.inputs[name], tokens.shape[1]) for name in reader.along}
    return dataclasses.replace(reader, inputs={**reader.inputs, **changed, reader.text: tokens})


def _fitted(name: str, value: torch.Tensor, length: int) -> torch.Tensor:
    more = length - value.shape[1]
    if more <= 0:
        return value[:, :length]
    last = value[:, -1:]
    counts = role_of(name, value) == "positions" or "position" in name
    steps = torch.arange(1, more + 1, device=value.device, dtype=value.dtype) if counts else 0
    return torch.cat([value, last.expand(-1, more) + steps], dim=1)


def greedy(logits_of: Callable[[torch.Tensor], torch.Tensor], prompt: torch.Tensor, count: int) -> list[Choice]:
    """Go on with a text by the likeliest token.

    Args:
        logits_of: the logits (vocabulary) after tokens (1, length).
        prompt: int64 (1, length).
        count: how many tokens.
    """
    found: list[Choice] = []
    for _ in range(count):
        (first, second), (one, other) = logits_of(prompt).double().topk(2)
        found.append(Choice(int(one), int(other), float(first - second)))
        prompt = torch.cat([prompt, prompt.new_tensor([[int(one)]])], dim=1)
    return found


def generated(model: Any, reader: Reader, count: int, *, own: bool = False) -> list[int]:
    """The tokens that ``generate`` adds to a prompt, greedily.

    Args:
        model: left as it was found.
        reader: the prompt, of one row.
        count: how many at most.
        own: by the model's own ``generate`` and generation config; else by Transformers' plain one, with no setting
            that changes which token is taken.

    Raises:
        CaptureError: it raised.
    """
    from transformers import GenerationConfig, GenerationMixin

    prompt = reader.inputs[reader.text]
    given = {name: value for name, value in reader.inputs.items() if "position" not in name}
    with preserved(model), torch.no_grad(), quiet():
        seed_everything(0)
        try:
            if own:
                tokens = model.generate(**given, max_new_tokens=count, do_sample=False, num_beams=1)
            else:
                model.generation_config = GenerationConfig(**_plain(model, prompt))
                tokens = GenerationMixin.generate(model, **given, max_new_tokens=count, do_sample=False, num_beams=1)
        except Exception as error:
            text = f"the port's generate raised {type(error).__name__}: {show(error, 300)}"
            raise CaptureError(text, side="ported") from error
    return new_tokens(tokens, prompt)


def new_tokens(returned: Any, prompt: torch.Tensor) -> list[int]:
    """The first row of what a ``generate`` returned, without the prompt that it may begin with.

    Args:
        returned: ids as a tensor or lists, with or without a batch axis; or an output that holds ``sequences``.
        prompt: int64 (1, length).

    Raises:
        ValueError: it is something else.
    """
    ids = torch.as_tensor(getattr(returned, "sequences", returned)).detach().cpu().long()
    if ids.dim() not in (1, 2):
        raise ValueError(f"ids have one or two axes, and these have the shape {tuple(ids.shape)}")
    row: list[int] = (ids[0] if ids.dim() == 2 else ids).tolist()
    given: list[int] = prompt[0].tolist()
    return row[len(given) :] if row[: len(given)] == given else row


def choosing_settings(model: Any) -> list[str]:
    """The settings of a model's generation config that change which token is taken."""
    config = getattr(model, "generation_config", None)
    values = {name: getattr(config, name, None) for name in CHOOSING}
    return [name for name, value in values.items() if value is not None and value not in CHOOSING[name]]


def _plain(model: Any, prompt: torch.Tensor) -> dict[str, Any]:
    """No token ends a text, so that all are seen; a decoder begins with the first of the prompt."""
    padding = getattr(getattr(model, "generation_config", None), "pad_token_id", None)
    return {"pad_token_id": padding, "decoder_start_token_id": int(prompt[0, 0])}
