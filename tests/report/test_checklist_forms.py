from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from evidenced import CLAIMS, add, complete, empty_port
from markdown_it import MarkdownIt

from porting.checklist import Checklist, make_checklist, tick
from porting.recipe import STEPS
from porting.report.checklist import render_step
from porting.report.checklist_github import workflow_commands
from porting.report.checklist_markdown import MOST_LINES, checklist_markdown
from porting.report.checklist_markdown import text as as_markdown
from porting.report.checklist_page import checklist_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from markdown_it.token import Token

HOSTILE = (
    "a | b `c` **d** <script>alert(1)</script> <!-- [x](http://e.vil) ![y](z) @someone #12 &lt; ~~s~~ $m$ _u_ %0A \\"
)
BREAKING = "\n::error::x\r\n## h\n| a | b |\n\n```\n\x1b[31m\u202e\x00 ::set-output name=a::b %0A ##[error]"


@pytest.fixture
def half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checklist:
    """Steps 1 to 6 and half of 7 done, something failed, ticked and missing."""
    monkeypatch.chdir(tmp_path)
    portfile = empty_port(tmp_path)
    later = [name for name, claim in CLAIMS.items() if claim.step > 7]
    complete(portfile, "check_norms_equal", "check_positions_equal", "check_weights_used", "left-out", *later)
    add(portfile, "check_weights_used", "lacking", "the portfile has no rules()")
    add(portfile, "check_norms_equal", "failed", "layers.0.norm has eps 1e-05, the original's is 1e-12\nmore")
    for claim in CLAIMS.values():
        if claim.step == 9:
            add(portfile, claim.name, "not applicable", "the model has no tokenizer", by="Ada")
    tick(portfile, "special-tests", "Ada", "tests/test_window.py")
    return make_checklist(portfile)


@pytest.fixture
def hostile(tmp_path: Path) -> Checklist:
    """Every text that comes from elsewhere is hostile."""
    portfile = empty_port(tmp_path, f"MODEL_NAME = {HOSTILE!r}\n")
    add(portfile, "check_norms_equal", "failed", f"{HOSTILE}{BREAKING}")
    add(portfile, "check_eval_mode", "passed", **{f"{HOSTILE}{BREAKING}": f"{HOSTILE}{BREAKING}"})
    add(portfile, f"check_{HOSTILE}{BREAKING}", "passed")
    (tmp_path / "left | <b>.md").write_text("[[you: a | b <b>]]")
    tick(portfile, "theory", f"{HOSTILE}{BREAKING}", f"{HOSTILE}{BREAKING}")
    return make_checklist(portfile)


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def test_a_half_done_port_fits_into_30_lines(half_done: Checklist) -> None:
    lines = checklist_markdown(half_done).splitlines()
    assert len(lines) <= MOST_LINES
    assert "step 7, **failed**: norms_equal: layers.0.norm has eps 1e-05, the original's is 1e-12" in "\n".join(lines)
    assert "step 8, special-tests: ticked by Ada: tests/test_window.py" in "\n".join(lines)
    assert max(map(len, lines)) < 700


def test_a_port_of_which_nothing_is_done_fits_too(tmp_path: Path) -> None:
    assert len(checklist_markdown(make_checklist(empty_port(tmp_path))).splitlines()) <= MOST_LINES


def test_markdown_is_a_table_of_14_steps_and_two_lists(half_done: Checklist) -> None:
    tokens = parsed(checklist_markdown(half_done))
    assert sum(token.type == "tr_open" for token in tokens) == 15
    assert [token.type for token in tokens].count("heading_open") == 1
    assert [token.type for token in tokens].count("bullet_list_open") == 2


def test_hostile_texts_stay_text_in_markdown(hostile: Checklist) -> None:
    text = checklist_markdown(hostile)
    tokens = list(flat(parsed(text)))
    assert sum(token.type == "tr_open" for token in tokens) == 15
    assert sum(token.type == "td_open" for token in tokens) == 14 * 6
    assert not {"link_open", "image", "s_open", "em_open", "fence", "html_block", "hr"} & {
        token.type for token in tokens
    }
    html = {token.content for token in tokens if token.type == "html_inline"}
    assert html <= {"<!-- -->", "<sub>", "</sub>"}
    assert [token.type for token in tokens].count("heading_open") == 1
    assert not re.search(r"[@#]\w", text.replace("http://e.vil", ""))
    assert text.isprintable() or not {c for c in text if not c.isprintable()} - {"\n"}


