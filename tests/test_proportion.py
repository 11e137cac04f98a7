from __future__ import annotations

import pytest
from scipy.stats import binomtest

from ncselect.numerics.proportion import wilson_interval


@pytest.mark.parametrize(
    ("right", "cases"), [(0, 1), (1, 1), (0, 80), (80, 80), (7, 9), (733, 1000)]
)
def test_the_interval_is_scipy_s(right, cases):
    found = binomtest(right, cases).proportion_ci(method="wilson")
    assert wilson_interval(right / cases, cases) == pytest.approx(
        (found.low, found.high), abs=1e-12
    )
