"""Culprits in print: the proof, the repair, and one line for the same mistake in many layers."""

from __future__ import annotations

from typing import Any

from seeded import verified, wrong_eps

from porting.report.culprits import culprit_texts


def printed(verification: Any) -> str:
    return "\n".join(text.plain for text in culprit_texts(verification.culprits))


def test_a_proven_cause_is_printed_with_its_repair() -> None:
    text = printed(verified(wrong_eps))
    assert "Culprit: model.layers.2.input_layernorm" in text
    assert "Cause: norm-eps  (proven: with the repair," in text
    assert "eps is 0.001, the original's eps is 1e-06" in text
    assert "Fix: " in text


def test_the_same_mistake_in_every_layer_is_said_once() -> None:
    def everywhere(port: Any) -> None:
        for layer in port.model.layers:
            layer.input_layernorm.eps = 1e-3

    text = printed(verified(everywhere))
    assert text.count("Cause: norm-eps") == 1
    assert "the same at 2 more modules: model.layers.1.input_layernorm, model.layers.2.input_layernorm" in text
