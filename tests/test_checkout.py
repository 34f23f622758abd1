from __future__ import annotations

from pathlib import Path

import pytest

from porting.checkout import Checkout, find_checkout, installed_checkout


def test_the_checkout_that_a_path_lies_in_is_found(tmp_path: Path) -> None:
    package = tmp_path / "src" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert find_checkout(package / "models" / "bert") == Checkout(tmp_path)
    assert find_checkout(tmp_path.parent) is None
    assert Checkout(tmp_path).model_folder("new") == package / "models" / "new"
    assert Checkout(tmp_path).tests_folder("new") == tmp_path / "tests" / "models" / "new"
    assert Checkout(tmp_path).doc_page("new").parent.parent == Checkout(tmp_path).toctree.parent


def test_the_installed_package_counts_only_where_it_is_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.delitem(__import__("sys").modules, "transformers", raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    assert installed_checkout() == Checkout(tmp_path)
