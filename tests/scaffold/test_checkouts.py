from __future__ import annotations

from pathlib import Path

import pytest

from porting.checkout import Checkout
from porting.scaffold import ModelName, checkouts
from porting.scaffold.checkouts import skeleton_advice


def test_the_command_of_transformers_is_named_with_what_to_answer(tmp_path: Path) -> None:
    said = "\n".join(skeleton_advice(Checkout(tmp_path), ModelName.of("brand_new"), "llama"))
    assert f"cd {tmp_path} && transformers add-new-model-like" in said
    assert "to start from: llama" in said
    assert "brand_new, BrandNew" in said


@pytest.mark.parametrize(("found", "told"), [(None, True), ("libcst", False)])
def test_what_the_command_cannot_do_without_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str | None, told: bool
) -> None:
    monkeypatch.setattr(checkouts, "find_spec", lambda name: found)
    said = skeleton_advice(Checkout(tmp_path), ModelName.of("brand_new"), "llama")
    assert any("pip install libcst" in line for line in said) is told


def test_a_skeleton_that_is_there_is_checked_for_what_the_copy_left(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.model_folder("brand_new").mkdir(parents=True)
    (said,) = skeleton_advice(checkout, ModelName.of("brand_new"), "llama")
    assert "checkpoint ids and expected values" in said
    assert "add-new-model-like" not in said
    assert "Without --like, the port is its own class" in said
    (own,) = skeleton_advice(checkout, ModelName.of("brand_new"), "brand_new")
    assert "--like" not in own


def test_the_way_to_a_checkout_with_spaces_in_its_path_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "my clone").mkdir()
    said = skeleton_advice(Checkout(tmp_path / "my clone"), ModelName.of("brand_new"), "llama")
    assert f"  cd '{tmp_path}/my clone' && transformers add-new-model-like" in said
