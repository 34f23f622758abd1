"""The greedy tokens of the original after a prompt, as far as their margin is beyond rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porting.behaviour.decoding import NotDecodable
from porting.behaviour.following import followed, least_margin, own_logits
from porting.behaviour.greedy import generated, prompt_of
from porting.behaviour.subject import Subject
from porting.errors import CaptureError
from porting.pretrained import is_pretrained
from porting.stubs.material import Material, Untested
from porting.stubs.replay import MOST_IN_TEST, MOST_STORED, plain_inputs, require_small, written_inputs

if TYPE_CHECKING:
    import torch

    from porting.runs import Side

TOKENS = 16
"""New tokens, at most."""


@dataclass(frozen=True)
class Continuation:
    """A prompt and the tokens with which the original goes on.

    Attributes:
        given: the arguments of ``generate``, without settings.
        tokens: the original's.
        margin: the smallest by which one of them is the likeliest.
        least: a margin that rounding could turn round; where one is below this, the tokens end.
    """

    given: Mapping[str, Any]
    tokens: tuple[int, ...]
    margin: float
    least: float

    def variables(self) -> dict[str, Any]:
        """The template's variables."""
        return {
            "prompt_scalars": plain_inputs(self.given),
            "prompt_tensors": written_inputs(self.given, MOST_IN_TEST),
            "new_tokens": len(self.tokens),
            "tokens": list(self.tokens),
            "margin": f"{self.margin:.2g}",
            "least_margin": f"{self.least:.2g}",
        }


def continuation_of(material: Material) -> Continuation:
    """How the original goes on with one row of the inputs, and the port's ``generate`` with it.

    Raises:
        Untested: the port generates no text, the original's tokens cannot be had, the first one has too low a margin,
            or the port's ``generate`` gives other ones.
        PortfileError: a function of the portfile does not keep its contract.
    """
    model = material.ported
    if not is_pretrained(model) or not model.can_generate():
        raise Untested("greedy tokens: the port has no head that generates")
    if material.original is None:
        raise Untested("greedy tokens: the original is not live, and was recorded on the given inputs only")
    original, ported = (_subject(material, side) for side in ("original", "ported"))
    try:
        reader, row = prompt_of(model, ported.inputs, TOKENS)
        own_logits(reader, reader.inputs[reader.text])
        choices = followed(material.portfile, original, ported, reader, row, TOKENS)
        least = least_margin(reader)
        tokens = generated(model, reader, TOKENS, own=True)
    except (NotDecodable, CaptureError) as error:
        raise Untested(f"greedy tokens: {error.message}") from error
    sure = next((step for step, choice in enumerate(choices) if choice.margin <= least), len(choices))
    kept = choices[: min(sure, len(tokens))]
    if not kept:
        raise Untested("greedy tokens: the first one has a margin that rounding could turn round")
    expected = [choice.token for choice in kept]
    if expected != tokens[: len(expected)]:
        raise Untested("greedy tokens: the port's generate gives other ones than the original; see: porting check")
    given = {name: value for name, value in reader.inputs.items() if "position" not in name}
    require_small(given, MOST_STORED)
    return Continuation(given, tuple(expected), min(choice.margin for choice in kept), least)


def _subject(material: Material, side: Side) -> Subject:
    model: torch.nn.Module | None = material.ported if side == "ported" else material.original
    assert model is not None
    portfile = material.portfile
    return Subject(
        side, model, portfile.inputs(side), lambda each, given: portfile.run(side, each, given), portfile.counted
    )
