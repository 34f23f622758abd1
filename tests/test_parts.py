from __future__ import annotations

from porting.parts import Part, parts_left


def test_parts_are_found_with_their_lines() -> None:
    text = "# Card\n[[you: what it is for]]\n\n- [[you: licence]] and [[you: language]]\n[[link]]"
    assert parts_left(text) == (Part(2, "what it is for"), Part(4, "licence"), Part(4, "language"))
    assert parts_left("nothing [here](link)") == ()
