"""``porting recorder``."""

from __future__ import annotations

from importlib.resources import files

import click


@click.command()
def command() -> None:
    """Print the file that records a model where porting cannot be installed.

    It is one file of its own: Python 3.7 and NumPy, and torch for torch models. What it writes is read here, by
    `porting compare` or as the portfile's ORIGINAL_TRACE.

    \b
    Examples:
      porting recorder > record.py
    """
    click.echo((files("porting") / "recorder.py").read_text(encoding="utf-8"), nl=False)
