"""``porting tokenizer``."""

from __future__ import annotations

import click

from porting.cli._frame import common_options, finish, progress_bar, say


@click.command()
@click.option("--corpus", metavar="FILE", help="Also compare the lines of a text file.")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Also compare this text; may be repeated.")
@common_options
def command(portfile: str, as_json: bool, corpus: str | None, texts: tuple[str, ...]) -> None:
    """Hold the port's tokenizer and chat template against the original's.

    Asks `original_tokenize(text)` and `ported_tokenizer()` for the ids of some thousand hard texts. Where they differ,
    names the stage that differs first (normalise, pre-tokenise, merge, vocabulary, special tokens), the shortest such
    text, and the change under which they agree, if one was found by trying.

    \b
    Examples:
      porting tokenizer
      porting tokenizer --corpus hard-texts.txt
      porting tokenizer --text "Hello  world" --json | jq .ids.stage
    """
    from porting.checks import CheckContext, record_checks
    from porting.checks.running.tokenizer_report import report_tokenizers
    from porting.checks.shared.tokenizing import TEXTS
    from porting.portfile import Portfile
    from porting.report.detail import shown
    from porting.tokenizers import Sample, samples_of_file

    own = [Sample("your own", text) for text in texts] + (samples_of_file(corpus) if corpus else [])
    context = CheckContext(Portfile.load(portfile, both_sides=False))
    context.shared(TEXTS, lambda: own)
    with progress_bar() as progress:
        report = report_tokenizers(context, progress=progress)
    if warning := record_checks(context, report.checks):
        say(warning)
    with shown(portfile=portfile):
        finish(report, as_json=as_json)
