"""The base of a network: cut right, and its reach against finite differences."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from probed import convolutional, images, measurement, randomised, sample

from ncselect.measuring import channelwise
from ncselect.measuring.base import MeasuredBase
from ncselect.measuring.channelwise import _patches
from ncselect.measuring.probe import MeasuredProbe
from ncselect.measuring.split import split
from ncselect.numerics import mlp
from ncselect.signals import SIGNALS
from zoo.ncp import probe_unit


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("padding", "activation"), [("same", "tanh"), ("valid", "tanh"), ("same", "relu")]
)
def test_entrywise_reach_of_a_convolution_is_the_sum_over_its_weights(padding, activation, float64):
    conv = keras.layers.Conv2D(4, 3, strides=2, padding=padding, activation=activation, name="last")
    pool = keras.layers.GlobalAveragePooling2D()
    norm = keras.layers.BatchNormalization()
    model = convolutional([keras.layers.Conv2D(2, 3, activation=activation), conv, norm, pool])
    x, _ = images(5, 9)
    base = MeasuredBase(split(model), chunk=2)
    seen = base.seen(x)
    assert base.not_entrywise is None
    kernel = np.asarray(conv.kernel.value)
    absolute, signed = 0.0, 0.0
    for entry in range(kernel.size):
        moved = []
        for step in (1e-6, -1e-6):
            changed = kernel.copy()
            changed.flat[entry] += step
            conv.kernel.assign(changed)
            moved.append(base.features(x))
        slope = (moved[0] - moved[1]) / 2e-6
        absolute, signed = absolute + np.abs(slope), signed + slope
    conv.kernel.assign(kernel)
    np.testing.assert_allclose(seen.reach, signed, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(seen.entrywise_reach, absolute, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    "shape",
    [{"strides": (2, 3)}, {"dilation_rate": (2, 1)}, {"strides": (1, 2), "use_bias": False}],
    ids=str,
)
def test_signed_reach_is_the_slope_along_the_kernel(shape, padding, float64):
    conv = keras.layers.Conv2D(4, (3, 2), padding=padding, activation="tanh", **shape)
    norm = keras.layers.BatchNormalization()
    model = convolutional([conv, norm, keras.layers.GlobalAveragePooling2D()])
    x, _ = images(3, 9)
    base = MeasuredBase(split(model), chunk=2)
    seen = base.seen(x)
    assert base.not_entrywise is None
    np.testing.assert_allclose(seen.features, base.features(x), rtol=1e-12)
    np.testing.assert_allclose(seen.reach, moved_together(base, conv, x), rtol=1e-6, atol=1e-8)


def moved_together(base, layer, x):
    """The slope of the features as all weights of a layer's kernel move together."""
    kernel = np.asarray(layer.kernel.value)
    found = []
    for step in (1e-6, -1e-6):
        layer.kernel.assign(kernel + step)
        found.append(base.features(x))
    layer.kernel.assign(kernel)
    return (found[0] - found[1]) / 2e-6


