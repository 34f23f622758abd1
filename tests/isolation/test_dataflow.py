"""What tensors were made from, operation by operation."""

from __future__ import annotations

import torch

from porting.isolation.dataflow import Dataflow


def made_from(flow: Dataflow, tensor: torch.Tensor) -> set[int]:
    """All operations that a tensor rests on."""
    found: set[int] = set()
    waiting = flow.nodes([tensor])
    while waiting:
        node = waiting.pop()
        found.add(node)
        waiting += flow.sources[node]
    return found


def followed() -> tuple[Dataflow, torch.Tensor, torch.Tensor, int, int]:
    flow = Dataflow(lambda: None)
    one, other = torch.ones(4), torch.ones(4)
    return flow, one, other, flow.add([one], (), None), flow.add([other], (), None)


def test_a_result_rests_on_what_it_was_computed_from() -> None:
    flow, one, other, first, second = followed()
    with flow:
        both, alone = torch.stack([one, other * 2]), other.view(2, 2).t()
    assert {first, second} <= made_from(flow, both)
    assert first not in made_from(flow, alone)
    assert second in made_from(flow, alone)


def test_what_is_written_into_a_view_is_in_all_that_share_its_memory() -> None:
    flow, one, other, first, second = followed()
    with flow:
        one[:2].add_(other[:2])
        result = one.view(2, 2) + 0
    assert {first, second} <= made_from(flow, result)


def test_an_assignment_to_a_part_counts() -> None:
    flow, one, other, first, second = followed()
    with flow:
        one[1:] = other[1:]
        result = one + 0
    assert {first, second} <= made_from(flow, result)


def test_a_tensor_that_was_replaced_as_a_whole_rests_on_nothing_else() -> None:
    flow, one, _, first, _ = followed()
    with flow:
        view = one.view(2, 2)
    new = flow.add([one], (), None)
    flow.wrote(one, new, anew=True)
    assert made_from(flow, view) == {new, *flow.nodes([view])}
    assert first not in made_from(flow, one)


def test_nothing_is_followed_in_a_pause() -> None:
    flow, one, *_ = followed()
    with flow, flow.paused():
        result = one + 1
    assert flow.node(result) is None
