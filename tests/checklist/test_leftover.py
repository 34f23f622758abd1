from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from porting.checklist.leftover import DEEPEST, LARGEST, find_parts
from porting.checklist.placing import step_of_file, step_of_part
from porting.parts import parts_left

if TYPE_CHECKING:
    from pathlib import Path

PART = "[[you: say it]]"


def write(path: Path, text: str = PART) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_parts_are_found_with_their_lines_by_step(tmp_path: Path) -> None:
    write(tmp_path / "README.md", f"a\n{PART} and {PART}\n")
    write(tmp_path / "tests" / "models" / "it" / "test_modeling_it.py", f"# {PART}\n")
    write(tmp_path / "notes.md", "nothing to do")
    found = find_parts(tmp_path / "portfile.py")
    assert [(file.path, file.step, len(file.parts)) for file in found] == [
        ("tests/models/it/test_modeling_it.py", 8, 1),
        ("README.md", 12, 2),
    ]
    assert found[1].to_list()[0] == {"file": "README.md", "line": 2, "what": "say it"}


@pytest.mark.parametrize(
    "place",
    [
        ".git/a.md",
        ".venv/a.py",
        "traces/a.md",
        "env/pyvenv.cfg",
        "clone/.git/HEAD",
        "node_modules/a.md",
        "own/pyproject.toml",
        "own/setup.py",
    ],
)
def test_folders_of_others_are_not_looked_into(tmp_path: Path, place: str) -> None:
    write(tmp_path / place)
    write((tmp_path / place).parent / "page.md")
    assert find_parts(tmp_path / "portfile.py") == ()


def test_a_folder_that_is_a_repository_itself_is_looked_into(tmp_path: Path) -> None:
    write(tmp_path / ".git" / "HEAD")
    write(tmp_path / "page.md")
    assert [file.path for file in find_parts(tmp_path / "portfile.py")] == ["page.md"]


def test_neither_large_nor_deep_nor_other_files_are_read(tmp_path: Path) -> None:
    write(tmp_path / "large.md", PART + " " * LARGEST)
    write(tmp_path.joinpath(*"abcdefgh"[: DEEPEST + 1], "deep.md"))
    write(tmp_path / "data.json")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe" + PART.encode())
    (tmp_path / "gone.md").symlink_to("nowhere")
    assert [file.path for file in find_parts(tmp_path / "portfile.py")] == ["binary.md"]


def test_named_files_are_read_where_they_are_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "port"
    inside, outside = write(folder / "a.md"), write(tmp_path / "clone" / "docs" / "it.md")
    found = find_parts(folder / "portfile.py", [inside, outside, tmp_path / "missing.md"])
    assert sorted(file.path for file in found) == sorted(["a.md", str(outside)])


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("modeling_it.py", 5),
        ("convert_it_to_hf.py", 6),
        ("test_modeling_it.py", 8),
        ("test_tokenization_it.py", 9),
        ("test_processing_it.py", 9),
        ("it.md", 11),
        ("README.md", 12),
        ("it.ipynb", 13),
        ("pull_request.md", 14),
    ],
)
def test_a_file_belongs_to_a_step_by_its_name(name: str, step: int) -> None:
    assert step_of_file(name) == step


PORTFILE = """
# [[you: HUB_ID and REVISION, once the weights are on the Hub]]
# [[you: anything else]]

def ported():
    # [[you: load it]]
    ...

def rules():
    return []  # [[you: the rules]]
"""


def test_a_part_of_the_portfile_belongs_to_the_step_of_its_function(tmp_path: Path) -> None:
    assert [step_of_part(part, PORTFILE) for part in parts_left(PORTFILE)] == [12, 4, 7, 6]
    broken = f"{PORTFILE}\n("
    assert [step_of_part(part, broken) for part in parts_left(broken)] == [12, 4, 4, 4]
    write(tmp_path / "my port.py", PORTFILE)
    found = find_parts(tmp_path / "my port.py")
    assert [(file.path, file.step) for file in found] == [("my port.py", step) for step in (4, 6, 7, 12)]