def test_channels_that_mix_are_found_out_while_every_unit_is_dead(float64):
    conv = keras.layers.Conv2D(4, 3, activation="relu")
    mixing = keras.layers.LayerNormalization()
    model = convolutional([conv, mixing, keras.layers.GlobalAveragePooling2D()])
    x, _ = images(4, 9)
    bias = np.asarray(conv.bias.value)
    conv.bias.assign(bias - 1e3)
    base = MeasuredBase(split(model), chunk=2)
    assert not base.seen(x).reach.any()
    assert re.search("more than one feature", str(base.not_entrywise))
    conv.bias.assign(bias)
    alive = base.seen(x)
    assert alive.reach.any()
    assert alive.entrywise_reach is None
    np.testing.assert_allclose(alive.reach, moved_together(base, conv, x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("first", [0.0, np.nan])
def test_channels_are_known_not_to_mix_while_nothing_passes(first, float64):
    conv = keras.layers.Conv2D(4, 3, activation="relu")
    norm = keras.layers.BatchNormalization()
    model = convolutional([conv, norm, keras.layers.GlobalAveragePooling2D()])
    x, _ = images(4, 9)
    gamma = np.asarray(norm.gamma.value)
    norm.gamma.assign(np.full_like(gamma, first))
    base, fresh = (MeasuredBase(split(model), chunk=2) for _ in range(2))
    dead = base.seen(x)
    np.testing.assert_array_equal(dead.entrywise_reach, np.full((4, 4), first))
    norm.gamma.assign(gamma)
    alive = base.seen(x)
    assert base.not_entrywise is None
    np.testing.assert_allclose(alive.reach, moved_together(base, conv, x), rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(alive.entrywise_reach, fresh.seen(x).entrywise_reach)


def test_a_layer_that_makes_more_of_its_kernel_is_moved_as_it_is(float64):
    dense = keras.layers.Dense(4, activation="tanh")
    x = keras.Input((4,))
    model = keras.Model(x, probe_unit(dense(x), 3, units=(5, 4)))
    dense.enable_lora(2)
    randomised(model)
    rows, _ = sample(6)
    parts = split(model)
    base = MeasuredBase(parts, chunk=6)
    seen = base.seen(rows)
    assert re.search("more of its kernel than a plain product", str(base.not_entrywise))
    kernel = np.asarray(parts.kernel.value)
    moved = []
    for step in (1e-6, -1e-6):
        parts.kernel.assign(kernel + step)
        moved.append(base.features(rows))
    np.testing.assert_allclose(seen.reach, (moved[0] - moved[1]) / 2e-6, rtol=1e-7, atol=1e-8)


def test_patches_and_derivatives_held_at_once_are_bounded(monkeypatch, float64):
    conv = keras.layers.Conv2D(4, 3, activation="tanh")
    model = convolutional([conv, keras.layers.GlobalAveragePooling2D()])
    x, _ = images(8, 9)
    whole = MeasuredBase(split(model), chunk=8).seen(x)
    monkeypatch.setattr(channelwise, "_ENTRIES", 2 * 49 * 27 + 1)  # two images' patches
    base = MeasuredBase(split(model), chunk=8)
    sums, at_once = base._channelwise._sums, []
    monkeypatch.setattr(
        base._channelwise, "_sums", lambda *given: at_once.append(len(given[0])) or sums(*given)
    )
    part = base.seen(x)
    assert at_once == [2] * 4
    np.testing.assert_allclose(part.entrywise_reach, whole.entrywise_reach, rtol=1e-12)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("taps", "strides", "dilation"),
    [((1, 1), 1, 1), ((1, 1), 2, 1), ((3, 2), (2, 3), 1), ((2, 3), 1, (3, 2)), ((5, 4), (1, 2), 1)],
)
def test_patches_times_the_kernel_are_the_convolution(taps, strides, dilation, padding, float64):
    conv = keras.layers.Conv2D(
        4, taps, strides=strides, dilation_rate=dilation, padding=padding, use_bias=False
    )
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3))
    expected = np.asarray(conv(x))
    patches = np.asarray(_patches(keras.ops.convert_to_tensor(x), conv))
    kernel = np.asarray(conv.kernel.value).reshape(-1, 4)
    np.testing.assert_allclose(patches @ kernel, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (
            lambda: [keras.layers.DepthwiseConv2D(3), keras.layers.GlobalMaxPooling2D()],
            r"\(DepthwiseConv2D\), is neither a Dense nor a Conv2D",
        ),
        (
            lambda: [keras.layers.Conv2D(6, 3, groups=3), keras.layers.GlobalMaxPooling2D()],
            r"is grouped",
        ),
        (
            lambda: [keras.layers.Conv2D(2, 3), keras.layers.Flatten()],
            r"has 2 channels for 98 features",
        ),
        (
            lambda: [
                keras.layers.Conv2D(4, 3),
                keras.layers.LayerNormalization(),
                keras.layers.GlobalAveragePooling2D(),
            ],
            r"channels that feed more than one feature",
        ),
    ],
)
def test_an_entrywise_signal_that_cannot_be_had_is_absent_with_its_reason(layers, reason):
    measured = measurement(convolutional(layers()), *images(8, 9))
    found = measured.measure()
    absent = {name for name in SIGNALS if "base/held/entrywise" in name}
    assert set(measured.absent) == absent == set(SIGNALS) - set(found)
    assert all(re.search(reason, text) for text in measured.absent.values())


