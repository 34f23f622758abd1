from __future__ import annotations

from pathlib import Path

from checkouts import write

from porting.checkout import Checkout
from porting.conventions.parents import parents_of

TEST = "".join(f"    def test_something_{number}(self): ...\n" for number in range(10))


def test_parents_are_named_in_the_files_or_seen_in_the_tests(tmp_path: Path) -> None:
    models = "src/transformers/models"
    write(
        tmp_path,
        {
            "src/transformers/__init__.py": "",
            f"{models}/new/modular_new.py": (
                "from ..llama.modeling_llama import A\nfrom ..auto.modeling_auto import B\n"
            ),
            f"{models}/new/modeling_new.py": "# Copied from transformers.models.bert.modeling_bert.A with Bert->New\n",
            "tests/models/new/test_modeling_new.py": f"class NewModelTest:\n{TEST}    new = NewModel()\n",
            "tests/models/alike/test_modeling_alike.py": f"class AlikeModelTest:\n{TEST}    alike = AlikeModel()\n",
            "tests/models/other/test_modeling_other.py": "class OtherModelTest:\n    def test_it(self): ...\n",
        },
    )
    checkout = Checkout(tmp_path)
    files = sorted(checkout.model_folder("new").glob("*.py"))
    test = checkout.tests_folder("new") / "test_modeling_new.py"
    assert sorted(parents_of(checkout, "new", files, test)) == ["alike", "bert", "llama"]
    assert parents_of(checkout, "new", [], tmp_path / "missing.py") == []


def test_a_test_with_few_lines_of_another_was_not_copied(tmp_path: Path) -> None:
    few = "".join(TEST.splitlines(keepends=True)[:2])
    write(
        tmp_path,
        {
            "tests/models/new/test_modeling_new.py": f"class NewModelTest:\n{TEST}",
            "tests/models/other/test_modeling_other.py": f"class SomethingElseTest:\n{few}",
        },
    )
    checkout = Checkout(tmp_path)
    assert parents_of(checkout, "new", [], checkout.tests_folder("new") / "test_modeling_new.py") == []
