"""What repeats in a model, by the names and shapes of its tensors."""

from __future__ import annotations

from nearest.named import decoder, experts

from porting.nearest.cells import MOST_HELD, cells_of
from porting.nearest.roles import roles


def test_equal_layers_are_one_block_and_the_rest_stands_outside() -> None:
    block, outside = cells_of(decoder(layers=5))
    assert (block.path, block.times, len(block.held), block.total) == ("layers.*", 5, 9, 45)
    assert [held.name for held in outside.held] == ["tok_embeddings.weight", "norm.weight", "output.weight"]


def test_lists_in_a_block_are_one_tensor_each() -> None:
    block, _ = cells_of(experts(count=6))
    shapes = {held.name: held.shape for held in block.held}
    assert shapes["block_sparse_moe.experts.*.w1.weight"] == (6, 896, 320)


def test_layers_that_differ_are_blocks_of_their_own() -> None:
    shapes = decoder(layers=4) | {"layers.0.attention.bias_table.weight": (32, 8)}
    found = {cell.path: (cell.times, len(cell.held)) for cell in cells_of(shapes) if cell.path}
    assert found == {"layers.0": (1, 10), "layers.*": (3, 9)}


def test_stages_are_taken_apart_into_their_blocks() -> None:
    shapes = {
        f"stages.{stage}.blocks.{block}.{part}.{leaf}": (width, width)[: 1 + (leaf == "weight")]
        for stage, (width, depth) in enumerate([(8, 2), (16, 1), (32, 3)])
        for block in range(depth)
        for part in ("one", "two", "three")
        for leaf in ("weight", "bias")
    }
    found = {cell.path: cell.times for cell in cells_of(shapes)}
    assert found == {"stages.0.blocks.*": 2, "stages.1.blocks.0": 1, "stages.2.blocks.*": 3}


def test_buffers_that_models_compute_are_left_out() -> None:
    shapes = {"a.weight": (3, 3), "a.position_ids": (1, 512), "rotary.inv_freq": (32,), "bn.num_batches_tracked": ()}
    (outside,) = cells_of(shapes)
    assert [held.name for held in outside.held] == ["a.weight"]


def test_a_bias_of_a_norm_is_another_than_that_of_a_matrix() -> None:
    shapes = {"norm.weight": (8,), "norm.bias": (8,), "fc.weight": (4, 8), "fc.bias": (4,), "in_proj_weight": (24, 8)}
    (outside,) = cells_of(shapes | {"in_proj_bias": (24,)})
    assert roles(outside) == ["weight", "shift", "", "bias", "", "bias"]


def test_of_very_many_tensors_in_one_place_some_are_looked_at() -> None:
    (outside,) = cells_of({f"table_of_{'x' * (n % 9)}{n}.weight": (n, n) for n in range(3 * MOST_HELD)})
    assert len(outside.held) == MOST_HELD
    assert outside.total == 3 * MOST_HELD