def test_a_shared_last_kernel_counts_wherever_it_is_used(float64):
    x = keras.Input((4,))
    shared = keras.layers.Dense(4, activation="tanh", name="base")
    model = keras.Model(x, probe_unit(shared(shared(x)), 3, units=(5, 4)))
    randomised(model)
    rows, _ = sample(6)
    base = MeasuredBase(split(model), chunk=6)
    kernel = np.asarray(shared.kernel.value)
    moved = []
    for step in (1e-6, -1e-6):
        shared.kernel.assign(kernel + step)
        moved.append(base.features(rows))
    shared.kernel.assign(kernel)
    seen = base.seen(rows)
    np.testing.assert_allclose(seen.reach, (moved[0] - moved[1]) / 2e-6, rtol=1e-7, atol=1e-8)
    assert "more than once" in str(base.not_entrywise)


@pytest.mark.parametrize(
    ("name", "last"),
    [("MobileNetV3Small", "conv_1"), ("ConvNeXtTiny", None), ("ResNet50V2", "conv5_block3_3_conv")],
)
def test_applications_are_cut_without_a_change(name, last):
    x = keras.Input((32, 32, 3), dtype="uint8")
    base = getattr(keras.applications, name)(
        include_top=False,
        weights=None,
        input_tensor=keras.ops.cast(x, "float32"),
        pooling="avg",
    )
    model = keras.Model(x, probe_unit(base.output, 3, units=(8, 4)))
    parts = split(model)
    rows, _ = images(3, 32)
    logits = MeasuredProbe(parts.probe).logits(MeasuredBase(parts, chunk=2).features(rows))
    np.testing.assert_allclose(
        logits, np.asarray(model(rows, training=False)), rtol=1e-4, atol=1e-5
    )
    assert len(parts.tail_variables) < len(parts.front_variables)
    if last:
        assert parts.layer.name == last


def test_a_real_mobilenet_against_finite_differences(real_data):
    x = keras.Input((64, 64, 3), dtype="uint8")
    application = keras.applications.MobileNet(
        include_top=False,
        alpha=0.25,
        weights=None,
        input_tensor=keras.layers.Rescaling(1 / 127.5, -1)(x),
        pooling="avg",
    )
    application.load_weights(real_data / "weights" / "mobilenet_v1_0.25_128_int8.weights.h5")
    model = keras.Model(x, probe_unit(application.output, 5))
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (64, 8, 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    rows, labels = coarse.astype(np.uint8), np.arange(64) % 5
    measured = measurement(model, rows, labels, classes=5)
    found = measured.measure()
    parts = split(model)
    base, probe = MeasuredBase(parts, chunk=64), MeasuredProbe(parts.probe)
    seen, kernel = base.seen(rows), np.asarray(parts.kernel.value)
    moved = []
    for step in (1e-5, -1e-5):
        parts.kernel.assign(kernel + step)
        moved.append(base.features(rows))
    parts.kernel.assign(kernel)
    slopes = (moved[0] - moved[1]) / 2e-5
    # float32 rounding and the kinks of ReLU6 spoil some entries, no more.
    size = np.abs(seen.reach).mean()
    assert np.median(np.abs(slopes - seen.reach)) < 0.01 * size
    assert slopes.sum() == pytest.approx(seen.reach.sum(), rel=0.01)

    layers = probe.layers()
    first, second = (at for at, layer in enumerate(layers[:-1]) if isinstance(layer, mlp.Dense))

    def gradient(shift, lift):
        """∂C/∂W of the probe's first kernel as the kernels beside it move by shift·1, lift·1."""
        above = mlp.Dense(layers[second].kernel + lift, layers[second].bias)
        changed = [*layers[:second], above, *layers[second + 1 :]]
        return mlp.gradients(changed, seen.features + shift * seen.reach, labels)[first]["kernel"]

    # So short a step that next to no ReLU changes sides.
    sent = (gradient(1e-9, 0) - gradient(-1e-9, 0)) / 2e-9
    received = (gradient(0, 1e-8) - gradient(0, -1e-8)) / 2e-8
    denominator, numerator = sent.sum() + received.sum(), (sent * received).sum()
    assert found["denominator/base/exact"] == pytest.approx(denominator, rel=0.01)
    assert found["beta/base/exact/signed"] == pytest.approx(numerator / denominator, rel=0.01)
    assert measured.absent == {}
