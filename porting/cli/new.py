"""``porting new``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from porting.cli._frame import finish, progress_bar, result_options, say
from porting.text import show

if TYPE_CHECKING:
    from porting.nearest import Candidate


@click.command()
@click.argument("name")
@click.option("--original", metavar="PATH_OR_PACKAGE", help="The original's code; with :CLASS behind it, that class.")
@click.option("--like", metavar="MODEL_TYPE", help="The nearest model type of Transformers, such as llama.")
@click.option("--checkpoint", metavar="PATH", help="The original's checkpoint: a file, an index or a folder.")
@click.option("--output", metavar="FOLDER", help="The folder to write.  [default: ./NAME]")
@click.option("--python", metavar="PATH", help="The interpreter that the original runs in, if it is another one.")
@click.option("--nearest", "only_nearest", is_flag=True, help="Only show the nearest architectures; write nothing.")
@click.option("--no-run", is_flag=True, help="Run nothing of the original; its code is read, not imported.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="Seconds that each attempt to run it may take.",
)
@result_options
def command(
    name: str,
    original: str | None,
    like: str | None,
    checkpoint: str | None,
    output: str | None,
    python: str | None,
    only_nearest: bool,
    no_run: bool,
    yes: bool,
    time_limit: float,
    as_json: bool,
) -> None:
    """Write a working folder for a new port: a portfile that runs where it can, rules, and the checklist.

    NAME is the model's name as a module of Transformers: brand_new_bert. The original's code is read to find its
    model, and imported and run in a process of its own; what cannot be found out is marked in the portfile.

    \b
    Examples:
      porting new brand_new_bert
      porting new brand_new_bert --original ../repo --checkpoint ../weights/model.pt --like bert
      porting new brand_new_bert --original some_package:Model --checkpoint weights/ --like llama --yes
      porting new brand_new_bert --checkpoint ../weights --nearest
    """
    from porting.scaffold import ModelName, Request, make_scaffold
    from porting.scaffold.making import look
    from porting.scaffold.writing import refuse_existing

    if only_nearest and checkpoint is None:
        raise click.UsageError("--nearest needs a --checkpoint")
    asking = not (yes or as_json or only_nearest) and sys.stdin is not None and sys.stdin.isatty()
    model = ModelName.of(name)
    request = Request(model, like=like, output=None if output is None else Path(output), python=python)
    if only_nearest:
        finish(look(Request(model, checkpoint=Path(str(checkpoint)))), as_json=as_json)
    refuse_existing(request.folder)
    if asking:
        original = original or _ask("The original's code: a folder, a .py file or a package")
        checkpoint = checkpoint or _ask("Its checkpoint: a file or a folder")
    request = Request(
        model,
        original=original,
        like=like,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        output=request.output,
        python=python,
        run=not no_run,
        seconds=time_limit,
    )
    with progress_bar() as progress:
        made = make_scaffold(request, ask_like=_ask_like if asking else None, progress=progress)
    finish(made, as_json=as_json)


def _ask(what: str) -> str | None:
    """Ask for a text; Enter skips it."""
    said = click.prompt(f"{what} (Enter to skip)", default="", show_default=False, err=True)
    return str(said).strip() or None


def _ask_like(nearest: Sequence[Candidate]) -> str | None:
    """Ask which of the nearest model types to start from."""
    for each in nearest[:3]:
        say(f"{show(each.model_type)}: {each.statement()}")
    best = str(nearest[0].model_type)
    said = click.prompt("The model type to start from (- for none)", default=best, err=True)
    return None if str(said).strip() in ("", "-") else str(said).strip()
