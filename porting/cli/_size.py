"""A number of bytes on the command line."""

from __future__ import annotations

import re
from typing import Any

import click

from porting.text import show

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


class Size(click.ParamType[int]):
    """Bytes, with or without a unit: ``500000``, ``500kB``, ``2GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes that a text stands for."""
        found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)", str(value).strip().lower())
        if found is None or found[2] not in UNITS:
            self.fail(f"{show(repr(value))} is not a size, such as 500MB or 2GiB", param, ctx)
        return int(float(found[1]) * UNITS[found[2]])
