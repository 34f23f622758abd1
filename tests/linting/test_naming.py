from __future__ import annotations

from pathlib import Path

import pytest

from porting.linting.naming import Naming


@pytest.mark.parametrize(
    "line",
    [
        "- src/transformers/models/bert_new/modeling_bert_new.py: copy does not match",
        "transformers.models.bert_new.modeling_bert_new is not tested",
        "src\\transformers\\models\\bert_new\\x.py",
        "\x1b[1mtests/models/bert_new/test_modeling_bert_new.py\x1b[0m",
        "model_doc/bert-new.md is not in the table",
        "model_doc/bert_new",
        "- ['BertNewModel', 'Other'] are not documented",
    ],
)
def test_a_model_is_known_by_its_folder_its_page_and_its_classes(line: str) -> None:
    (shown,) = Naming("bert_new", ["BertNewModel"]).lines(f"first\n{line}\nlast")
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "line",
    [
        "src/transformers/models/bert_new_er/modeling_bert_new_er.py",
        "src/transformers/models/bert/modeling_bert.py",
        "model_doc/bert-new-er.md",
        "BertNewModelTest",
        "No differences found for src/transformers/models/bert_new/modeling_bert_new.py.",
        "bert_new",
    ],
)
def test_other_models_are_others(line: str) -> None:
    assert Naming("bert_new", ["BertNewModel"]).lines(line) == []


def test_the_classes_are_read_from_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "modeling_first.py").write_text("class FirstModel: ...\n\n\nclass Attention: ...\n")
    (folder / "broken.py").write_text("class (")
    assert Naming.of(folder).lines("FirstModel is not tested") == ["FirstModel is not tested"]
    assert Naming.of(folder).lines("Attention of another model") == []
