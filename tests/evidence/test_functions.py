from __future__ import annotations

import pytest

from porting.evidence.functions import Source

FILE = '''
"""A portfile."""
import os
from pathlib import Path

SCALE = 2
OTHER = 3


def twice(x):
    return helper(x) * SCALE


def helper(x):
    return x + 1


def ported():
    return twice(Path("a/weights.bin"))


def rules():
    return OTHER
'''


def changed(old: str, new: str) -> set[str]:
    """The functions whose fingerprint changes with the file."""
    assert old in FILE
    one, other = Source(FILE), Source(FILE.replace(old, new))
    return {name for name in ("ported", "rules", "twice") if one.fingerprint(name) != other.fingerprint(name)}


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("SCALE = 2", "SCALE = 4", {"ported", "twice"}),
        ("x + 1", "x + 2", {"ported", "twice"}),
        ("OTHER = 3", "OTHER = 4", {"rules"}),
        ("weights.bin", "weights.pt", {"ported"}),
        ("import os\n", "", set()),
        ("from pathlib import Path", "from pathlib import PurePath as Path", {"ported"}),
        ("OTHER = 3", "OTHER = 3  # of them", set()),
        ("return x + 1", "return (x  +  1)", set()),
        ("import os\n", "import os\nos.environ['A'] = '1'\n", {"ported", "rules", "twice"}),
        ("import os\n", "import os\nif os.name:\n    SIDE = 1\n", {"ported", "rules", "twice"}),
        ("import os\n", "from os.path import *\n", {"ported", "rules", "twice"}),
        ("A portfile", "Another portfile", set()),
        ("def rules", "def samples():\n    return SCALE\n\n\ndef rules", set()),
    ],
)
def test_a_function_changes_with_what_it_uses_and_nothing_else(old: str, new: str, names: set[str]) -> None:
    assert changed(old, new) == names


def test_texts_that_may_name_files_are_found_through_helpers() -> None:
    assert "a/weights.bin" in Source(FILE).texts("ported")
    assert "a/weights.bin" not in Source(FILE).texts("rules")


@pytest.mark.parametrize("text", ["def (", "x = '\0'", "(" * 100_000])
def test_what_is_no_python_has_a_fingerprint_like_any_other(text: str) -> None:
    assert Source(text).fingerprint("ported") == Source("").fingerprint("ported")


def test_the_paths_that_a_function_makes_or_asks_about_are_known() -> None:
    source = Source(
        "import os\nfrom pathlib import Path\n"
        "def folder():\n    return Path(__file__).parent\n"
        "def ported():\n"
        '    if Path("converted", "config.json").is_file() or os.path.isdir("other"):\n'
        '        return folder() / "a" / "b.bin"\n'
        '    return load(Path(given, "c"), "d", ", ".join(["e"]))\n'
        'def rules():\n    return Path("f")\n'
    )
    assert source.places("ported") == {"converted/config.json", "other", "a/b.bin"}
