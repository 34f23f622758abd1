"""The checkers run in a copy; an objection that names nothing is understood by what the fix changes there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkouts import checkout_at, git, write

from porting.checkout import Checkout
from porting.linting.checkers import Said
from porting.linting.mending import changes_in
from porting.linting.naming import Naming
from porting.linting.registry import Checker
from porting.linting.ruff import find_ruff, version_of
from porting.linting.running import run_checkers_of

SCRIPT = "check_order.py"
TABLE = "src/transformers/models/auto/table.py"
SORTING = f"""
import sys
from pathlib import Path

table = Path("{TABLE}")
lines = table.read_text().splitlines(True)
if "--mend" in sys.argv:
    table.write_text("".join(sorted(lines)))
elif lines != sorted(lines):
    raise ValueError("The table is not sorted.")
"""
RIGHT = [
    "('a', 'AModel')",
    "('b', 'BModel')",
    "('first', 'FirstModel')",
    "('second', 'SecondModel')",
    "('z', 'ZModel')",
]


def said(root: Path, script: str, order: list[str], fixing: tuple[str, ...] | None = ("--mend",)) -> Said:
    checkout_at(root, {f"utils/{SCRIPT}": script, TABLE: "".join(f"{each}\n" for each in order)})
    naming = Naming("first", ["FirstModel"])
    (found,) = run_checkers_of(Checkout(root), naming, [Checker(SCRIPT, 5, (), fixing)])
    assert git(root, "status", "--porcelain") == ""
    return found


def moved(name: str, place: int) -> list[str]:
    (line,) = (each for each in RIGHT if f"'{name}'" in each)
    others = [each for each in RIGHT if each != line]
    return [*others[:place], line, *others[place:]]


@pytest.mark.parametrize(("place", "status"), [(0, "findings"), (1, "findings"), (2, "clean"), (4, "findings")])
def test_what_is_out_of_order_is_found_by_the_fix(place: int, status: str, tmp_path: Path) -> None:
    found = said(tmp_path, SORTING, moved("first", place))
    assert found.status == status
    assert all(TABLE in line and "first" in line for line in found.lines)
    assert bool(found.lines) == (status == "findings")


@pytest.mark.parametrize(("name", "place"), [("a", 1), ("a", 4), ("z", 0), ("z", 3), ("second", 0), ("b", 0)])
def test_the_order_of_others_is_theirs(name: str, place: int, tmp_path: Path) -> None:
    assert said(tmp_path, SORTING, moved(name, place)).status == "elsewhere"


@pytest.mark.parametrize(("place", "status"), [(0, "findings"), (1, "findings"), (2, "clean"), (3, "findings")])
def test_an_entry_of_several_lines_is_one(place: int, status: str, tmp_path: Path) -> None:
    script = SORTING.replace("splitlines(True)", "replace('\\n  ', '\\t').splitlines(True)").replace(
        '"".join(sorted(lines))', "''.join(sorted(lines)).replace('\\t', '\\n  ')"
    )
    entries = [f"- local: model_doc/{each}\n  title: {each.title()}" for each in ("a", "b", "z")]
    found = said(tmp_path, script, [*entries[:place], "- local: model_doc/first\n  title: First", *entries[place:]])
    assert found.status == status
    assert all("model_doc/first" in line for line in found.lines)


@pytest.mark.parametrize("ending", ["pass", "raise SystemError('it fell over')", "print('done'); raise SystemExit(1)"])
def test_a_fix_that_did_not_come_to_its_end_shows_nothing_of_the_rest(ending: str, tmp_path: Path) -> None:
    fixing = SORTING.replace("sorted(lines)))", f"sorted(lines))); {ending}")
    status = "unclear" if "SystemError" in ending else "elsewhere"
    assert said(tmp_path, fixing, moved("a", 1)).status == status


def test_a_fix_that_changes_more_than_is_read_explains_nothing(tmp_path: Path) -> None:
    script = SORTING.replace('"".join(sorted(lines))', "'OtherModel\\n' * 10**5")
    assert said(tmp_path, script, moved("a", 1)).status == "unclear"


def test_an_objection_that_no_fix_explains_stays_open(tmp_path: Path) -> None:
    assert said(tmp_path / "a", SORTING, moved("first", 0), None).status == "unclear"
    assert said(tmp_path / "b", "raise ValueError('It is wrong.')", RIGHT).status == "unclear"


def test_a_script_that_writes_into_the_checkout_writes_into_the_copy(tmp_path: Path) -> None:
    script = f"open('{TABLE}', 'w').close(); open('left-behind.py', 'w').close()"
    assert said(tmp_path, script, RIGHT).status == "clean"
    assert (tmp_path / TABLE).read_text()
    assert not (tmp_path / "left-behind.py").exists()


def test_each_script_finds_the_copy_as_the_checkout_is(tmp_path: Path) -> None:
    write(tmp_path, {"utils/first.py": "open('left.py', 'w').close(); open('README.md', 'w').close()"})
    write(
        tmp_path, {"utils/second.py": "import os; assert not os.path.exists('left.py') and open('README.md').read()"}
    )
    checkout_at(tmp_path)
    ran = run_checkers_of(Checkout(tmp_path), Naming("first"), [Checker("first.py", 5), Checker("second.py", 5)])
    assert [each.status for each in ran] == ["clean", "clean"]


@pytest.mark.parametrize("knows", [True, False])
def test_a_script_that_takes_modular_files_is_given_the_models_own(knows: bool, tmp_path: Path) -> None:
    modular = "src/transformers/models/first/modular_first.py"
    option = "'\"--files\"'" if knows else "''"
    wanted = ["--files", modular] if knows else []
    script = f"{option}\nimport sys\nassert sys.argv[1:] == {wanted!r}, sys.argv"
    checkout_at(tmp_path, {modular: "", "src/transformers/models/b/modular_b.py": "", f"utils/{SCRIPT}": script})
    (found,) = run_checkers_of(Checkout(tmp_path), Naming("first"), [Checker(SCRIPT, 5, narrowing="--files")])
    assert found.status == "clean", found.lines


def test_the_changes_of_a_diff_have_their_places() -> None:
    diff = """diff --git a/x/__init__.py b/x/__init__.py
