from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from porting.errors import PortfileError
from porting.tokenizers import Sample, samples_of, samples_of_file
from porting.tokenizers.corpus import CONTROL, GLUED, LARGEST_FILE, NOTED, build_corpus
from porting.tokenizers.strings import HARD


def test_the_corpus_has_every_category_and_no_text_twice_in_one() -> None:
    corpus = build_corpus(["<s>", "</s>"])
    assert set(HARD) | {CONTROL, GLUED, "very long"} <= {sample.category for sample in corpus}
    assert max(Counter(corpus).values()) == 1
    assert max(len(sample.text) for sample in corpus) == 100_000
    assert "" in [sample.text for sample in corpus]


def test_no_text_is_half_a_character() -> None:
    for sample in build_corpus(["<s>"]):
        sample.text.encode()


def test_a_text_is_not_noted_in_one_category_and_held_in_another() -> None:
    noted = {text for category in NOTED for text in HARD.get(category, ())}
    assert not noted & {text for category, texts in HARD.items() if category not in NOTED for text in texts}


def test_long_texts_come_last_and_the_users_own_first() -> None:
    corpus = build_corpus((), [Sample("mine", "first")])
    assert corpus[0] == Sample("mine", "first")
    assert [sample.category for sample in corpus].index("very long") > len(corpus) - 20


def test_a_file_gives_a_text_a_line(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_bytes("one \r\n\n\tzwei\u2028drei\n".encode())
    assert [sample.text for sample in samples_of_file(tmp_path / "texts.txt")] == ["one ", "\tzwei\u2028drei"]


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for name in ("missing", "bytes", "large", "."):
        with pytest.raises(PortfileError):
            samples_of_file(tmp_path / name)


@pytest.mark.parametrize("path", ["/dev/zero", "/", "no\x00file"])
def test_what_never_ends_is_no_text_file(path: str) -> None:
    with pytest.raises(PortfileError, match=r"is no file|cannot be read"):
        samples_of_file(path)


def test_texts_may_be_given_by_category(tmp_path: Path) -> None:
    assert samples_of(["a"]) == [Sample("your own", "a")]
    assert samples_of({"music": ("b",)}) == [Sample("music", "b")]
    for wrong in (3, [1], {"music": "b"}):
        with pytest.raises(PortfileError, match="tokenizer_corpus"):
            samples_of(wrong)