def test_a_link_in_a_reason_stays_a_link() -> None:
    link = "https://github.com/huggingface/transformers/issues/123#issuecomment-1"
    assert as_markdown(f"agreed in {link}, see #3 or GH-4") == f"agreed in {link}, see #<!-- -->3 or GH<!-- -->-4"
    assert as_markdown("https://a.b/c|d") == "https://a.b/c\\|d"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_texts_stay_text_in_html(hostile: Checklist) -> None:
    page = checklist_page(hostile)
    tags = Tags()
    tags.feed(page)
    assert not {"script", "b", "img", "a", "link", "iframe"} & tags.found
    assert tags.attributes <= {"lang", "charset", "name", "content", "class", "id", "data-state", "open"}
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http://e.vil", "")
    assert not {c for c in page if not c.isprintable()} - {"\n"}


def test_the_page_shows_every_claim_and_what_a_person_said(half_done: Checklist) -> None:
    page = checklist_page(half_done)
    assert all(f"<code>{name}</code>" in page for name in CLAIMS)
    assert "ticked by Ada: tests/test_window.py" in page
    assert page.count("<details") == len(STEPS)
    assert '<details id="step-7" data-state="failed" open>' in page


def test_annotations_name_what_failed_and_are_one_line_each(half_done: Checklist) -> None:
    lines = list(workflow_commands(half_done))
    assert lines[0].startswith("::error title=Step 7%2C failed%3A check_norms_equal::layers.0.norm has eps")
    assert lines[-1].startswith("::notice title=Porting checklist::not complete")
    assert len(lines) == 2


def test_hostile_texts_are_no_workflow_commands(hostile: Checklist) -> None:
    lines = list(workflow_commands(hostile))
    for line in lines:
        assert re.fullmatch(r"::(error|notice) title=[^:,\n\r]+::[^\n\r]*", line)
        assert "##[" not in line
    assert any("%250A" in line for line in lines)


def test_annotations_are_no_more_than_github_shows(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    for claim in CLAIMS.values():
        if claim.kind == "program":
            add(portfile, claim.name, "failed", "no")
    errors = [line for line in workflow_commands(make_checklist(portfile)) if line.startswith("::error")]
    assert len(errors) == 10
    assert "more" in errors[-1]


@pytest.mark.parametrize("width", [80, 140])
def test_the_terminal_shows_what_is_not_done_and_folds_the_rest(half_done: Checklist, width: int) -> None:
    lines = half_done.text(width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < 60
    text = "\n".join(lines)
    assert "failed  norms_equal: layers.0.norm has eps 1e-05" in text
    assert "longer_sequences, padded_sequences, other_inputs and" in text
    assert "check_outputs_equal" not in text
    assert "Next: porting check norms_equal" in text
    assert "or all that a program can do: porting checklist --run" in text


def test_what_is_folded_says_where_it_is_shown(half_done: Checklist, tmp_path: Path) -> None:
    from porting.portfile import Portfile

    portfile = Portfile.load(tmp_path / "portfile.py")
    for number, claim in enumerate(claim for claim in CLAIMS.values() if claim.step == 8 and claim.kind == "program"):
        add(portfile, claim.name, "failed", f"reason {number}")
    text = make_checklist(portfile).text(100)
    assert re.search(r"and \d+ more: porting checklist --step 8", text)


def test_one_step_is_shown_with_all_that_is_known_of_it(half_done: Checklist) -> None:
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as captured:
        console.print(render_step(half_done, 7))
    text = captured.get()
    assert all(name in text for name, claim in CLAIMS.items() if claim.step == 7)
    assert "speaks of code.py" in text
    assert "next: porting check norms_equal" in text
    assert "compared 3" in text


def test_hostile_texts_reach_the_terminal_as_text(hostile: Checklist) -> None:
    text = hostile.text(200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "not in the recipe, and not counted" in text


def test_many_ticks_are_all_shown(tmp_path: Path) -> None:
    portfile = empty_port(tmp_path)
    people = [name for name, claim in CLAIMS.items() if claim.kind == "person"]
    for number, name in enumerate(people):
        tick(portfile, name, "Ada", f"reason {number}")
    text = checklist_markdown(make_checklist(portfile))
    assert len(text.splitlines()) <= MOST_LINES
    assert all(f"ticked by Ada: reason {number}" in text for number in range(len(people)))


def test_an_empty_checklist_has_no_origin(tmp_path: Path) -> None:
    checklist = make_checklist(empty_port(tmp_path))
    assert "There is no evidence yet." in checklist_markdown(checklist)
    shown: dict[str, Any] = checklist.to_dict()
    assert shown["evidence"]["time"] is None
