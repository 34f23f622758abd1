"""What a class is before it has weights: its defaults build, and its start is written where loading asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checked import context_with, result_of
from torch import nn
from transformers import PreTrainedConfig
from transformers import initialization as init
from weights.audit.silent import InTree, Tiny, TinyConfig, WithPlainTensor

from porting.behaviour.starting import bytes_of
from porting.checks import CheckResult

BUILDS, COVERS, KEEPS = "check_default_config_builds", "check_init_covers_weights", "check_init_keeps_loaded"


class Right(Tiny):
    """With a token of its own and a scale that the config gives."""

    def _table(self) -> Any:
        self.token = nn.Parameter(torch.zeros(1, self.config.width))
        self.scale = nn.Parameter(torch.tensor(float(self.config.width)))

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Right):
            self.begin_token()
            self.begin_angles()

    def begin_token(self) -> None:
        init.normal_(self.token)

    def begin_angles(self) -> None:
        init.copy_(self.angles, 1 / 10000 ** (torch.arange(self.config.width) / self.config.width))


class ForgetsToken(Right):
    def begin_token(self) -> None:
        pass


class ForgetsBuffer(Right):
    def begin_angles(self) -> None:
        pass


class Raises(Right):
    def _init_weights(self, module: nn.Module) -> None:
        raise AttributeError("the config has no std")


def checked(name: str, model: nn.Module, folder: Path, **more: Any) -> CheckResult:
    return result_of(name, context_with(folder, ported=lambda: model, **more))


def test_a_right_class_passes(tmp_path: Path) -> None:
    model = Right(TinyConfig())
    before = model.layer.weight.clone()
    assert checked(BUILDS, model, tmp_path).figures["cpu"] == "built"
    assert checked(COVERS, model, tmp_path).figures == {"parameters": 4, "random": 2, "left": 0}
    assert checked(KEEPS, model, tmp_path).figures == {"written_over": 0}
    assert torch.equal(model.layer.weight, before)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ForgetsToken, "token is not written by _init_weights"),
        (ForgetsBuffer, "angles is not written by _init_weights"),
        (WithPlainTensor, "table is a plain tensor, which stays on the meta device"),
        (Raises, "_init_weights of Raises raised AttributeError"),
    ],
)
def test_what_has_no_start_is_named(kind: type[Tiny], words: str, tmp_path: Path) -> None:
    with init.no_init_weights():
        model = kind(TinyConfig())
    result = checked(COVERS, model, tmp_path)
    assert (result.status, words in result.message) == ("failed", True)


def test_loaded_weights_that_are_initialised_again_are_named(tmp_path: Path) -> None:
    result = checked(KEEPS, InTree(TinyConfig()), tmp_path)
    assert result.status == "failed"
    assert result.message.startswith("layer.weight is initialised again though it is loaded")


@pytest.mark.parametrize("name", [COVERS, KEEPS])
def test_what_is_too_large_is_not_built_once_more(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Right(TinyConfig())
    size = bytes_of(model)
    for most, status in ((size - 1, "skipped"), (size, "passed")):
        monkeypatch.setattr("porting.checks.skeleton.MOST_BUILT", most)
        result = checked(name, model, tmp_path)
        assert result.status == status, result.message
        assert ("too much to be built once more" in result.message) == (status == "skipped")


class NeedsWidth(PreTrainedConfig):  # type: ignore[misc]
    model_type = "needs-width"

    def __init__(self, width: int, **rest: Any) -> None:
        self.width = width
        super().__init__(**rest)


class WidthOfNothing(TinyConfig):
    def __init__(self, width: int = -1, **rest: Any) -> None:
        super().__init__(width, **rest)


class WidthOpen(TinyConfig):
    def __init__(self, width: Any = None, **rest: Any) -> None:
        super().__init__(width, **rest)


class FlagOpen(WidthOfNothing):
    """What is open says nothing of a size, so that it is no reason not to build."""

    def __init__(self, flag: bool | None = None, **rest: Any) -> None:
        self.flag = flag
        super().__init__(**rest)


class WidthOfGiants(TinyConfig):
    def __init__(self, width: int = 1 << 20, **rest: Any) -> None:
        super().__init__(width, **rest)


@pytest.mark.parametrize(
    ("made", "status", "words"),
    [
        (NeedsWidth, "failed", "NeedsWidth() raised TypeError"),
        (WidthOfNothing, "failed", "from its defaults: Tiny(config) cannot be built on the meta device"),
        (lambda width: FlagOpen(width=width, flag=True), "failed", "from its defaults: Tiny(config) cannot be built"),
        (WidthOpen, "skipped", "the defaults leave open what every model says for itself: width"),
    ],
)
def test_defaults_that_do_not_build(made: Any, status: str, words: str, tmp_path: Path) -> None:
    model = Tiny(TinyConfig())
    result = checked(BUILDS, model, tmp_path, config=lambda: made(width=8))
    assert (result.status, words in result.message) == (status, True)


def test_giants_are_built_without_their_data(tmp_path: Path) -> None:
    result = checked(BUILDS, Tiny(TinyConfig()), tmp_path, config=lambda: WidthOfGiants(width=8))
    assert (result.status, result.figures["size"]) == ("passed", "4.3 TB")
    assert result.figures["cpu"] == "built without data, for its size"


def test_a_plain_module_has_no_defaults(tmp_path: Path) -> None:
    for name in (BUILDS, COVERS, KEEPS):
        assert checked(name, nn.Linear(2, 2), tmp_path).status == "skipped"
