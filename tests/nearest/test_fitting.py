"""One block fits into another, whatever is one tensor on one side and several on the other."""

from __future__ import annotations

from porting.nearest.cells import Cell, Held
from porting.nearest.fitting import fit

WIDTH = 96


def block(**sizes: tuple[int, ...]) -> Cell:
    """A block with these tensors, ``__`` for the dots in their names."""
    return Cell("layers.*", 4, tuple(Held(name.replace("__", "."), shape) for name, shape in sizes.items()))


def projections(leaf: str, shape: tuple[int, ...], attention: str = "attn") -> dict[str, tuple[int, ...]]:
    return {f"{attention}__{part}__{leaf}": shape for part in ("q_proj", "k_proj", "v_proj")}


def test_biases_of_like_sizes_take_no_part_of_a_fused_one() -> None:
    def ends(width: int, down: str) -> dict[str, tuple[int, ...]]:
        matrices = {"attn__wo__weight": (width, width), f"{down}__weight": (width, 4 * width)}
        return matrices | {"attn__wo__bias": (width,), f"{down}__bias": (width,)}

    fused = block(attn__qkv__weight=(3 * WIDTH, WIDTH), attn__qkv__bias=(3 * WIDTH,), **ends(WIDTH, "c_proj"))
    apart = block(**projections("weight", (64, 64)), **projections("bias", (64,)), **ends(64, "fc2"))
    found = fit(fused, apart)
    assert (found.left, found.empty) == ((), ())
    assert {placing.how for placing in found.placings} == {"same", "split"}


def test_projections_that_lie_a_module_deeper_are_parts_of_one() -> None:
    fused = block(attn__qkv__inner__weight=(3 * WIDTH, WIDTH), norm__weight=(WIDTH,))
    apart = block(**projections("inner__weight", (64, 64)), norm__weight=(64,))
    found = fit(fused, apart)
    assert (found.left, found.empty) == ((), ())


def test_parts_of_two_attentions_are_not_mixed() -> None:
    fused = block(self_attn__qkv__weight=(3 * WIDTH, WIDTH), norm__weight=(WIDTH,))
    one, other = (projections("weight", (64, 64), where) for where in ("self_attn", "cross_attn"))
    found = fit(fused, block(**one, **other, norm__weight=(64,)))
    (split,) = (placing for placing in found.placings if placing.how == "split")
    assert len({held.name.partition(".")[0] for held in split.targets}) == 1
    assert len(found.empty) == 3


def test_a_tensor_without_a_telling_name_may_be_several_parts_where_nothing_else_is() -> None:
    stacked = block(experts__w13=(6, 2 * 160, WIDTH), experts__w2=(6, WIDTH, 160), norm__weight=(WIDTH,))
    known = block(experts__gate_up_proj=(4, 256, 64), experts__down_proj=(4, 64, 128), norm__weight=(64,))
    found = fit(stacked, known)
    assert (found.left, found.empty) == ((), ())


def test_a_part_without_the_other_is_not_the_whole() -> None:
    alone = block(mlp__gate__weight=(320, WIDTH), mlp__down__weight=(WIDTH, 160), norm__weight=(WIDTH,))
    known = block(mlp__gate_up_proj__weight=(256, 64), mlp__down_proj__weight=(64, 128), norm__weight=(64,))
    found = fit(alone, known)
    assert [held.name for held in found.left] == ["mlp.gate.weight"]
