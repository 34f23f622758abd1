"""The option of commands that read checkpoints: a pickle that may run code, named by its sha256."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def pickle_code_option(function: F) -> F:
    """Give a command ``--allow-pickle-code SHA256``, None by default."""
    return click.option(
        "--allow-pickle-code",
        metavar="SHA256",
        callback=_sha256,
        help="Load a pickle that is no plain state dict by running its code, if its sha256 is this.",
    )(function)


def _sha256(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise click.BadParameter("a sha256 has 64 hexadecimal digits; sha256sum FILE prints it")
    return value
