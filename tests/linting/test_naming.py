from __future__ import annotations

import time
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
        "{'other', 'bert_new'} appear(s) inside the folder, but not in the table",
        "`bert_new` appears in the mapping `MODEL_MAPPING_NAMES`",
        "should be included in src/models/__init__.py: other,bert_new.",
        "Missing dates in the following model cards: other.md bert_new.md",
        "- bert_new",
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
        "a model such as bert_new is nothing to speak of",
        "OtherConfig: ['bert_new', 'mask']",
        "- bert_new_er",
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


def test_what_stands_below_a_line_belongs_to_it() -> None:
    said = """
Found in src/transformers/models/second/x.py:
    - theirs line 1
Found in src/transformers/models/first/x.py:
    - mine line 2

nothing of it
- theirs again
"""
    assert Naming("first").lines(said) == ["Found in src/transformers/models/first/x.py:", "- mine line 2"]


def test_of_a_shown_diff_only_what_changes_is_told() -> None:
    said = """
Differences between the generated code and src/transformers/models/first/x.py:

  1 --- src/transformers/models/first/x.py_generated
  2 +++ src/transformers/models/first/x.py
  3 @@ -1,3 +1,3 @@
  4  class FirstModel:
  5 -    right = 1
  6 +    wrong = 1
  7
"""
    assert Naming("first", ["FirstModel"]).lines(said)[1:] == ["5 -    right = 1", "6 +    wrong = 1"]


def test_a_name_alone_is_told_under_its_heading() -> None:
    said = "ValueError: these have no checkpoint:\nFirstConfig\nSecondConfig\n"
    assert Naming("first", ["FirstConfig"]).lines(said) == ["ValueError: these have no checkpoint: FirstConfig"]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("src/transformers/models/second/x.py", True),
        ("these are not in the init: SecondModel", True),
        ("models in diff:\n - second", True),
        ("these are not in the init: FirstModel", False),
        ("models in diff:\n - first", False),
        ("models/auto is not sorted", False),
        ("Attention and AutoModel are common words", False),
        ("nothing", False),
    ],
)
def test_other_models_are_known_by_the_folders_beside(text: str, others: bool, tmp_path: Path) -> None:
    for name, words in {"first": "FirstModel", "second": "SecondModel", "auto": "AutoModel"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "modeling.py").write_text(f"class {words}:\n    pass\n\n\nclass Attention:\n    pass\n")
    assert Naming.of(tmp_path / "first").names_others(text) is others


@pytest.mark.parametrize("line", ["[" * 200_000, "[x " * 60_000, ": a," * 50_000, "'first " * 50_000, "a." * 100_000])
def test_a_line_without_an_end_is_read_in_no_time(line: str) -> None:
    began = time.monotonic()
    assert Naming("first", ["FirstModel"]).lines(line) == []
    assert time.monotonic() - began < 5
