"""Which files and packages code is from."""

from __future__ import annotations

import torch
from transformers.models.bert import modeling_bert

from porting.evidence.code import code_of, files_of
from porting.portfile import Portfile


def test_the_installed_packages_of_classes_are_told_by_their_versions() -> None:
    files, packages = code_of(torch.nn.Linear(1, 1))
    assert packages == {"torch"}
    assert files == set()


def test_porting_itself_is_no_package_of_a_model() -> None:
    assert "porting" not in code_of(Portfile)[1]


def test_the_code_of_a_model_is_that_of_its_folder() -> None:
    names = {path.parts[-2:] for path in files_of([modeling_bert.__name__])}
    assert {("bert", "modeling_bert.py"), ("bert", "configuration_bert.py")} <= names
    assert {folder for folder, _ in names} == {"bert"}
