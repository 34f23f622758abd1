from __future__ import annotations

from pathlib import Path

import pytest
from walk.document import Call, Command, Definitions, Diff, DocumentError, defined, parts
from walk.likeness import unlike
from walk.updating import shortened, with_output

DOCUMENT = """\
# A page

```console
$ ls
a.py

$ cat a.py
…
```

<!-- walk: begin -->

```diff
--- a.py
 x = 1
-y = 2
+y = 3
@@
-z = 4
```

```python
# a.py
def f():
    return 1
```

```python
not_run = "as its first line names no file"
```
"""


def test_a_document_is_read_as_commands_edits_and_calls_in_order() -> None:
    ls, cat, call, diff, definitions = parts(DOCUMENT)
    assert ls == Command(4, "ls", ("a.py",))
    assert cat == Command(7, "cat a.py", ("…",))
    assert call == Call(11, "begin")
    assert diff == Diff(13, "a.py", (("x = 1\ny = 2\n", "x = 1\ny = 3\n"), ("z = 4\n", "")))
    assert definitions == Definitions(22, "a.py", "def f():\n    return 1")


def test_a_diff_changes_what_is_there_once(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\ny = 2\nz = 4\n")
    Diff(1, "a.py", (("y = 2\n", "y = 3\n"), ("z = 4\n", ""))).apply(tmp_path)
    assert file.read_text() == "x = 1\ny = 3\n"
    with pytest.raises(DocumentError, match=r"line 1: a\.py has this 0 times"):
        Diff(1, "a.py", (("y = 2\n", "y = 3\n"),)).apply(tmp_path)


def test_definitions_replace_those_of_the_same_names_and_are_added_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(
        "from functools import cache\n\nNAME = 1\n\n\n@cache\ndef f():\n    return 0\n\n\ndef g():\n    return f()\n"
    )
    Definitions(1, "a.py", "import os\n\n\ndef f():\n    return 1\n\n\nOTHER = 2").apply(tmp_path)
    assert file.read_text().startswith("import os\nfrom functools import cache\n")
    assert defined(file.read_text()) == {
        "NAME": "NAME = 1",
        "f": "def f():\n    return 1",
        "g": "def g():\n    return f()",
        "OTHER": "OTHER = 2",
    }


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("max abs 1.8e-06", "max abs 2.4e-06"),
        ("max abs 0", "max abs 3e-08"),
        ("loss 0.4312", "loss 0.4301"),
        ("torch 2.13.0 on cpu", "torch 2.14.1+cpu on cpu"),
        ("at 1a2b3c4d, 2026-11-22 11:50", "at 9f8e7d6c5b, 2027-01-01 00:00:00"),
        ("took 3.4 s", "took 12 s"),
        ("name      value", "name          value"),
        ("of 12 s in ~/transformers", "of 3.4 s in\n~/transformers"),
    ],
)
def test_what_changes_from_run_to_run_does_not_count(shown: str, printed: str) -> None:
    assert not unlike([shown], printed.splitlines())


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("max abs 1.8e-06", "max abs 2.4e-03"),
        ("max abs 1.8e-06", "max abs 1.8e-04"),
        ("loss 0.43", "loss 0.53"),
        ("103 of 103", "102 of 103"),
        ("step 4 passed", "step 4 failed"),
        ("eps is 1e-05", "eps is 1"),
    ],
)
def test_everything_else_does(shown: str, printed: str) -> None:
    difference = unlike([shown], [printed])
    assert f"-{shown}" in difference
    assert f"+{printed}" in difference


def test_lines_may_be_left_out_where_the_document_says_so() -> None:
    assert not unlike(["a", "…", "d"], ["a", "b", "c", "d"])
    assert not unlike(["…", "d"], ["d"])
    assert unlike(["a", "…", "d"], ["a", "b", "c", "d", "e"])
    assert not unlike(["a", "…", "c", "…", "e"], ["a", "b", "c", "c", "d", "e"])
    assert unlike(["a", "…", "e"], ["a", "b"])
    assert unlike(["a", "…", "c", "…", "b"], ["a", "b", "c"])
    assert unlike(["a b", "…", "b c"], ["a b c"])


def test_new_output_is_left_out_where_the_old_one_was() -> None:
    shown = ["first 1", "…", "the last one of 12"]
    assert shortened(shown, ["first 2", "x", "y", "the last one of 15"]) == ["first 2", "…", "the last one of 15"]
    assert shortened(shown, ["nothing", "of this"]) == ["nothing", "of this"]


def test_only_commands_with_another_output_are_rewritten() -> None:
    ls, cat, *_ = parts(DOCUMENT)
    assert isinstance(ls, Command)
    assert isinstance(cat, Command)
    assert with_output(DOCUMENT, [(ls, ["a.py"]), (cat, ["x = 1", "y = 2"])]) == DOCUMENT
    assert with_output(DOCUMENT, [(ls, ["b.py"])]) == DOCUMENT.replace("\na.py\n", "\nb.py\n", 1)
