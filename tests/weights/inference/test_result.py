from __future__ import annotations

import json

from toys import make_pair

from porting import Inference, infer_rules


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
