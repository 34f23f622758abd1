"""What all commands share: options, where output goes, progress, and how errors become messages and exit codes."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from porting.accidents import Accident
from porting.errors import PortingError
from porting.evidence.circumstances import typed

if TYPE_CHECKING:
    from rich.console import Console

    from porting.progress import Progress
    from porting.results import Result

INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143
WIDTH = 140
"""Columns of a table that is not printed to a terminal, so that no path is cut."""

_results: TextIO | None = None


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--portfile`` (the command gets ``portfile``) and what `result_options` adds."""
    portfile = click.option("--portfile", default="portfile.py", show_default=True, help="The file to read.")
    return portfile(result_options(function))


def result_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` (the command gets ``as_json``) and ``--debug``, which `guarded` reads.

    While the command runs, everything but its result goes to stderr: prints of the user's code, also of C code.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else there.")
    @click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _stdout_for_results():
            return function(*args, **kwargs)

    return wrapped


def finish(result: Result, *, as_json: bool) -> NoReturn:
    """Print a result, or its JSON document, and exit with its code."""
    if as_json:
        emit_json(result.to_dict())
    else:
        console().print(result, crop=False)
    raise click.exceptions.Exit(result.exit_code)


def emit_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    stream = _results or sys.stdout
    stream.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    stream.flush()


def console() -> Console:
    """A console for results, on stdout."""
    from rich.console import Console

    class ResultConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = _results or sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "0") != "0" else WIDTH
    return ResultConsole(file=stream, width=width, highlight=False, soft_wrap=False)


def say(text: str) -> None:
    """Print a message or a hint on stderr, also where the user's code closed the stream; if all is closed, nowhere."""
    try:
        if sys.stderr is None or sys.stderr.closed:
            os.write(2, f"{text}\n".encode(errors="backslashreplace"))
        else:
            print(text, file=sys.stderr)  # noqa: T201 - the one place that prints messages
    except BrokenPipeError:
        raise
    except OSError:
        return


def debugging(arguments: Sequence[str] | None = None) -> bool:
    """Whether tracebacks are wanted: ``--debug`` is among the arguments, or ``PORTING_DEBUG=1`` is set."""
    given = sys.argv[1:] if arguments is None else arguments
    return "--debug" in given or os.environ.get("PORTING_DEBUG") == "1"


def say_traceback(error: BaseException) -> None:
    """Print where an exception came from, on stderr."""
    say("".join(traceback.format_exception(error)).rstrip())


@contextmanager
def progress_bar(*, sizes: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr; silent where that is not a terminal.

    Args:
        sizes: what is counted are bytes: show them, and the time that is left.
    """
    from porting.progress import silent

    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    amounts = (DownloadColumn(), TimeRemainingColumn()) if sizes else ()
    columns = (TextColumn("{task.description}"), BarColumn(), *amounts, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1)
        yield lambda text, done, total: bar.update(
            task, description=text, completed=min(done, total), total=max(total, 1)
        )


class Terminated(KeyboardInterrupt):
    """SIGTERM: everything is cleaned up as after Ctrl-C."""


def terminate(*_: object) -> NoReturn:
    """The handler of SIGTERM."""
    raise Terminated


def guarded(command: click.Command, arguments: list[str] | None = None) -> NoReturn:
    """Run a command; every error becomes one message and the exit code of its kind."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with typed(["porting", *arguments]):
            code = _outcome(command, arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout.flush()
        code = BROKEN_PIPE
    sys.exit(code)


def open_missing_streams() -> None:
    """Have what was closed when the program was started (``>&-``) lead nowhere: no other file may get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def hide_bars() -> None:
    """Have other libraries draw progress bars on a terminal only, as this one does; to be called before they load."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def silence_stdout() -> None:
    """Send what exit handlers and the buffers of C code still print to stderr."""
    with suppress(OSError):
        os.dup2(2, 1)


def _outcome(command: click.Command, arguments: list[str]) -> int:
    """Run a command; click's own ``main`` would exit with 1 for a broken pipe."""
    try:
        with command.make_context("porting", list(arguments)) as context:
            command.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        raise
    except BaseException as error:
        return _report(error, arguments)
    return 0


def _report(error: BaseException, arguments: list[str]) -> int:
    kind, message, hint, code = _described(error)
    if "--json" in arguments:
        document = {"schema": 1, "error": {"code": kind, "message": message, "hint": hint}}
        _try_to_emit(error.to_dict() if isinstance(error, PortingError) else document)
    if debugging(arguments):
        say_traceback(error)
    say(message if isinstance(error, click.exceptions.NoArgsIsHelpError) else f"Error: {message}")
    if hint:
        say(f"Hint: {hint}")
    return code


def _try_to_emit(document: dict[str, Any]) -> None:
    """Print the document of an error, which may be that nothing can be printed: then the message must do."""
    try:
        emit_json(document)
    except BrokenPipeError:
        raise
    except OSError:
        return


def _described(error: BaseException) -> tuple[str, str, str, int]:
    """Code, message, hint and exit code of an error."""
    if isinstance(error, PortingError):
        return error.code, error.message, error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        code = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        return "interrupted", "interrupted before there was a result", "", code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return "usage", error.format_message(), "", 2
    if isinstance(error, click.UsageError):
        context = error.ctx.command_path if error.ctx else "porting"
        return "usage", error.format_message(), f"see: {context} --help", 2
    if isinstance(error, click.ClickException):
        return "usage", error.format_message(), "", 2
    accident = Accident.of(error)
    return accident.code, accident.message, accident.hint, accident.exit_code


@contextmanager
def _stdout_for_results() -> Iterator[None]:
    """Keep stdout for the result: file descriptor 1 leads to stderr meanwhile."""
    global _results
    _flush_stdout()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as stream:
        _results = stream
        os.dup2(2, 1)
        try:
            yield
        finally:
            _flush_stdout()
            os.dup2(stream.fileno(), 1)
            _results = None


def _flush_stdout() -> None:
    """Write what is buffered, unless the user's code closed the stream."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()