index 1..2 100644
--- a/x/__init__.py
+++ b/x/__init__.py
@@ -4,4 +4,4 @@ def a():
 one
-two
+three
 four
@@ -20,2 +20,3 @@
 five
 six
+--- a/seven
"""
    first, second = changes_in(diff)
    assert (first.path, first.line, first.lines) == ("x/__init__.py", 5, ("-two", "+three"))
    assert (second.path, second.line, second.lines) == ("x/__init__.py", 22, ("+--- a/seven",))


MODEL = "src/transformers/models/first/modeling_first.py"
GENERATING = f"""
# compares a file with what ruff makes of it
import sys
text = open("{MODEL}").read()
if "--mend" in sys.argv:
    open("{MODEL}", "w").write("X = [1]\\n\\nY = 2\\n")
elif text != "X = [1]\\n\\nY = 2\\n":
    raise ValueError("Differs: {MODEL}")
"""


@pytest.mark.skipif(find_ruff() is None, reason="ruff is not installed")
@pytest.mark.parametrize(
    ("text", "pin", "status"),
    [
        ("X = [ 1 ]\n\nY = 2\n", "ruff==0.0.1", "clean"),
        ("X = [ 1 ]\nY = 2\n", "ruff==0.0.1", "clean"),
        ("X = [ 2 ]\n\nY = 2\n", "ruff==0.0.1", "findings"),
        ("X = [ 1 ]\n\nY = 2\n", "ruff=={version}", "findings"),
        ("X = [ 1 ]\n\nY = 2\n", "ruff", "findings"),
    ],
)
def test_what_another_ruff_explains_is_no_finding(text: str, pin: str, status: str, tmp_path: Path) -> None:
    ruff = find_ruff()
    assert ruff is not None
    write(tmp_path, {MODEL: text, "setup.py": f'_deps = ["{pin.format(version=version_of(ruff))}"]\n'})
    assert said(tmp_path, GENERATING, RIGHT).status == status
    assert (tmp_path / MODEL).read_text() == text


@pytest.mark.skipif(find_ruff() is None, reason="ruff is not installed")
@pytest.mark.parametrize("place", ["file", "folder", "absolute"])
def test_a_port_that_is_linked_into_the_checkout_stays_as_it_is(place: str, tmp_path: Path) -> None:
    root, folder, text = tmp_path / "it", Path(MODEL).parent, "X = [ 1 ]\n\nY = 2\n"
    write(root, {"setup.py": '_deps = ["ruff==0.0.1"]\n', f"{folder.parent}/second/x.py": ""})
    write(tmp_path, {"mine/modeling_first.py": text})
    real = tmp_path / "mine" if place == "folder" else tmp_path / "mine" / "modeling_first.py"
    link = root / (folder if place == "folder" else MODEL)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real if place == "absolute" else os.path.relpath(real, link.parent))
    assert said(root, GENERATING, RIGHT).status == "clean"
    assert (tmp_path / "mine" / "modeling_first.py").read_text() == text
