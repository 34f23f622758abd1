from __future__ import annotations

import ast
import json

import click
import pytest
from toys import make_pair

from porting import Inference, infer_rules
from porting.cli._frame import finish


def inferred() -> Inference:
    original, ported = make_pair()
    return infer_rules({**original.state_dict(), "old\x1b[31m.freqs": original.norm.weight}, ported)


def test_the_rules_can_be_pasted() -> None:
    inference = inferred()
    scope: dict[str, object] = {}
    exec(inference.python(), scope)
    rules = scope["rules"]
    assert callable(rules)
    assert rules() == inference.rules


def test_what_is_not_certain_says_so_in_the_python() -> None:
    text = inferred().python()
    assert "# likely: " in text
    assert text.index("# likely: ") < text.index("Split()")


def test_the_document_is_plain_json() -> None:
    document = json.loads(json.dumps(inferred().to_dict(), allow_nan=False))
    assert document["schema"] == 1
    assert document["total"] == sum(document["counts"].values())
    assert {"confidence", "score", "evidence", "rule", "targets"} <= document["rules"][0].keys()
    assert document["verdict"] is None


def test_doubt_without_an_original_is_inconclusive() -> None:
    inference = inferred()
    assert inference.ambiguous
    assert (inference.ok, inference.exit_code) == (False, 3)


def test_the_rendering_shows_rules_evidence_and_what_to_do_and_no_control_character() -> None:
    text = inferred().text()
    assert "blocks.{i:d}.attn.qkv.{leaf:weight|bias}" in text
    assert "Next: paste the rules into the portfile" in text
    assert "\x1b" not in text


def test_the_printed_rules_can_be_pasted_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    original, ported = make_pair()
    name = f"{'a ' * 60}print('run'), {'b ' * 60}"
    inference = infer_rules({**original.state_dict(), name: original.norm.weight}, ported)
    with pytest.raises(click.exceptions.Exit):
        finish(inference, as_json=False)
    printed = capsys.readouterr().out
    assert inference.python() in printed
    called = [node for node in ast.walk(ast.parse(inference.python())) if isinstance(node, ast.Call)]
    assert "print" not in {ast.unparse(call.func) for call in called}
