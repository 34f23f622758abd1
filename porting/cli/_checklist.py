"""What ``porting checklist`` was asked for: which options go together, and where the checklist goes."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from porting.cli._frame import console, emit_json, say
from porting.errors import OutputError
from porting.text import show

if TYPE_CHECKING:
    from porting.checklist import Checklist
    from porting.portfile import Portfile
    from porting.recipe import Claim

SUMMARY = "GITHUB_STEP_SUMMARY"
PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="porting checklist">"""
OURS = (b"### Porting checklist: ", PAGE)
"""How every file begins that is written, so that no other one is replaced."""


@dataclass(frozen=True)
class Wanted:
    """The options of the command, without ``--portfile``."""

    run: bool
    everything: bool
    step: int | None
    markdown: bool
    html: bool
    github: bool
    output: str | None
    check: bool
    tick: str | None
    aside: str | None
    untick: str | None
    by: str | None
    reason: str | None
    as_json: bool

    def require_sense(self) -> None:
        """Require options that go together.

        Raises:
            click.UsageError: they do not.
        """
        forms = {"--markdown": self.markdown, "--html": self.html, "--json": self.as_json}
        forms |= {"--github": self.github, "--step": self.step is not None}
        words = {"--tick": self.tick, "--not-applicable": self.aside, "--untick": self.untick}
        said = {name: value is not None for name, value in words.items()}
        _at_most_one(forms)
        _at_most_one({**said, "--run": self.run})
        named = self.tick is not None or self.aside is not None
        if named and not ((self.by or "").strip() and (self.reason or "").strip()):
            raise click.UsageError("what a person says needs a name and a reason: --by NAME --reason TEXT")
        _needs(
            "--by and --reason", given=not named and bool(self.by or self.reason), what="--tick or --not-applicable"
        )
        _needs("--all", given=self.everything and not self.run, what="--run")
        written = self.output is not None and not (self.markdown or self.html)
        _needs("--output", given=written, what="--markdown or --html")
        if self.github and not os.environ.get(SUMMARY):
            raise click.UsageError(f"--github is for GitHub Actions, which sets {SUMMARY}; it is not set here")

    def keep_word(self, portfile: Portfile) -> tuple[int, ...]:
        """Keep, or take back, what a person says; the steps that it is about.

        Raises:
            TickError: it cannot be said of this claim.
            EvidenceError: the evidence file is damaged.
            OutputError: the evidence cannot be written.
        """
        from porting.checklist import set_aside, tick, untick

        by, reason = self.by or "", self.reason or ""
        words = ""
        claims: tuple[Claim, ...] = ()
        if self.tick is not None:
            words, claims = "ticked by hand", (tick(portfile, self.tick, by, reason),)
        if self.aside is not None:
            words, claims = "not applicable, by hand", set_aside(portfile, self.aside, by, reason)
        if self.untick is not None:
            words, claims = "taken back", untick(portfile, self.untick)
        if claims:
            say(f"{words}: {', '.join(claim.name for claim in claims)}")
        return tuple(dict.fromkeys(claim.step for claim in claims))

    def show(self, checklist: Checklist, said: tuple[int, ...] = ()) -> None:
        """Print or write the checklist in the form that is wanted.

        Args:
            checklist: of the port.
            said: the steps that a person said something about: in the terminal no others are shown.

        Raises:
            OutputError: a file cannot be written, or is something else.
        """
        if self.as_json:
            emit_json(checklist.to_dict())
        elif self.step is not None:
            from porting.report.checklist import render_step

            console().print(render_step(checklist, self.step), crop=False)
        elif self.github:
            self._annotate(checklist)
        elif self.markdown or self.html:
            self._publish(self._document(checklist))
        elif said:
            from porting.report.checklist import render_steps

            console().print(render_steps(checklist, said), crop=False)
        else:
            console().print(checklist, crop=False)

    def _document(self, checklist: Checklist) -> str:
        from porting.report.checklist_markdown import checklist_markdown
        from porting.report.checklist_page import checklist_page

        return checklist_page(checklist) if self.html else checklist_markdown(checklist)

    def _publish(self, document: str) -> None:
        from porting.atomic import write_text

        if self.output is None:
            console().out(document, end="", highlight=False)
            return
        path, hint = Path(self.output), "name another file: --output FILE"
        try:
            other = os.path.lexists(path) and (path.is_symlink() or not path.is_file() or not _is_ours(path))
        except OSError as error:
            raise OutputError(f"cannot write {show(path)}: {error.strerror}", hint=hint) from None
        if other:
            raise OutputError(f"{show(path)} exists and is no checklist, so it is not replaced", hint=hint)
        write_text(path, document)
        say(f"wrote {show(path)}")

    def _annotate(self, checklist: Checklist) -> None:
        from porting.report.checklist_github import workflow_commands
        from porting.report.checklist_markdown import checklist_markdown

        path = Path(os.environ[SUMMARY])
        try:
            if path.is_fifo():  # which would wait for somebody who reads
                raise OSError(errno.ESPIPE, "it is a pipe")
            with path.open("a", encoding="utf-8") as file:
                file.write(checklist_markdown(checklist))
        except OSError as error:
            raise OutputError(
                f"the step summary {show(path)} cannot be written: {error.strerror}",
                hint=f"{SUMMARY} names a file that can be written, as in GitHub Actions",
            ) from None
        for line in workflow_commands(checklist):
            console().out(line, highlight=False)


def _at_most_one(given: dict[str, bool]) -> None:
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} do not go together")


def _needs(option: str, *, given: bool, what: str) -> None:
    if given:
        raise click.UsageError(f"{option}: only with {what}")


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(300).startswith(OURS)
