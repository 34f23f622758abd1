from __future__ import annotations

import time

from porting.tokenizers.minimising import SECONDS, shortest


def test_the_shortest_text_is_left() -> None:
    assert shortest("one two three four" * 20, lambda text: "e t" in text) == "e t"
    assert shortest("abcdef", lambda text: {"b", "e"} <= set(text)) == "be"
    assert shortest("x", lambda text: True) == "x"


def test_a_slow_question_is_asked_for_a_while_only() -> None:
    started = time.perf_counter()

    def slow(text: str) -> bool:
        time.sleep(0.05)
        return len(text) > 9_990

    found = shortest("a" * 10_000, slow)
    assert len(found) > 9_990
    assert time.perf_counter() - started < SECONDS + 2
