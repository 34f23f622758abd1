"""The command line: ``porting COMMAND``.

A command's module is imported when the command runs, so that ``porting --help`` imports neither torch nor
transformers.
"""

from __future__ import annotations

import signal
from importlib import import_module

import click

from porting.cli._frame import guarded, hide_bars, open_missing_streams, silence_stdout, terminate

COMMANDS = {
    "demo": "See a real port proven right, and a seeded bug found.",
    "new": "Write a working folder for a new port.",
    "verify": "Prove that a port is the same model as its original, or name the modules that differ.",
    "capture": "Record what a model does: every module call, with its tensors.",
    "compare": "Compare two recorded traces.",
    "weights": "Check a checkpoint's names and shapes against the ported class.",
    "convert": "Convert a checkpoint to a folder that from_pretrained loads.",
    "check": "Check the claims of the add-a-model recipe on a port.",
    "tokenizer": "Hold the port's tokenizer and chat template against the original's.",
    "tests": "Write an integration test with values from the original.",
    "write": "Write the doc page, the model card and the pull request's text.",
    "recorder": "Print the file that records a model where porting cannot be installed.",
    "checklist": "Show the recipe's 14 steps: what is done, on what evidence, and what comes next.",
}


class _LazyGroup(click.Group):
    """Knows its commands' names and one-line helps; imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"porting.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} The commands are: {', '.join(COMMANDS)}.", ctx) from None


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 verified, 1 a difference, 2 usage, 3 inconclusive, 4 could not run, 5 a bug in porting.",
)
@click.version_option(package_name="porting", message="%(prog)s %(version)s")
def group() -> None:
    """Prove that a model re-implemented in Transformers is the same model as the original.

    Start with `porting demo`, or write a portfile.py and run `porting verify`.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    open_missing_streams()
    hide_bars()
    signal.signal(signal.SIGTERM, terminate)
    try:
        guarded(group)
    finally:
        silence_stdout()
