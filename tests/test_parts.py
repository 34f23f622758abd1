from __future__ import annotations

from pathlib import Path

import pytest

from porting.parts import Part, as_json, part, parts_left, parts_of, with_filled


def test_parts_are_found_with_their_lines() -> None:
    text = "# Card\n[[you: what it is for]]\n\n- [[you: licence]] and [[you: language]]\n[[link]]"
    assert parts_left(text) == (Part(2, "what it is for"), Part(4, "licence"), Part(4, "language"))
    assert parts_left("nothing [here](link)") == ()


def test_what_a_person_wrote_into_a_line_stays_when_the_file_is_made_anew() -> None:
    rendered = "Original: [[you: the link]]\nvalue = 2\n# [[you: more]]\n"
    existing = "Original: https://example.org\nvalue = 1\nmore\n"
    assert with_filled(rendered, existing) == "Original: https://example.org\nvalue = 2\n# [[you: more]]\n"
    assert with_filled(rendered, rendered) == rendered
    assert with_filled(rendered, existing + existing) == rendered


def test_parts_of_several_files_come_with_their_file() -> None:
    files: dict[Path, str | bytes] = {Path("a.py"): "# [[you: one]]\n", Path("b.bin"): b"[[you: two]]"}
    assert [as_json(*each) for each in parts_of(files)] == [{"file": "a.py", "line": 1, "what": "one"}]


@pytest.mark.parametrize("what", ["the name", "a [list] of\nlines", "]]", 'quotes """ and {{ 7 }}', "x" * 1000])
def test_a_mark_of_any_text_is_one_part_on_one_line(what: str) -> None:
    found = part(what)
    assert "\n" not in found
    assert len(parts_left(found)) == 1
