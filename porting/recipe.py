"""The recipe of "How to add a model to Transformers": its 14 steps, and what a program can verify of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verified = Literal["program", "partly", "person"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is so or not, and that a program can find out.

    Attributes:
        name: unique in the recipe; evidence refers to it.
        text: what is claimed.
        command: the command of ``porting`` that finds out.
    """

    name: str
    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recipe.

    Attributes:
        number: from 1 to 14.
        title: what is to be done.
        verified: by a ``program``, ``partly`` by one, or by a ``person``.
        claims: what a program verifies of it.
        left: what the claims leave to a person, for a step that is verified partly.
        optional: whether a port is complete without it.
    """

    number: int
    title: str
    verified: Verified = "person"
    claims: tuple[Claim, ...] = ()
    left: str = ""
    optional: bool = False


STEPS = (
    Step(1, "Understand the model, and what is new in it", optional=True),
    Step(2, "Set up the development environment of Transformers"),
    Step(3, "Set up the original repository so that it can be debugged"),
    Step(
        4,
        "Run the original's forward with its checkpoint",
        "program",
        (
            Claim("original-runs", "a trace of the original's forward exists", "verify"),
            Claim("original-in-eval-mode", "no module of the original is in training mode", "verify"),
            Claim("original-repeats", "a second run gives the same bits", "capture --side original --repeat 2"),
        ),
    ),
    Step(5, "Write the model's skeleton in Transformers"),
    Step(
        6,
        "Convert the checkpoint",
        "partly",
        (
            Claim("names-and-shapes", "every weight of the port is in the checkpoint, with its shape", "weights"),
            Claim("values", "every tensor of the port has the value that the rules give it", "weights --audit"),
            Claim("converted", "the converted checkpoint loads cleanly, with these values", "convert OUTPUT"),
        ),
        left="what the rules leave out is rightly left out",
    ),
    Step(
        7,
        "Get the original's output from the port's forward",
        "program",
        (
            Claim("outputs-equal", "the outputs equal the original's", "verify"),
            Claim("layers-equal", "every module equals its counterpart up to rounding", "verify"),
        ),
    ),
    Step(
        8,
        "Add the model's tests",
        "partly",
        (Claim("integration-test", "an integration test with the original's values is written", "tests"),),
        left="the common model tests, and tests of what is special in this model",
    ),
    Step(9, "Port the tokenizer"),
    Step(10, "Run end-to-end integration tests, also on a GPU"),
    Step(11, "Write docstrings and the doc page"),
    Step(12, "Upload the weights to the Hub, with a model card each"),
    Step(13, "Write a notebook", optional=True),
    Step(14, "Open the pull request"),
)
