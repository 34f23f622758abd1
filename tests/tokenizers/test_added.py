from __future__ import annotations

import pytest

from porting.tokenizers.added import Added, added_by

TEXTS = [(20 + at, 3 * at, 7 + at % 5) for at in range(40)]


@pytest.mark.parametrize(
    "added", [Added(), Added((1,)), Added((), (2,)), Added((1,), (2,)), Added((1, 5), (2, 2))], ids=str
)
def test_what_surrounds_every_text_is_seen(added: Added) -> None:
    answers = [(*added.before, *ids, *added.after) for ids in TEXTS]
    assert added_by(answers) == added
    assert [added.without(ids) for ids in answers] == TEXTS


def test_an_empty_text_and_a_few_others_do_not_hide_it() -> None:
    answers = [(1, *ids, 2) for ids in TEXTS] + [(), (1, 2), (9, 9)]
    assert added_by(answers) == Added((1,), (2,))
    assert Added((1,), (2,)).without((1, 2)) == ()
    assert Added((1,), (2,)).without((9, 9)) == (9, 9)


def test_of_a_few_texts_nothing_is_said() -> None:
    assert not added_by([(1, 5, 2), (1, 6, 2)])
