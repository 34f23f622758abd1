from __future__ import annotations

from pathlib import Path

import pytest
from scaffolding import MODEL, write_repository

from porting.scaffold.locating import OriginalError, locate
from porting.scaffold.ranking import rank
from porting.scaffold.reading import Sources, read_sources

TENSORS = ["wte.weight", "wpe.weight", "blocks.0.ln_1.weight", "ln_f.weight", "lm_head.weight"]


def sources_of(folder: Path, text: str, name: str = "tiny_model.py") -> Sources:
    return read_sources(locate(str(write_repository(folder, text, name))).files)


def test_nothing_is_imported_or_run(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, "raise SystemExit\n" + MODEL)
    assert [each.name for each in sources.classes] == ["TinyConfig", "Attention", "Block", "TinyGPT"]


def test_the_model_is_the_class_with_the_checkpoints_names(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, MODEL)
    best = rank(sources, ["something"], TENSORS)[0]
    assert best.kind.name == "TinyGPT"
    assert "has 100 % of the checkpoint's outermost names" in best.reasons


def test_without_a_checkpoint_it_is_the_class_that_no_other_uses(tmp_path: Path) -> None:
    assert rank(sources_of(tmp_path, MODEL), [])[0].kind.name == "TinyGPT"


def test_a_class_that_is_no_module_is_no_candidate(tmp_path: Path) -> None:
    text = "class Data:\n    def forward(self, x):\n        return x\n"
    assert rank(sources_of(tmp_path, text), ["data"]) == ()


def test_inherited_forwards_constructors_and_loaders_count(tmp_path: Path) -> None:
    text = """
from torch import nn

class Base(nn.Module):
    def __init__(self, size: int, bias=True):
        super().__init__()
    def forward(self, x, *, deep=False):
        return x
    @classmethod
    def from_pretrained(cls, path): ...

class Net(Base):
    pass
"""
    sources = sources_of(tmp_path, text)
    net = sources.named("Net")
    assert net is not None
    assert [(each.name, each.required) for each in sources.arguments(net)] == [("size", True), ("bias", False)]
    assert [(each.name, each.flag) for each in sources.forward(net) or ()] == [("x", None), ("deep", False)]
    assert sources.loaders(net) == ("from_pretrained",)


def test_a_class_that_cannot_be_imported_is_none(tmp_path: Path) -> None:
    text = "from torch import nn\ndef make():\n    class Net(nn.Module):\n        def forward(self, x): ...\n"
    assert sources_of(tmp_path, text).classes == ()


def test_a_file_that_is_not_python_of_today_is_passed_over(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    (repository / "old.py").write_text("print 'hello'\n")
    sources = read_sources(locate(str(repository)).files)
    assert list(sources.broken) == ["old"]
    assert sources.named("TinyGPT") is not None


def test_tests_and_environments_in_a_repository_are_not_read(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    for name in ("tests", ".venv", "build"):
        (repository / name).mkdir()
        (repository / name / "other.py").write_text(MODEL)
    assert list(locate(str(repository)).files) == ["tiny_model"]


def test_a_package_inside_a_repository_is_named_from_its_top(tmp_path: Path) -> None:
    package = tmp_path / "src" / "pack"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "net.py").write_text(MODEL)
    for given in (tmp_path, package, package / "net.py"):
        location = locate(f"{given}:TinyGPT")
        assert location.path == tmp_path / "src"
        assert "pack.net" in location.files
        assert location.wanted == "TinyGPT"


def test_an_installed_package_is_found_without_a_path() -> None:
    location = locate("safetensors.torch")
    assert location.path is None
    assert list(location.files) == ["safetensors.torch"]


@pytest.mark.parametrize("original", ["no_such_package_here", "no/such/folder", "a b"])
def test_what_is_not_there_is_an_error(original: str) -> None:
    with pytest.raises(OriginalError) as caught:
        locate(original)
    assert caught.value.hint


def test_a_folder_without_python_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OriginalError, match="no module of Python"):
        locate(str(tmp_path))


def test_a_name_means_what_its_module_imports(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from .settings import Config\n")
    (package / "aside.py").write_text("class Config:\n    pass\n")
    (package / "settings.py").write_text("class Config:\n    pass\n")
    (package / "model.py").write_text("from pack import Config\n")
    (package / "other.py").write_text("from .aside import Config\n")
    sources = read_sources(locate(str(package)).files)
    found = [sources.named("Config", module) for module in ("pack.model", "pack.other")]
    assert [each.module if each else "" for each in found] == ["pack.settings", "pack.aside"]


def test_a_dataclass_takes_the_fields_that_it_inherits(tmp_path: Path) -> None:
    text = """
from dataclasses import dataclass, field
from typing import ClassVar

@dataclass
class Base:
    width: int
    depth: int = 2
    kind: ClassVar[str] = "a"

@dataclass
class Config(Base):
    heads: int = 4
    made: int = field(init=False)
"""
    sources = sources_of(tmp_path, text)
    config = sources.named("Config")
    assert config is not None
    found = [(each.name, each.default) for each in sources.arguments(config)]
    assert found == [("width", None), ("depth", 2), ("heads", 4)]
