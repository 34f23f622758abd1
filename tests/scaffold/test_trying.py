from __future__ import annotations

import time
from pathlib import Path

import torch
from scaffolding import MODEL, SIZES, write_checkpoint, write_repository

from porting.scaffold.locating import locate
from porting.scaffold.ranking import rank
from porting.scaffold.reading import read_sources
from porting.scaffold.saved import Saved, read_saved
from porting.scaffold.trying import Attempt, build_original


def attempt(repository: Path, saved: Saved | None, seconds: float = 60.0) -> Attempt:
    location = locate(str(repository))
    sources = read_sources(location.files)
    return build_original(sources, rank(sources, ["tiny"]), location, saved, seconds=seconds)


def test_settings_beside_the_weights_are_taken(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    saved = read_saved(write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES, step=7))
    assert (saved.reader, saved.inside, dict(saved.values)) == ("torch", ("model",), SIZES)
    built = attempt(repository, saved).built
    assert built is not None
    assert (built.kind.name, built.config.name if built.config else None) == ("TinyGPT", "TinyConfig")
    assert built.settings == SIZES
    assert built.complete
    assert built.open == ()


def test_settings_are_found_by_the_shapes_and_what_they_do_not_tell_is_open(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    saved = read_saved(write_checkpoint(repository, tmp_path / "model.pt"))
    built = attempt(repository, saved).built
    assert built is not None
    assert built.settings == SIZES
    assert built.open == ("n_head",)


def test_a_prefix_of_all_names_and_tensors_that_nothing_uses_are_seen(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    state = torch.load(write_checkpoint(repository, tmp_path / "model.pt"), weights_only=True)
    more = {f"module.{name}": value for name, value in state.items()} | {"module.count": torch.zeros(1)}
    torch.save(more, tmp_path / "more.pt")
    built = attempt(repository, read_saved(tmp_path / "more.pt")).built
    assert built is not None
    assert (built.prefix, built.unused, built.missing) == ("module.", ("module.count",), ())


def test_a_checkpoint_of_another_model_is_not_taken(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    torch.save({"encoder.weight": torch.zeros(3, 3), "bias": torch.zeros(3)}, tmp_path / "other.pt")
    found = attempt(repository, read_saved(tmp_path / "other.pt"))
    assert found.built is None
    assert any("are not in the checkpoint" in text for text in found.failures)


def test_the_own_loader_of_the_class_goes_first(tmp_path: Path) -> None:
    text = MODEL + (
        "\n    @classmethod\n    def from_pretrained(cls, path):\n"
        "        state = torch.load(path, weights_only=True)\n"
        f"        model = cls(TinyConfig(**{SIZES}))\n        model.load_state_dict(state)\n"
        "        return model\n"
    )
    repository = write_repository(tmp_path, text)
    built = attempt(repository, read_saved(write_checkpoint(repository, tmp_path / "model.pt"))).built
    assert built is not None
    assert (built.loader, built.open) == ("from_pretrained", ())


def test_a_loader_that_loads_nothing_is_not_believed(tmp_path: Path) -> None:
    text = MODEL + (
        f"\n    @classmethod\n    def from_pretrained(cls, path):\n        return cls(TinyConfig(**{SIZES}))\n"
    )
    repository = write_repository(tmp_path, text)
    built = attempt(repository, read_saved(write_checkpoint(repository, tmp_path / "model.pt"))).built
    assert built is not None
    assert built.loader == ""


def test_an_import_that_fails_is_said(tmp_path: Path) -> None:
    repository = write_repository(tmp_path, "import a_package_that_is_not_there\n" + MODEL)
    found = attempt(repository, None)
    assert found.built is None
    assert "a_package_that_is_not_there" in found.failures[0]


def test_an_original_that_never_ends_is_ended(tmp_path: Path) -> None:
    repository = write_repository(tmp_path, "import time\ntime.sleep(600)\n" + MODEL)
    begin = time.monotonic()
    found = attempt(repository, None, seconds=1.5)
    assert time.monotonic() - begin < 30
    assert found.failures == ("it took longer than 2 seconds",)


def test_an_original_that_ends_the_process_is_said(tmp_path: Path) -> None:
    repository = write_repository(tmp_path, "import os\nos._exit(9)\n" + MODEL)
    assert attempt(repository, None).failures == ("its process ended with exit code 9",)
