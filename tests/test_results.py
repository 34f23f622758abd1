from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rich.console
import torch
from rich.console import Console
from torch import nn

from porting.comparison import compare
from porting.errors import MismatchError
from porting.hooks.capturing import capture
from porting.recording import Recording, recording_of
from porting.report.detail import shown
from porting.verification import verify
from porting.weights import check_weights
from porting.weights.report import Finding, Remark, WeightsReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from porting.results import Result

NAMES = ("[bold]x", "a[/b]c", "new\nline", "\x1b[31mEVIL", "\u202egnp", "</script><b>", ":smile:")
FORBIDDEN = ("\x1b[31mEVIL", "\u202e", "</script>", "<b>")


class Hostile(nn.Module):
    """Modules, a class and results with names that try to get into the terminal or the page."""

    def __init__(self, broken: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        for name in NAMES:
            self.add_module(name, nn.Linear(3, 3))
        if broken:
            with torch.no_grad():
                next(self.parameters()).add_(1)

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs = {}
        for (name, module), x in zip(self.named_children(), inputs.values(), strict=True):
            outputs[name] = module(x)
        return outputs


Hostile.__name__ = Hostile.__qualname__ = "[red]Hostile\x1b[31mEVIL</script>"


def make_inputs() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {name: torch.randn(2, 3) for name in NAMES}


def verification(tmp_path: Path, good: bool) -> Result:
    return verify(Hostile(broken=False), Hostile(broken=not good), make_inputs())


def comparison(tmp_path: Path, good: bool) -> Result:
    traces = [capture(Hostile(broken=broken), make_inputs()) for broken in (False, not good)]
    return compare(*traces)


def weights(tmp_path: Path, good: bool) -> Result:
    from safetensors.torch import save_file

    model = Hostile(broken=False)
    state = dict(model.state_dict())
    if not good:
        state[f"{NAMES[3]}.weight"] = torch.ones(7)
        state[f"unexpected {NAMES[5]}"] = torch.ones(1)
        del state[f"{NAMES[4]}.weight"]
    save_file(state, tmp_path / "model.safetensors")
    return check_weights(tmp_path / "model.safetensors", model)


def recording(tmp_path: Path, good: bool) -> Result:
    model = Hostile(broken=False)
    folder = tmp_path / "[bold]\x1b[31mEVIL"
    if good:
        capture(model, make_inputs(), folder=folder)
    else:
        model.get_submodule(NAMES[3]).forward = _raise_hostile
        with pytest.raises(Exception, match="forward raised"):
            capture(model, make_inputs(), folder=folder)
    return recording_of([folder])


def _raise_hostile(*_: object) -> None:
    raise ValueError("".join(NAMES))


MAKERS = (verification, comparison, weights, recording)
every_result = pytest.mark.parametrize("make", MAKERS, ids=[make.__name__ for make in MAKERS])
good_and_bad = pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])


def printed(result: Result, width: int, *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None
    )
    console.print(result)
    return stream.getvalue()


@every_result
@good_and_bad
def test_repr_and_summary_are_one_printable_line(
    make: Callable[[Path, bool], Result], good: bool, tmp_path: Path
) -> None:
    result = make(tmp_path, good)
    assert repr(result) == f"<{type(result).__name__}: {result.summary()}>"
    assert repr(result).isprintable()


@every_result
def test_assert_ok_passes_or_raises_the_summary(make: Callable[[Path, bool], Result], tmp_path: Path) -> None:
    make(tmp_path, True).assert_ok()
    (tmp_path / "bad").mkdir()
    result = make(tmp_path / "bad", False)
    if isinstance(result, Recording):
        assert result.ok
        return
    assert (result.ok, result.exit_code) == (False, 1)
    with pytest.raises(AssertionError) as raised:
        result.assert_ok()
    assert isinstance(raised.value, MismatchError)
    assert raised.value.message.startswith(result.summary())
    assert all(line.isprintable() for line in raised.value.message.splitlines())


@every_result
@good_and_bad
def test_to_dict_is_plain_json(make: Callable[[Path, bool], Result], good: bool, tmp_path: Path) -> None:
    document = make(tmp_path, good).to_dict()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert document["schema"] == 1


@every_result
@good_and_bad
@pytest.mark.parametrize("full", [True, False])
def test_terminal_shows_hostile_names_harmlessly(
    make: Callable[[Path, bool], Result], good: bool, full: bool, tmp_path: Path
) -> None:
    result = make(tmp_path, good)
    with shown(full=full):
        plain, coloured = printed(result, 250, terminal=False), printed(result, 60, terminal=True)
    assert plain.replace("\n", "").isprintable()
    assert "\x1b[31mEVIL" not in coloured
    assert "\u202e" not in coloured


@every_result
def test_markup_in_names_is_shown_and_not_obeyed(make: Callable[[Path, bool], Result], tmp_path: Path) -> None:
    with shown(full=True):
        plain = printed(make(tmp_path, False), 250, terminal=False)
    wanted = {"weights": (r"\x1b[31mEVIL.weight", "</script><b>")}.get(make.__name__, NAMES[:2])
    assert all(name in plain for name in wanted)


@every_result
@good_and_bad
def test_notebook_html_holds_no_foreign_tag_and_is_not_displayed_twice(
    make: Callable[[Path, bool], Result], good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    with shown(full=True):
        html = make(tmp_path, good)._repr_html_()
    assert html.startswith("<pre>")
    assert html.endswith("</pre>")
    assert not any(text in html for text in FORBIDDEN)


def test_nan_and_infinity_become_null_in_json(tmp_path: Path) -> None:
    class Ends(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.value = value

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.inner(x)
            return out.index_fill(0, torch.tensor([0]), self.value)

    torch.manual_seed(0)
    values = (float("nan"), float("inf"), -float("inf"), 0.0)
    for one in values:
        for other in values:
            result = verify(Ends(one), Ends(other), (torch.ones(2, 2),))
            json.dumps(result.to_dict(), allow_nan=False)
            assert printed(result, 120, terminal=False)
            assert not result.ok


def test_weights_report_of_the_api_shows_hostile_texts_harmlessly() -> None:
    findings = [Finding("MISSING", name, other=NAMES, note="plain") for name in NAMES]
    report = WeightsReport("here", 2, 1, tuple(findings), (Remark("code", "plain"),))
    assert printed(report, 400, terminal=False).replace("\n", "").isprintable()
    assert r"\x1b[31mEVIL" in report.failure_message()
