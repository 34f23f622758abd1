"""Generated tests of tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generated import failures_of, generate, ruff_findings
from pairs.catalogue import build
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from porting.portfile import Portfile
from porting.stubs.checkpoint import weights_of

WORDS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "hello", "world", "##s", "the", "a", "of", "b", "##b", "é", "."]
SAVE = "ported_tokenizer().save_pretrained({!r})."
HOSTILE = '"""\nimport os\nos.system("touch marker")\n'


def tokenizer(lower: bool = True) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    found = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    found.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=False)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    found.add_special_tokens(["[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    return found


def ported(lower: bool = True) -> Any:
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer(lower), **names)


def original_tokenize(text: str) -> list[int]:
    return list(tokenizer().encode(text).ids)


def test_a_tokenizer_has_a_test_with_the_originals_ids(tmp_path: Path) -> None:
    generated = generate(build("vit"), tmp_path, original_tokenize=original_tokenize, ported_tokenizer=ported)
    (path,) = (path for path in generated.tests if "tokenization" in path.name)
    results = json.loads((tmp_path / "tests/fixtures/some_model/expected_results_tokenization.json").read_text())
    texts = [each["text"] for category in results["results"].values() for each in category]
    assert len(texts) > 30
    assert "[CLS]" in " ".join(texts)
    for each in results["results"]["plain"]:
        assert each["ids"] == original_tokenize(each["text"])
    assert failures_of(path, load_tokenizer=lambda self: ported()) == []
    assert failures_of(path, load_tokenizer=lambda self: ported(lower=False))
    assert ruff_findings(tmp_path) == ""


def test_a_tokenizer_that_differs_or_is_not_there_has_none(tmp_path: Path) -> None:
    functions: dict[str, Any] = {
        "original_tokenize": original_tokenize,
        "ported_tokenizer": lambda: ported(lower=False),
    }
    generated = generate(build("vit"), tmp_path, **functions)
    assert not [path for path in generated.files if "tokenization" in path.name]
    assert any("tokenizer: the port gives other ids for" in text for text in generated.skipped)
    generated = generate(build("vit"), tmp_path, original_tokenize=original_tokenize)
    assert "tokenizer: the portfile has no ported_tokenizer()" in generated.skipped


def test_texts_of_a_tokenizer_are_data(tmp_path: Path) -> None:
    def hostile() -> Any:
        found = ported()
        found.add_special_tokens({"extra_special_tokens": [HOSTILE]})
        return found

    def tokenize(text: str) -> list[int]:
        return list(hostile()(text)["input_ids"])

    generated = generate(build("vit"), tmp_path, original_tokenize=tokenize, ported_tokenizer=hostile)
    assert all("os.system" not in path.read_text(encoding="utf-8") for path in generated.tests)
    results = json.loads((tmp_path / "tests/fixtures/some_model/expected_results_tokenization.json").read_text())
    assert any(HOSTILE in each["text"] for each in results["results"]["control tokens"])
    assert failures_of(generated.tests[1], load_tokenizer=lambda self: hostile()) == []


def test_a_tokenizer_that_is_not_beside_the_weights_is_to_be_saved(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    functions = {name: lambda: None for name in ("original_tokenize", "ported_tokenizer", "ported_processor")}
    portfile = Portfile(tmp_path / "portfile.py", {"checkpoint": lambda: "weights", **functions}, {})
    (lacks,) = weights_of(portfile).left
    assert lacks == f"The folder of the weights lacks what ported_tokenizer() returns: {SAVE.format(str(folder))}"
    ported().save_pretrained(folder)
    assert weights_of(portfile).left == ()
