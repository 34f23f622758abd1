"""What comes first in a checkout of Transformers: its own command writes the skeleton, with its own traps."""

from __future__ import annotations

import shlex
from importlib.util import find_spec

from porting.checkout import Checkout
from porting.scaffold.naming import ModelName
from porting.text import show

COMMAND = "transformers add-new-model-like"
NEEDED = "libcst"
"""What the command cannot do without, and Transformers is installed without."""


def skeleton_advice(checkout: Checkout, name: ModelName, like: str | None) -> tuple[str, ...]:
    """What to do about the skeleton of a model, in sentences.

    Args:
        checkout: in which the model is added.
        name: of the model.
        like: the model type that is nearest, if one is known.
    """
    folder = checkout.model_folder(name.snake)
    where = folder.relative_to(checkout.root)
    old = "its tests are copies, so the other model's checkpoint ids and expected values may still be in them"
    if folder.is_dir():
        own = "" if like in (None, name.snake) else " Without --like, the port is its own class."
        return (f"The skeleton is there, in {where}; {old}: porting check tests_are_own finds them.{own}",)
    begin = like or "the nearest one: porting new NAME --checkpoint PATH --nearest"
    needed = () if find_spec(NEEDED) else (f"  it needs {NEEDED}, which is not here: pip install {NEEDED}",)
    return (
        "You are in a checkout of Transformers, whose own command writes the skeleton; it asks, and has no options:",
        f"  cd {shlex.quote(show(checkout.root))} && {COMMAND}",
        *needed,
        f"  the model to start from: {begin}",
        f"  the new model's name, and how its page shows it: {name.snake}, {name.camel}",
        "  a new tokenizer or processor: no, unless the original has one that Transformers does not",
        f"Then the model is in {where}, and {old}: porting check tests_are_own finds them.",
    )
