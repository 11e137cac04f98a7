"""The published counting against loops; the correct one is tested against Keras's own layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ncselect.graphs.taps import taps_of
from ncselect.graphs.unrolled import UnrolledNetwork


def aliased_edges(kernel, size, padding, stride):
    """Return the edges, tap by tap, those in the padding from pixel 0 of the channel."""
    height, width = size
    rows, columns, channels, filters = kernel.shape
    outputs = [(n + 2 * padding - 3) // stride + 1 for n in size]
    edges = {}
    for y, x, f, r, c, channel in np.ndindex(*outputs, filters, rows, columns, channels):
        i, j = y * stride + r - padding, x * stride + c - padding
        pixel = i * width + j if 0 <= i < height and 0 <= j < width else 0
        edge = (pixel * channels + channel, (y * outputs[1] + x) * filters + f)
        edges[edge] = edges.get(edge, 0.0) + kernel[r, c, channel, f]
    return edges


@pytest.mark.parametrize("explicit", [True, False], ids=["padding layer", "own padding"])
@pytest.mark.parametrize(("size", "stride"), [((5, 5), 1), ((6, 4), 1), ((7, 7), 2)])
def test_published_counting_takes_padded_taps_for_pixel_0(size, stride, explicit):
    given = keras.Input((*size, 2))
    if explicit:
        padded = layers.ZeroPadding2D(1)(given)
        made = keras.Model(given, layers.Conv2D(3, 3, strides=stride)(padded))
    else:
        made = keras.Model(given, layers.Conv2D(3, 3, strides=stride, padding="same")(given))
    unrolled = UnrolledNetwork(made, counting="published")
    (block,) = unrolled.graph().blocks
    expected = aliased_edges(made.get_weights()[0].astype(float), size, 1, stride)
    found = block.weights.tocoo()
    rows = block.sources[found.row]
    columns = block.targets[found.col] - 2 * size[0] * size[1]
    ends = zip(rows.tolist(), columns.tolist(), strict=True)
    edges = dict(zip(ends, found.data.tolist(), strict=True))
    assert unrolled.edges == len(expected)
    assert edges == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_taps_are_those_of_a_window_that_moves():
    taps = taps_of((4,), (3,), strides=(2,), padding="same")  # windows 0 1 2 and 2 3 –
    assert taps.size == (2,)
    assert taps.source.tolist() == [0, 1, 2, 2, 3, -1]
    assert taps.target.tolist() == [0, 0, 0, 1, 1, 1]
    assert taps.tap.tolist() == [0, 1, 2, 0, 1, 2]
