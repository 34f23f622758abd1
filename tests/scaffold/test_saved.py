from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from porting.scaffold.saved import read_saved


def values_beside(folder: Path, *names: str) -> dict[str, object]:
    torch.save({"weight": torch.ones(2, 3)}, folder / "model.pt")
    for number, name in enumerate(names):
        (folder / name).write_text(json.dumps({"num_heads": number}))
    return dict(read_saved(folder / "model.pt").values)


@pytest.mark.parametrize("name", ["config.json", "bert_config.json", "gpt_hparams.json", "train_args.yml"])
def test_settings_are_read_from_the_config_file_beside_the_weights(tmp_path: Path, name: str) -> None:
    assert values_beside(tmp_path, name, "tokenizer_config.json", "preprocessor_config.json") == {"num_heads": 0}


def test_a_usual_name_comes_first_and_of_two_unusual_ones_none_is_taken(tmp_path: Path) -> None:
    assert values_beside(tmp_path, "small_config.json", "large_config.json") == {}
    assert values_beside(tmp_path, "small_config.json", "params.json") == {"num_heads": 1}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, (False, "")),
        ({"vocab.json": {}}, (False, "vocab.json")),
        ({"vocab.json": {}, "tokenizer_config.json": {"do_lower_case": True}}, (False, "vocab.json")),
        ({"vocab.json": {}, "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}}, (True, "")),
        ({"vocab.txt": {}, "config.json": {"model_type": "bert"}}, (True, "")),
        ({"vocab.txt": {}, "tokenizer.json": {}}, (True, "")),
    ],
)
def test_a_tokenizer_is_told_from_a_vocabulary_of_no_kind(
    tmp_path: Path, files: dict[str, dict[str, object]], found: tuple[bool, str]
) -> None:
    torch.save({"weight": torch.ones(2, 3)}, tmp_path / "model.pt")
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    saved = read_saved(tmp_path)
    assert (saved.tokenizer, saved.vocabulary) == found
    alone = read_saved(tmp_path / "model.pt")
    assert (alone.tokenizer, alone.vocabulary) == (False, "")
