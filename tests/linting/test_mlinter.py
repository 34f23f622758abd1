"""mlinter's rules are those of the checkout, where that brings its own, and of the version that Transformers names."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import write

from porting.checkout import Checkout
from porting.linting.mlinter import newer_than, rules_of

RULES = """
version = 1

[rules.TRF001]
description = "one"

[rules.TRF002]
description = "two"
default_enabled = true
allowlist_models = ["first"]

[rules.TRF003]
default_enabled = false
"""


def test_a_checkout_that_brings_a_linter_names_its_rules(tmp_path: Path) -> None:
    write(tmp_path, {"utils/mlinter/rules.toml": RULES})
    assert rules_of(Checkout(tmp_path), "first") == frozenset({"TRF001"})
    assert rules_of(Checkout(tmp_path), "second") == frozenset({"TRF001", "TRF002"})


@pytest.mark.parametrize("text", [None, "", "[rules", "rules = 3", "[rules]\nTRF001 = 3", "[other]"])
def test_a_checkout_without_a_linter_or_with_another_names_none(text: str | None, tmp_path: Path) -> None:
    write(tmp_path, {} if text is None else {"utils/mlinter/rules.toml": text})
    assert rules_of(Checkout(tmp_path), "first") is None


@pytest.mark.parametrize(
    ("installed", "pin", "newer"),
    [
        ("0.1.7", "transformers-mlinter==0.1.6", "0.1.6"),
        ("0.1.10", "transformers-mlinter==0.1.6", "0.1.6"),
        ("0.1.6", "transformers-mlinter==0.1.6", None),
        ("0.1.5", "transformers-mlinter==0.1.6", None),
        ("0.1.5", "transformers-mlinter", None),
        ("0.1.5", None, None),
        ("odd", "transformers-mlinter==0.1.6", None),
    ],
)
def test_a_newer_linter_than_that_of_transformers_is_known(
    installed: str, pin: str | None, newer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps = {} if pin is None else {"transformers-mlinter": pin}
    monkeypatch.setattr("transformers.dependency_versions_table.deps", deps)
    monkeypatch.setattr("porting.linting.mlinter.version", lambda _name: installed)
    assert newer_than() == newer
