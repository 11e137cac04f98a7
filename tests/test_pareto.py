from __future__ import annotations

import numpy as np

from ncselect.pareto import pareto_front


def is_on_front(costs, one):
    """Look for somebody who beats one, as a person would."""
    for other in costs:
        if any(np.isnan(other)):
            continue
        if all(a <= b for a, b in zip(other, one, strict=True)) and any(
            a < b for a, b in zip(other, one, strict=True)
        ):
            return False
    return not any(np.isnan(one))


def test_the_front_is_what_a_walk_through_all_pairs_finds():
    random = np.random.default_rng(0)
    sizes = set()
    for _ in range(300):
        costs = random.integers(0, 4, size=(random.integers(1, 9), random.integers(1, 4))) / 2.0
        costs[random.random(costs.shape) < 0.05] = np.nan
        front = pareto_front(costs)
        assert front.tolist() == [is_on_front(costs, one) for one in costs]
        sizes.add(int(front.sum()))
    assert sizes >= {0, 1, 2, 3, 4}


def test_a_known_front():
    accuracy, milliseconds = [0.9, 0.8, 0.8, 0.7, 0.9], [9.0, 5.0, 6.0, 5.0, 9.0]
    front = pareto_front(np.column_stack([-np.array(accuracy), milliseconds]))
    assert front.tolist() == [True, True, False, False, True]
