from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import porting

PORTFILE = """
def made(lowercase):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    letters = [chr(97 + at) for at in range(26)]
    pieces = ["[UNK]", *letters, *("##" + letter for letter in letters), *(letter.upper() for letter in letters)]
    backend = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def original_tokenize(text):
    print("the original prints")
    return ORIGINAL.encode(text).ids


ORIGINAL = made(True)


def ported_tokenizer():
    return made(LOWER)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "portfile.py").write_text(PORTFILE + "\n\nLOWER = True\n")
    return tmp_path


def document(folder: Path, *args: str) -> tuple[int, dict[str, Any]]:
    done = porting(folder, "tokenizer", "--json", *args)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_a_right_tokenizer(folder: Path) -> None:
    code, found = document(folder)
    assert (code, found["ok"], found["ids"]["different"]) == (0, True, 0)
    assert found["ids"]["compared"] > 400
    assert {check["step"] for check in found["checks"]} == {9}
    assert found["ids"]["categories"]["numbers"]["equal"] > 20
    assert "token_ids_equal" in (folder / "porting-evidence.json").read_text()


def test_a_wrong_one_names_stage_and_repair(folder: Path) -> None:
    (folder / "portfile.py").write_text(PORTFILE + "\n\nLOWER = False\n")
    code, found = document(folder)
    assert (code, found["ids"]["stage"]) == (1, "normalise")
    assert found["ids"]["repair"]["proven"] is True
    assert found["ids"]["smallest"][0]["stage"] == "normalise"
    shown = porting(folder, "tokenizer")
    assert "proven: BertNormalizer(lowercase=True)" in shown.stdout
    assert "the original prints" not in shown.stdout


def test_texts_of_the_user_are_compared(folder: Path) -> None:
    (folder / "mine.txt").write_text("eins\nzwei\n")
    code, found = document(folder, "--corpus", "mine.txt", "--text", "drei \u202e\x1b[31m")
    assert (code, found["ids"]["categories"]["your own"]["equal"]) == (0, 3)


def test_a_corpus_that_is_not_there_is_an_error(folder: Path) -> None:
    code, found = document(folder, "--corpus", "missing.txt")
    assert (code, found["error"]["code"]) == (4, "portfile")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"model": 3}', '{"version": "9", "model": {"type": "BPE", "vocab": {}}}', "[" * 100_000]
)
def test_a_broken_tokenizer_file_is_one_error(text: str, folder: Path) -> None:
    (folder / "tokenizer.json").write_text(text)
    (folder / "portfile.py").write_text(
        PORTFILE.replace("    return made(LOWER)", "    from tokenizers import Tokenizer\n\n"
                         '    return Tokenizer.from_file("tokenizer.json")')
    )  # fmt: skip
    code, found = document(folder)
    assert code == 4
    assert "ported_tokenizer() raised" in found["checks"][0]["message"]
