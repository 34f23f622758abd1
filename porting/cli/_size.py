"""A number of bytes on the command line."""

from __future__ import annotations

from typing import Any

import click

from porting.text import bytes_of


class Size(click.ParamType[int]):
    """Bytes, with or without a unit: ``500000``, ``500kB``, ``2GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes that a text stands for."""
        try:
            return bytes_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
