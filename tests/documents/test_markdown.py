from __future__ import annotations

import pytest

from porting.documents.markdown import Harmless, code, render, words
from porting.errors import GenerationError

HOSTILE = (
    "<script>alert(1)</script>",
    "`; rm -rf / `` ``` @someone #1",
    "| a | b |",
    "line\n---\n# heading",
    "[x](javascript:alert(1)) ![](https://example.org/pixel)",
    "--> <!-- porting: facts end -->",
    "\u202egnp.exe",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_code_span_is_one_line_with_nothing_that_ends_it(value: str) -> None:
    span = code(value)
    ticks = len(span) - len(span.lstrip("`"))
    inside = span[ticks:-ticks]
    assert "\n" not in span
    assert span.isprintable()
    assert "`" * ticks not in inside.replace("`" * (ticks - 1), "") or ticks == 1
    assert inside.count("|") == inside.count("\\|")


@pytest.mark.parametrize("value", HOSTILE)
def test_words_have_no_mark_that_means_something(value: str) -> None:
    assert not set(words(value)) & set("<>`|#[]@!*_~:/\\&\n")


def test_a_template_takes_nothing_that_went_through_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    import jinja2

    source = jinja2.DictLoader({"x": "{{ given }}"})
    monkeypatch.setattr("jinja2.PackageLoader", lambda *_: source)
    assert render("x", given=Harmless("a")) == "a"
    with pytest.raises(GenerationError, match="as it is"):
        render("x", given="a")
