"""AlexNet as published: sizes, weights and response normalisation."""

from typing import Any

import keras
import numpy as np

from zoo.alexnet import alexnet
from zoo.response_normalization import ResponseNormalization


def layers(size: int) -> dict[str, Any]:
    return {layer.name: layer for layer in alexnet(keras.Input((size, size, 3))).layers}


def test_convolutions_have_the_published_weights_in_one_tower() -> None:
    # Krizhevsky et al. 2012, section 3.5: kernels 96 of 11×11×3, 256 of 5×5, 384 and 384 of
    # 3×3, 256 of 3×3; in one tower each sees all channels.
    built = layers(227)
    counts = [built[f"conv{number}"].count_params() for number in range(1, 6)]
    assert counts == [34_944, 614_656, 885_120, 1_327_488, 884_992]


def test_maps_have_the_published_sizes() -> None:
    # Section 3.5: the first layer's maps are 55 px (290,400 = 55 · 55 · 96 neurons, figure 2).
    built = layers(227)
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv5", "pool5")
    assert [built[name].output.shape[1] for name in names] == [55, 27, 27, 13, 13, 13, 6]
    assert np.prod(built["conv1"].output.shape[1:]) == 290_400
    # The dense layers of the paper would see 6 · 6 · 256 values.
    assert np.prod(built["pool5"].output.shape[1:]) == 9_216


def test_the_smallest_input_leaves_one_position() -> None:
    assert layers(67)["pool5"].output.shape[1:] == (1, 1, 256)


def test_initial_weights_follow_section_5() -> None:
    keras.utils.set_random_seed(0)
    built = layers(67)
    biases = [np.unique(np.asarray(built[f"conv{n}"].bias.value)).tolist() for n in range(1, 6)]
    assert biases == [[0.0], [1.0], [0.0], [1.0], [1.0]]
    kernel = np.asarray(built["conv4"].kernel.value)
    assert abs(kernel.std() - 0.01) < 1e-4
    assert abs(kernel.mean()) < 1e-4


def test_response_normalisation_is_the_papers_sum_entry_by_entry() -> None:
    a = np.random.default_rng(0).normal(0, 100, (2, 3, 2, 7))
    expected = np.empty_like(a)
    for i in range(7):
        near = a[..., max(0, i - 2) : min(6, i + 2) + 1]
        expected[..., i] = a[..., i] / (2 + 1e-4 * (near**2).sum(-1)) ** 0.75
    layer = ResponseNormalization()
    np.testing.assert_allclose(layer(a.astype("float32")), expected, rtol=1e-5)
    assert ResponseNormalization.from_config(layer.get_config()).get_config() == layer.get_config()
