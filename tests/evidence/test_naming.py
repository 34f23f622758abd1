from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from porting.evidence.naming import path_of, place_of, subject_of
from porting.evidence.subjects import folder_today
from porting.evidence.versions import version_of


def test_files_near_the_portfile_are_named_from_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "port"
    near, far = tmp_path / "a" / "original" / "model.pt", tmp_path / "model.pt"
    assert subject_of(folder / "converted" / "x.json", folder) == "file converted/x.json"
    assert subject_of(near, folder) == "file ../original/model.pt"
    for path in (folder / "x.json", near, far):
        found = path_of(subject_of(path, folder), folder)
        assert found is not None
        assert found.resolve() == path.resolve()


def test_files_in_the_home_folder_and_elsewhere_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = Path("/somewhere/far/away/from/home")
    subject = subject_of(tmp_path / ".cache" / "model.safetensors", folder)
    assert subject == "file ~/.cache/model.safetensors"
    assert path_of(subject, folder) == tmp_path / ".cache" / "model.safetensors"
    assert path_of(subject_of(Path("/data/model.pt"), folder), folder) == Path("/data/model.pt")


def test_files_of_packages_of_this_interpreter_are_named_by_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "venv" / "lib" / "site-packages"
    (place / "package").mkdir(parents=True)
    (place / "package" / "data.json").write_text("{}")
    path = place / "package" / "data.json"
    assert subject_of(path, tmp_path) == "file venv/lib/site-packages/package/data.json"
    monkeypatch.syspath_prepend(str(place))
    subject = subject_of(path, tmp_path)
    assert subject == "package package/data.json"
    assert path_of(subject, tmp_path) == place / "package" / "data.json"


def test_code_of_transformers_is_named_by_its_package(tmp_path: Path) -> None:
    import transformers

    path = Path(transformers.__file__).parent / "models" / "bert" / "modeling_bert.py"
    subject = subject_of(path, tmp_path)
    assert subject == "package transformers/models/bert/modeling_bert.py"
    assert path_of(subject, tmp_path) == path


def test_some_files_of_a_folder_are_found_again_wherever_it_lies(tmp_path: Path) -> None:
    import transformers

    bert = Path(transformers.__file__).parent / "models" / "bert"
    for place in (bert / "*.py", tmp_path / "*.py", tmp_path / "tests" / "test_*.py", tmp_path / "converted"):
        assert place_of(subject_of(place, tmp_path), tmp_path) == place
    empty = folder_today(tmp_path / "tests" / "test_*.py")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "helper.py").touch()
    assert folder_today(tmp_path / "tests" / "test_*.py") == empty
    (tmp_path / "tests" / "test_x.py").touch()
    assert folder_today(tmp_path / "tests" / "test_*.py") != empty
    assert folder_today(tmp_path / "converted") == folder_today(None) == "absent"


def test_evidence_that_nobody_vouches_for_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "__init__.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version_of("evil.part") is None
    assert version_of("evil") is None
    assert path_of("package evil.part/x.py", tmp_path / "port") is None
    assert "evil" not in sys.modules


def test_a_version_is_the_same_whether_the_package_is_loaded_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("plainly", '__version__ = "1.2"\n'), ("computed", '__version__ = "".join("34")\n')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (version_of("plainly"), version_of("computed")) == ("1.2", None)
    for name in ("plainly", "computed"):
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
    assert (version_of("plainly"), version_of("computed")) == ("1.2", None)


def test_in_a_checkout_of_transformers_files_of_the_working_folder_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "transformers"
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda _: importlib.machinery.PathFinder.find_spec("transformers", [str(package.parent)]),
    )
    folder = package / "models" / "first"
    folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert subject_of(folder / "modeling_first.py", folder) == "file modeling_first.py"
    assert subject_of(package / "cache.py", folder) == "package transformers/cache.py"


def test_a_checkout_says_another_version_than_it_was_installed_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_up_package").mkdir()
    (tmp_path / "made_up_package-1.0.dist-info").mkdir()
    (tmp_path / "made_up_package-1.0.dist-info" / "METADATA").write_text("Name: made_up_package\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "made_up_package" / "__init__.py").write_text("")
    assert version_of("made_up_package") == "1.0"
    (tmp_path / "made_up_package" / "__init__.py").write_text('__version__ = "2.0.dev0"\n')
    assert version_of("made_up_package") == "2.0.dev0"
