"""A probe unit, measured on features whose reach is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from probed import perceptron_network, sample

from ncselect.measuring.base import MeasuredBase
from ncselect.measuring.probe import MeasuredProbe
from ncselect.measuring.split import split


@pytest.mark.parametrize("broken", [np.inf, -np.inf, np.nan])
def test_a_reach_that_is_not_finite_spoils_only_the_degrees_with_the_base(broken):
    parts = split(perceptron_network())
    rows, labels = sample(8)
    seen = MeasuredBase(parts, chunk=8).seen(rows)
    probe = MeasuredProbe(parts.probe)
    whole = probe.degrees(seen.features, seen.reach, labels)
    reach = seen.reach.copy()
    reach[3, 2] = broken
    found = probe.degrees(seen.features, reach, labels)
    for layers in ("kernels", "norm"):
        for side, expected in zip(found[layers], whole[layers], strict=True):
            for degree, true in zip(side, expected, strict=True):
                assert np.isfinite(true).all()
                np.testing.assert_allclose(degree, true, rtol=1e-6, atol=1e-9)
    for side, expected in zip(found["base"], whole["base"], strict=True):
        assert [degree.shape for degree in side] == [true.shape for true in expected]
        assert all(np.isnan(degree).all() for degree in side)
