"""The assignment problem, on plain integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(costs: np.ndarray, *, maximize: bool = False) -> Iterator[tuple[int, int]]:
    """Row and column of each pair of the assignment with the least total cost, or with the greatest.

    Args:
        costs: (rows, columns), finite.
        maximize: take ``costs`` as scores.
    """
    rows, columns = linear_sum_assignment(costs, maximize=maximize)
    return zip(rows.tolist(), columns.tolist(), strict=True)
