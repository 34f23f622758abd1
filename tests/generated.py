"""Generated tests of a pair, written to a folder and run in this process on any model."""

from __future__ import annotations

import importlib.util
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from checked import portfile_of
from pairs.pair import Pair

from porting.stubs import GeneratedTests, Wanted, write_tests
from porting.verifying import verify_portfile


def generate(pair: Pair, folder: Path, *, standalone: bool = False, **more: Any) -> GeneratedTests:
    """Verify a pair and write its tests.

    Args:
        pair: the models.
        folder: to write to.
        standalone: whether in one file.
        more: further functions and constants of the portfile, by name.
    """
    portfile = portfile_of(pair, folder, HUB_ID="org/name", REVISION="0123abc", MODEL_NAME="some_model", **more)
    verification = verify_portfile(portfile, original=pair.original, ported=pair.ported)
    return write_tests(portfile, verification, folder, ported=pair.ported, wanted=Wanted(standalone))


def failures(generated: GeneratedTests, model: torch.nn.Module) -> list[str]:
    """Run the tests of the outputs on a model instead of the checkpoint; what those said that failed."""
    kind = getattr(imported(generated.path), generated.test_class)
    local = type("LocalTest", (kind,), {"load_model": lambda self: model})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(local).run(result)
    assert result.testsRun
    assert not result.skipped
    return [text for _, text in (*result.failures, *result.errors)]


def imported(path: Path) -> ModuleType:
    """A generated file as a module whose slow tests run, and that cleans nothing up."""
    spec = importlib.util.spec_from_file_location(f"generated_{abs(hash(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch("transformers.testing_utils._run_slow_tests", True):
        spec.loader.exec_module(module)
    if hasattr(module, "cleanup"):
        vars(module)["cleanup"] = lambda *_, **__: None
    return module
