"""The rows of the layer table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from toys import make_inputs, make_pair

from porting import Verification, verify
from porting.report.rows import CULPRIT, INHERITED, OK, Row, folded, layer_rows

PLAIN = Row("a", "Linear", 1e-7, 0.0, 0.0, OK)


def verified() -> Verification:
    original, ported = make_pair()
    port: Any = ported
    nn.init.normal_(port.model.layers[1].mlp.down.weight)
    first, second = make_inputs()
    return verify(original, ported, second, original_inputs=first)


def test_each_aligned_call_has_a_row_in_the_order_of_returning() -> None:
    rows = layer_rows(verified())
    names = [row.name for row in rows]
    assert names.index("model.embed_tokens") < names.index("model.layers.0") < names.index("model.layers.1.mlp.down")
    assert names[-1] == "(model)"


def test_a_row_says_whose_fault_it_is() -> None:
    states = {row.name: (row.state, row.note) for row in layer_rows(verified())}
    assert states["model.layers.0"] == (OK, "")
    assert states["model.layers.1.mlp.down"] == (CULPRIT, "weights")
    assert states["model.layers.2"] == (INHERITED, "")


def test_equal_layers_are_folded_with_their_largest_figures() -> None:
    rows = [replace(PLAIN, name=f"layer.{n}.dense", accumulated=n * 1e-7) for n in range(4)]
    assert folded(rows) == [replace(PLAIN, name="layer.{0...3}.dense", accumulated=3e-7)]


def test_rows_of_another_state_are_not_folded_together() -> None:
    rows = [replace(PLAIN, name=f"layer.{n}", state=CULPRIT if n == 1 else OK) for n in range(3)]
    assert [row.name for row in folded(rows)] == ["layer.{0, 2}", "layer.1"]


def test_below_an_inherited_container_nothing_is_shown() -> None:
    rows = [replace(PLAIN, name=name, state=INHERITED) for name in ("layer.0.dense", "layer.0.norm", "layer.0")]
    assert [row.name for row in folded(rows)] == ["layer.0"]
