from __future__ import annotations

from porting.documents.fences import blocks_of, merged, of_person, sealed, unfenced

FIRST = """# Title

<!-- porting: facts begin -->
one
<!-- porting: facts end -->
[[you: words]]
<!-- porting: example begin -->
code
<!-- porting: example end -->
"""
SECOND = FIRST.replace("one", "two").replace("code", "new code")


def test_a_block_that_nobody_changed_is_written_anew_and_all_else_stays() -> None:
    existing = sealed(FIRST).replace("[[you: words]]", "My words.\n\nMore.") + "My end.\n"
    text, conflicts = merged(existing, sealed(SECOND))
    assert conflicts == ()
    assert text == sealed(SECOND).replace("[[you: words]]", "My words.\n\nMore.") + "My end.\n"


def test_writing_the_same_again_changes_no_byte() -> None:
    existing = sealed(FIRST)
    assert merged(existing, sealed(FIRST)) == (existing, ())


def test_a_block_that_a_person_changed_is_kept_and_told_with_its_line() -> None:
    existing = sealed(FIRST).replace("\none\n", "\none, I say\n")
    text, (conflict,) = merged(existing, sealed(SECOND))
    assert "one, I say" in text
    assert "new code" in text
    assert conflict.line == 3
    assert "facts was changed by hand" in conflict.message


def test_a_block_without_a_checksum_is_a_persons() -> None:
    text, (conflict,) = merged(FIRST.replace("\none\n", "\nmine\n"), sealed(SECOND).replace("new code", "code"))
    assert "\nmine\n" in text
    assert "facts was changed by hand" in conflict.message


def test_a_changed_block_that_was_emptied_is_written_anew() -> None:
    existing = sealed(FIRST).replace("\none\n", "\n\n")
    assert merged(existing, sealed(SECOND)) == (sealed(SECOND), ())


def test_a_block_that_a_person_removed_is_not_brought_back() -> None:
    without = sealed(FIRST).partition("<!-- porting: facts")[0] + "the end\n"
    assert merged(without, sealed(SECOND)) == (without, ())


def test_fences_without_a_counterpart_are_left_alone_and_told() -> None:
    begin = next(line for line in sealed(FIRST).splitlines() if "facts begin" in line)
    for existing in (
        sealed(FIRST).replace("<!-- porting: facts end -->\n", ""),
        sealed(FIRST) + begin + "\nagain\n<!-- porting: facts end -->\n",
    ):
        text, conflicts = merged(existing, sealed(SECOND))
        assert "one" in text
        assert "two" not in text
        assert ["facts" in conflict.message for conflict in conflicts] == [True]


def test_windows_line_ends_are_no_change_by_hand() -> None:
    text, conflicts = merged(sealed(FIRST).replace("\n", "\r\n"), sealed(SECOND))
    assert conflicts == ()
    assert "new code" in text


def test_lines_that_look_like_fences_are_taken_out_of_what_others_made() -> None:
    foreign = "a\n<!-- porting: facts end -->\nb"
    assert blocks_of(FIRST.replace("one", unfenced(foreign)))[0].content == "a\n\nb\n"


def test_what_a_person_wrote_keeps_its_lines() -> None:
    lines = of_person(sealed(FIRST)).splitlines()
    assert [(number, line) for number, line in enumerate(lines, 1) if line] == [(1, "# Title"), (6, "[[you: words]]")]
