"""Step 5 of the recipe: the class can be built from its defaults, and begins with weights of its own making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.wording import listed, named_all
from porting.text import show, size_words

if TYPE_CHECKING:
    from porting.checks.shared.context import CheckContext

STEP = 5
MOST_BUILT = 1 << 30
"""Bytes up to which a default model is built with its data where there is no other way."""


def check_default_config_builds(context: CheckContext) -> Figures:
    """The config has a default for everything, and the class builds from the defaults, on ``meta`` and on the cpu.

    Recipe step 5. A default of more than 128 MB is built on the cpu without its data: its constructor runs, and no
    memory is taken.

    Raises:
        ClaimRefuted: the config or the class cannot be made.
        Skip: the port is no ``PreTrainedModel``, its config is made of others and says that it has no defaults, or it
            came with Transformers as it is.
    """
    from porting.behaviour.starting import bytes_of
    from porting.errors import PortingError
    from porting.weights.checking import build_on_meta

    kind = _kind(context)
    made = type(context.config)
    if getattr(made, "has_no_defaults_at_init", False):
        raise Skip(f"{show(made.__name__)} says that it has no defaults (has_no_defaults_at_init)")
    hint = f"give every argument of the config a default that builds a model, then: {context.command('check')}"
    try:
        config = made()
    except Exception as error:
        raise ClaimRefuted(
            f"{show(made.__name__)}() raised {type(error).__name__}: {show(error, 300)}", hint=hint
        ) from error
    try:
        model = build_on_meta(kind, config)
        size = bytes_of(model)
        how = _on_the_cpu(kind, config, size)
    except PortingError as error:
        if names := _left_open(config, context.config):
            raise Skip(f"the defaults leave open what every model says for itself: {named_all(names)}") from error
        _unless_accepted(kind, error.message)
        raise ClaimRefuted(f"from its defaults: {error.message}", hint=hint) from error
    return {"parameters": sum(each.numel() for each in model.parameters()), "size": size_words(size), "cpu": how}


def check_init_covers_weights(context: CheckContext) -> Figures:
    """``_init_weights`` gives a value to every parameter, and to every buffer that is not saved.

    Recipe step 5, "random init only in ``_init_weights``": a model is loaded without memory, so that what the
    constructor computed is lost and what a file lacks is whatever was in memory. Clean loading reports say nothing
    of it.

    Raises:
        ClaimRefuted: a tensor is never written.
        Skip: the port is no ``PreTrainedModel``, too large to be built once more, or came with Transformers as it is.
    """
    from porting.behaviour.starting import random_tensors, without_start
    from porting.errors import PortingError

    kind, config = _small(context)
    hint = f"write it in _init_weights, with transformers.initialization; then: {context.command('check')}"
    try:
        left = [f"  {show(name)} {words}" for name, words in without_start(kind, config)]
        parameters, random = random_tensors(kind, config)
    except PortingError as error:
        raise ClaimRefuted(error.message, hint=hint) from error
    figures: dict[str, Any] = {"parameters": parameters, "random": random, "left": len(left)}
    if left:
        head = f"{left[0].strip()}; {len(left)} tensors have no start"
        _unless_accepted(kind, left[0].strip())
        raise ClaimRefuted(f"{head}\n{listed(left)}", hint=hint, figures=figures)
    return figures


def check_init_keeps_loaded(context: CheckContext) -> Figures:
    """``_init_weights`` does not write over weights that a file brought.

    ``module.weight.data.normal_()`` does, as older guides show it: in a file of Transformers the weights that were
    loaded are silently random again. The functions of ``transformers.initialization`` do not.

    Raises:
        ClaimRefuted: a loaded weight is written over.
        Skip: the port is no ``PreTrainedModel``, too large to be built once more, or came with Transformers as it is.
    """
    from porting.behaviour.starting import overwritten
    from porting.errors import PortingError

    kind, config = _small(context)
    hint = f"use init.normal_(module.weight, …) of transformers.initialization, then: {context.command('check')}"
    try:
        names = overwritten(kind, config)
    except PortingError as error:
        raise ClaimRefuted(error.message, hint=hint) from error
    figures: Figures = {"written_over": len(names)}
    if names:
        lines = [f"  {show(name)}" for name in names]
        _unless_accepted(kind, f"{show(names[0])} is initialised again")
        head = f"{show(names[0])} is initialised again though it is loaded; {len(names)} weights are"
        raise ClaimRefuted(f"{head}\n{listed(lines)}", hint=hint, figures=figures)
    return figures


CHECKS = (check_default_config_builds, check_init_covers_weights, check_init_keeps_loaded)


def _kind(context: CheckContext) -> Any:
    """The port's class."""
    from porting.pretrained import is_pretrained

    if not is_pretrained(context.ported_structure):
        raise Lacking(
            "the port is no PreTrainedModel, so Transformers neither builds it from a config nor initialises it"
        )
    named = "ported_class" in context.portfile.functions
    return context.portfile.ported_class() if named else type(context.ported_structure)


def _unless_accepted(kind: Any, what: str) -> None:
    """What came with Transformers is as Transformers has accepted it.

    Raises:
        Skip: the class did.
    """
    from porting.conventions.files import is_shipped, modeling_file

    path = modeling_file(kind)
    if path is not None and is_shipped(path):
        raise Skip(f"{show(path.name)} came with Transformers, which has accepted it: {what}")


def _left_open(default: Any, own: Any) -> list[str]:
    """The settings that are None by default and a number in the port's own config."""
    from porting.inputs.settings import settings_of

    given = settings_of(own)
    empty = [name for name, value in settings_of(default).items() if value is None and "token" not in name]
    return [name for name in empty if type(given.get(name)) is int]


def _small(context: CheckContext) -> tuple[Any, Any]:
    """The class and its config, of a size to be built a few times.

    Raises:
        Skip: it is too large.
    """
    from porting.behaviour.starting import bytes_of

    kind, config = _kind(context), context.config
    size = bytes_of(context.ported_structure)
    if size > MOST_BUILT:
        raise Lacking(f"its weights take {size_words(size)}, too much to be built once more: give a smaller config()")
    return kind, config


def _on_the_cpu(kind: Any, config: Any, size: int) -> str:
    """Build it, and say how."""
    from porting.behaviour.starting import MOST_BYTES, build
    from porting.errors import PortingError

    if size <= MOST_BYTES:
        build(kind, config, data=True)
        return "built"
    try:
        build(kind, config, data=False)
    except PortingError as error:
        if size > MOST_BUILT:
            return f"not built, for its size: {error.message}"
        build(kind, config, data=True, start=False)
        return "built, its weights not initialised for their size"
    return "built without data, for its size"
