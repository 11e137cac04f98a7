"""Rolled graphs: the published sizes, graphs counted by hand, and a twin that probes the model."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse

from ncselect.graphs.export import to_scipy
from ncselect.graphs.rolled import MODES, RolledNetwork, rolled_graph
from zoo.errors import InputError
from zoo.small import NETWORKS
from zoo.small.lenet import lenet


def classifier(network, classes):
    return keras.Model(network.inputs[0], layers.Dense(classes)(network.outputs[0]))


def images(*shape):
    return keras.Input(shape or (32, 32, 3))


# Table 5 of the paper, rows of the rolled graph; the ResNets count the chain of their blocks.
TABLE_5 = {
    "LeNet CIFAR-10": (lambda: lenet(images()), 10, 239, 12_954),
    "AlexNet CIFAR-10": (lambda: NETWORKS["AlexNetSmall"](images()), 10, 2_925, 1_160_480),
    "VGG CIFAR-10": (lambda: NETWORKS["VGGSmall"](images()), 10, 1_613, 304_576),
    "ResNet32 CIFAR-10": (lambda: NETWORKS["ResNet32"](images()), 10, 1_149, 51_888),
    "ResNet44 CIFAR-10": (lambda: NETWORKS["ResNet44"](images()), 10, 1_597, 73_392),
    "LeNet ImageNet": (lambda: lenet(images(), units=(336, 252)), 100, 713, 115_362),
    "AlexNet ImageNet": (lambda: NETWORKS["AlexNetSmall"](images()), 100, 3_015, 1_206_560),
    "ResNet50 ImageNet": (lambda: NETWORKS["ResNet50Small"](images()), 100, 22_823, 10_821_824),
}


@pytest.mark.parametrize("row", list(TABLE_5))
def test_sizes_are_those_of_table_5(row):
    network, classes, nodes, edges = TABLE_5[row]
    model = classifier(network(), classes)
    found = rolled_graph(model, "chain")
    assert (found.nodes, found.edges) == (nodes, edges)
    if "ResNet" not in row:  # without sums all modes are one
        for mode in MODES:
            other = rolled_graph(model, mode)
            assert (other.nodes, other.edges) == (nodes, edges)


def residual():
    """Input 3, a 4, then b1 4 and b2 4 beside the shortcut s 4, a sum, and a dense layer of 2."""
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="a")(pixels := images(8, 8, 3))
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="b1")(x)
    y = layers.Conv2D(4, 3, padding="same", name="b2")(y)
    x = layers.Add(name="sum")([layers.Conv2D(4, 1, name="s")(x), y])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(pixels, layers.Dense(2, name="d")(x))


def gated():
    """Input 3, a 4, squeezed by r 2 and e 4 to a gate on a, and a dense layer of 2."""
    x = layers.Conv2D(4, 3, activation="relu", name="a")(pixels := images(8, 8, 3))
    gate = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(2, 1, activation="relu", name="r")(gate)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="e")(gate)
    x = layers.Multiply(name="product")([gate, x])
    return keras.Model(pixels, layers.Dense(2, name="d")(layers.GlobalMaxPooling2D()(x)))


@pytest.mark.parametrize(
    ("build", "mode", "names", "nodes", "edges"),
    [
        (residual, "junction", "input a b1 b2 d s sum", 25, 12 + 16 + 16 + 16 + 8 + 8),
        (residual, "union", "input a b1 b2 d s", 21, 12 + 16 + 16 + 16 + 16),
        (residual, "chain", "input a b1 b2 d", 17, 12 + 16 + 16 + 8),
        (gated, "junction", "input a d e product r", 19, 12 + 8 + 8 + 8 + 8),
        (gated, "union", "input a d e r", 15, 12 + 8 + 8 + 16),
        (gated, "chain", "input a d", 9, 12 + 8),
    ],
)
def test_small_networks_counted_by_hand(build, mode, names, nodes, edges):
    found = rolled_graph(build(), mode)
    assert sorted(layer.name for layer in found.layers) == sorted(names.split())
    assert (found.nodes, found.edges) == (nodes, edges)


def between(graph, source, target):
    """Return the weights of all edges between two layers, dense."""
    starts = np.cumsum([0, *(layer.nodes for layer in graph.layers)])
    names = [layer.name for layer in graph.layers]
    first, second = names.index(source), names.index(target)
    matrix = to_scipy(graph).toarray()
    return matrix[starts[first] : starts[first + 1], starts[second] : starts[second + 1]]


def values(layer, name="kernel"):
    return np.asarray(getattr(layer, name).value, np.float64)


def test_weights_are_the_papers_norms_and_sums_have_weight_one():
    model = residual()
    found = rolled_graph(model)
    kernel = values(model.get_layer("b1"))
    for k in range(4):
        for unit in range(4):
            norm = math.sqrt(sum(tap**2 for tap in kernel[:, :, k, unit].reshape(-1)))
            assert between(found, "a", "b1")[k, unit] == pytest.approx(norm, rel=1e-12)
    np.testing.assert_allclose(between(found, "sum", "d"), np.abs(values(model.get_layer("d"))))
    np.testing.assert_array_equal(between(found, "b2", "sum"), np.eye(4))
    np.testing.assert_array_equal(between(found, "s", "sum"), np.eye(4))
    union = rolled_graph(model, "union")
    for name in ("b2", "s"):
        np.testing.assert_allclose(between(union, name, "d"), np.abs(values(model.get_layer("d"))))


def test_a_dense_layer_on_flattened_channels_takes_the_norm_over_positions():
    x = layers.Conv2D(3, 2, name="a")(pixels := images(4, 5, 2))
    model = keras.Model(pixels, layers.Dense(2, name="d")(layers.Flatten()(x)))
    kernel = values(model.get_layer("d")).reshape(3, 4, 3, 2)
    expected = [
        [math.sqrt((kernel[:, :, channel, unit] ** 2).sum()) for unit in range(2)]
        for channel in range(3)
    ]
    np.testing.assert_allclose(between(rolled_graph(model), "a", "d"), expected)


@pytest.mark.parametrize("shape", [(2, 3, 2), (1, 1, 2)])
def test_padding_has_no_edges_to_a_dense_layer(shape):
    pixels = images(*shape)
    layer = layers.ZeroPadding2D(((1, 0), (0, 2)))(pixels)
    operation = keras.ops.pad(pixels, [[0, 0], [1, 0], [0, 2], [0, 0]])
    dense = layers.Dense(2, name="d")
    model = keras.Model(pixels, dense(layers.Flatten()(layer)))
    kernel = values(dense).reshape(shape[0] + 1, shape[1] + 2, 2, 2)[1:, : shape[1]]
    found = between(rolled_graph(model), "input", "d")
    np.testing.assert_allclose(found, np.sqrt((kernel**2).sum(axis=(0, 1))))
    other = keras.Model(pixels, dense(layers.Flatten()(operation)))
    np.testing.assert_array_equal(between(rolled_graph(other), "input", "d"), found)


def padded(shape):
    x = layers.ZeroPadding2D(1)(layers.Conv2D(3, 1, name="a")(pixels := images(*shape)))
    y = layers.Conv2D(3, 3, padding="same", name="b")(layers.MaxPooling2D(3, 1, "same")(x))
    z = layers.UpSampling2D(2)(layers.AveragePooling2D(2)(layers.Add(name="sum")([x, y])))
    return keras.Model(pixels, layers.Dense(2, name="d")(layers.GlobalAveragePooling2D()(z)))


@pytest.mark.parametrize("shape", [(4, 4, 2), (None, None, 2)], ids=["known", "open"])
def test_padding_that_a_sum_or_a_pooling_meets_changes_no_channel(shape):
    found = rolled_graph(padded(shape))
    assert {layer.name: layer.nodes for layer in found.layers} == {
        "input": 2, "a": 3, "b": 3, "sum": 3, "d": 2,
    }  # fmt: skip
    assert found.edges == 6 + 9 + 3 + 3 + 6
    np.testing.assert_array_equal(between(found, "a", "sum"), np.eye(3))


def test_a_graph_is_of_the_present_weights():
    model = residual()
    network = RolledNetwork(model)
    before = between(network.graph(), "a", "b1")
    model.get_layer("b1").kernel.assign(-3 * model.get_layer("b1").kernel)
    np.testing.assert_allclose(between(network.graph(), "a", "b1"), 3 * before)


# The twin: a network whose kernels are all 0 gives, anywhere, what biases pass on without any
# weighted layer between; so the bias of one filter shows which features come from it.


def weighted(model):
    return [layer for layer in model.layers if hasattr(layer, "bias")]


def sensed(model):
    """Return, per weighted layer, which features of its input each filter before it reaches."""
    own = weighted(model)
    for layer in own:
        for weight in layer.weights:
            weight.assign(np.zeros(weight.shape))
    probe = keras.Model(model.inputs[0], [layer.input for layer in own])
    shape = (1, *model.input_shape[1:])
    silent = np.zeros(shape, "float32")
    rest = [np.asarray(one) for one in probe(silent)]
    reached = {}

    def sense(name, index, given):
        for layer, before, after in zip(own, rest, probe(given), strict=True):
            changed = (np.asarray(after) != before).reshape(-1, before.shape[-1]).any(0)
            reached[name, index, layer.name] = np.flatnonzero(changed)

    for channel in range(shape[-1]):
        given = silent.copy()
        given[..., channel] = 1
        sense("input", channel, given)
    for layer in own:
        for unit in range(layer.bias.shape[0]):
            layer.bias.assign(np.eye(layer.bias.shape[0])[unit])
            sense(layer.name, unit, silent)
        layer.bias.assign(np.zeros(layer.bias.shape))
    return reached


def naive(model):
    """Return {(layer, channel), (layer, unit): weight}, by loops over every edge."""
    kept = {layer.name: [np.asarray(one.value) for one in layer.weights] for layer in model.layers}
    kernels = {layer.name: values(layer) for layer in weighted(model)}
    reached = sensed(model)
    for layer in model.layers:
        layer.set_weights(kept[layer.name])
    edges = {}
    for (source, index, name), features in reached.items():
        layer, kernel = model.get_layer(name), kernels[name]
        units = layer.bias.shape[0]
        for unit in range(units):
            squares = []
            for feature in features:
                if isinstance(layer, layers.DepthwiseConv2D):
                    each = kernel.shape[-1]
                    if unit // each == feature:
                        squares.append((kernel[:, :, feature, unit % each] ** 2).sum())
                elif isinstance(layer, layers.Conv2DTranspose):
                    squares.append((kernel[:, :, unit, feature] ** 2).sum())
                elif isinstance(layer, layers.Conv2D):
                    within = kernel.shape[2]
                    if feature // within == unit // (units // layer.groups):
                        squares.append((kernel[:, :, feature % within, unit] ** 2).sum())
                else:
                    squares.append(kernel[feature, unit] ** 2)
            if squares:
                edges[(source, index), (name, unit)] = math.sqrt(sum(squares))
    return edges


def listed(graph):
    """Return a graph's edges in the form of :func:`naive`."""
    ends = [(layer.name, index) for layer in graph.layers for index in range(layer.nodes)]
    edges = {}
    for block in graph.blocks:
        weights = sparse.coo_array(block.weights)
        if not sparse.issparse(block.weights):
            weights = sparse.coo_array(
                (block.weights.reshape(-1), np.indices(block.weights.shape).reshape(2, -1))
            )
        for row, column, weight in zip(weights.row, weights.col, weights.data, strict=True):
            edge = ends[block.sources[row]], ends[block.targets[column]]
            assert edge not in edges
            edges[edge] = weight
    return edges


def made(seed):
    """Return a random network on 6 × 6 images: a dozen layers, each on something before it."""
    generator = np.random.default_rng(seed)
    pixels = images(6, 6, 2)
    maps = [layers.Conv2D(4, 3, padding="same")(pixels)]
    for _ in range(14):
        x = maps[generator.integers(max(0, len(maps) - 3), len(maps))]
        channels = x.shape[-1]
        even = 2 if channels % 2 == 0 else 1
        alike = [one for one in maps if one.shape == x.shape and one is not x]
        choices = [
            layers.Conv2D(3, 3, padding="same"),
            lambda x, even=even: layers.Conv2D(2 * even, 3, padding="same", groups=even)(x),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            layers.Conv2DTranspose(3, 3, padding="same"),
            layers.Dense(3),
            lambda x: layers.Concatenate()([x, maps[0]]),
            lambda x, alike=alike: layers.Add()([*alike[-1:], x]) if alike else layers.ReLU()(x),
            lambda x: layers.MaxPooling2D(2, 1, padding="same")(layers.BatchNormalization()(x)),
            lambda x: keras.ops.flip(x, axis=-1) * 0.5 + 1.0,
            lambda x: layers.Permute((1, 3, 2))(layers.Permute((1, 3, 2))(x)),
            lambda x: layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x[..., ::-1])),
            lambda x: keras.ops.pad(x[..., 1:], [[0, 0]] * 3 + [[1, 0]]),
        ]
        x = choices[generator.integers(len(choices))](x)
        if x.shape[-1] <= 12:
            maps.append(x)
    x = layers.Flatten()(layers.Cropping2D(2)(maps[-1]))
    return keras.Model(pixels, layers.Dense(3)(layers.Dropout(0.2)(layers.Dense(4)(x))))


@pytest.mark.parametrize("seed", range(8))
def test_edges_are_what_probing_the_model_finds(seed):
    model = made(seed)
    found, expected = listed(rolled_graph(model, "union")), naive(model)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(
        [found[edge] for edge in expected], list(expected.values()), rtol=1e-6
    )
    apart = through_junctions(rolled_graph(model, "junction"), model)
    assert apart == expected.keys()


def through_junctions(graph, model):
    """Return the pairs of filters that are joined directly or by junctions alone."""
    own = {"input", *(layer.name for layer in weighted(model))}
    after = {}
    for source, target in listed(graph):
        after.setdefault(source, []).append(target)
    pairs = set()
    for source in after:
        if source[0] in own:
            pending = list(after[source])
            while pending:
                target = pending.pop()
                if target[0] in own:
                    pairs.add((source, target))
                else:
                    pending.extend(after.get(target, []))
    return pairs


def test_a_separable_convolution_has_depthwise_filters_of_its_own():
    x = layers.SeparableConv2D(4, 3, depth_multiplier=2, name="s")(pixels := images(5, 5, 3))
    model = keras.Model(pixels, x)
    layer, found = model.get_layer("s"), rolled_graph(model)
    assert [(one.name, one.nodes) for one in found.layers] == [
        ("input", 3), ("s/depthwise", 6), ("s", 4),
    ]  # fmt: skip
    expected = np.zeros((3, 6))
    for channel in range(3):
        for each in range(2):
            tap = values(layer, "depthwise_kernel")[:, :, channel, each]
            expected[channel, 2 * channel + each] = np.linalg.norm(tap)
    np.testing.assert_allclose(between(found, "input", "s/depthwise"), expected)
    pointwise = np.abs(values(layer, "pointwise_kernel")[0, 0])
    np.testing.assert_allclose(between(found, "s/depthwise", "s"), pointwise)
    assert found.edges == 6 + 24


@pytest.mark.parametrize(
    ("kind", "shape", "rank"),
    [
        (layers.Conv1D, (9, 3), 1),
        (layers.Conv3D, (5, 5, 5, 3), 3),
        (layers.Conv1DTranspose, (9, 3), 1),
        (layers.Conv3DTranspose, (4, 4, 4, 3), 3),
    ],
)
def test_convolutions_over_other_numbers_of_axes(kind, shape, rank):
    pixels = keras.Input(shape)
    model = keras.Model(pixels, kind(4, 2, name="c")(pixels))
    kernel = values(model.get_layer("c"))
    norms = np.sqrt((kernel**2).sum(tuple(range(rank))))
    expected = norms.T if "Transpose" in kind.__name__ else norms
    np.testing.assert_allclose(between(rolled_graph(model), "input", "c"), expected)


def test_channels_may_come_first():
    x = layers.Conv2D(4, 3, data_format="channels_first", name="a")(pixels := images(3, 9, 8))
    x = layers.MaxPooling2D(data_format="channels_first")(x)
    x = layers.Flatten(data_format="channels_first")(x)
    model = keras.Model(pixels, layers.Dense(2, name="d")(x))
    found = rolled_graph(model)
    assert [layer.nodes for layer in found.layers] == [3, 4, 2]
    kernel = values(model.get_layer("d")).reshape(3, 3, 4, 2)  # Flatten moves channels last
    np.testing.assert_allclose(between(found, "a", "d"), np.sqrt((kernel**2).sum((0, 1))))


def test_units_that_are_reshaped_to_an_image_stay_apart():
    x = layers.Reshape((2, 2, 3))(layers.Dense(12, name="u")(noise := keras.Input((5,))))
    model = keras.Model(noise, layers.Conv2D(4, 2, name="c")(layers.ZeroPadding2D(1)(x)))
    norms = np.sqrt((values(model.get_layer("c")) ** 2).sum((0, 1)))
    expected = norms[np.arange(12) % 3]
    np.testing.assert_allclose(between(rolled_graph(model), "u", "c"), expected)


def test_units_that_are_pooled_all_count():
    x = layers.Reshape((2, 2, 3))(layers.Dense(12, name="u")(noise := keras.Input((5,))))
    model = keras.Model(noise, layers.Dense(4, name="d")(layers.GlobalAveragePooling2D()(x)))
    expected = np.abs(values(model.get_layer("d")))[np.arange(12) % 3]
    np.testing.assert_allclose(between(rolled_graph(model), "u", "d"), expected)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_float16"])
def test_weights_of_half_precision_are_read_as_they_are(dtype):
    dense = layers.Dense(3, dtype=dtype, name="d")
    model = keras.Model(given := keras.Input((4,)), dense(given))
    expected = np.abs(np.asarray(keras.ops.cast(dense.kernel, "float32")))
    np.testing.assert_array_equal(between(rolled_graph(model), "input", "d"), expected)


def test_quantised_weights_are_refused():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d")])
    model.get_layer("d").quantize("int8")
    with pytest.raises(InputError, match=r"'d' \(Dense\) is quantised.*before it was quantised"):
        rolled_graph(model)


def test_a_layer_used_twice_has_nodes_twice_with_the_same_weights():
    shared = layers.Dense(3, name="shared")
    model = keras.Model(given := keras.Input((3,)), shared(shared(given)))
    found = rolled_graph(model)
    assert (found.nodes, found.edges) == (9, 18)
    first, second = found.blocks
    np.testing.assert_array_equal(first.weights, second.weights)


def normalisation(layer):
    """Give a batch normalisation arbitrary statistics; return its factors by channel."""
    generator = np.random.default_rng(1)
    for weight in layer.weights:
        sign = -1 if weight.name == "gamma" else 1
        weight.assign(sign * generator.uniform(0.5, 2.0, weight.shape))
    return np.abs(values(layer, "gamma")) / np.sqrt(values(layer, "moving_variance") + 1e-3)


def test_folding_a_normalisation_scales_the_filters_before_it():
    x = layers.Conv2D(4, 3, name="a")(pixels := images(8, 8, 3))
    x = layers.Conv2D(4, 3, groups=2, name="g")(layers.ReLU()(layers.BatchNormalization()(x)))
    model = keras.Model(pixels, layers.BatchNormalization()(x))
    plain = rolled_graph(model)
    for target, source, norm in (
        ("a", "input", model.layers[2]),
        ("g", "a", model.layers[5]),
    ):
        factors = normalisation(norm)
        folded = rolled_graph(model, fold_batch_norm=True)
        expected = between(plain, source, target) * factors
        np.testing.assert_allclose(between(folded, source, target), expected)
    np.testing.assert_array_equal(between(rolled_graph(model), "a", "g"), between(plain, "a", "g"))


def test_folding_a_normalisation_behind_anything_else_scales_the_edges_that_leave():
    pixels = images(6, 6, 2)
    first = layers.Conv2D(3, 3, padding="same", activation="relu", name="a")(pixels)
    joined = layers.Concatenate()([first, pixels])
    inner = layers.BatchNormalization(name="n", scale=True)(joined)
    outer = layers.BatchNormalization(name="m")(layers.ReLU()(inner))
    model = keras.Model(
        pixels, [layers.Conv2D(2, 1, name="b")(outer), layers.Dense(2, name="c")(joined)]
    )
    factors = normalisation(model.get_layer("n")) * normalisation(model.get_layer("m"))
    plain, folded = rolled_graph(model), rolled_graph(model, fold_batch_norm=True)
    expected = between(plain, "a", "b") * factors[:3, None]
    np.testing.assert_allclose(between(folded, "a", "b"), expected)
    expected = between(plain, "input", "b") * factors[3:, None]
    np.testing.assert_allclose(between(folded, "input", "b"), expected)
    for source in ("a", "input"):
        np.testing.assert_array_equal(between(folded, source, "c"), between(plain, source, "c"))


def test_folding_leaves_filters_alone_that_are_used_unnormalised_too():
    x = layers.Conv2D(3, 3, name="a")(pixels := images(6, 6, 2))
    normalised = layers.BatchNormalization(name="n")(x)
    outputs = [layers.Conv2D(2, 1, name="b")(normalised), layers.Conv2D(2, 1, name="c")(x)]
    model = keras.Model(pixels, outputs)
    factors = normalisation(model.get_layer("n"))
    plain, folded = rolled_graph(model), rolled_graph(model, fold_batch_norm=True)
    np.testing.assert_array_equal(between(folded, "input", "a"), between(plain, "input", "a"))
    np.testing.assert_array_equal(between(folded, "a", "c"), between(plain, "a", "c"))
    expected = between(plain, "a", "b") * factors[:, None]
    np.testing.assert_allclose(between(folded, "a", "b"), expected)


def squared(arrays):
    return sum(float(np.square(np.asarray(one), dtype=np.float64).sum()) for one in arrays)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_every_kernel_of_an_application_is_in_its_graph_once(name):
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=5)
    kernels = [one.value for one in model.weights if one.name.endswith("kernel")]
    found = rolled_graph(model)
    operations = {one.name for one in found.blocks}
    junctions = {
        one.name
        for one in found.blocks
        if sparse.issparse(one.weights) and (one.weights.data == 1).all()
    }
    weighed = [
        one.weights.data if sparse.issparse(one.weights) else one.weights
        for one in found.blocks
        if one.name not in junctions
    ]
    assert len(operations) - len(junctions) == len(kernels)
    assert squared(weighed) == pytest.approx(squared(kernels), rel=1e-9)
    for mode in ("union", "chain"):
        other = rolled_graph(model, mode)
        assert other.nodes == found.nodes - sum(
            layer.nodes
            for layer in found.layers
            if layer.name in junctions or layer.name not in {one.name for one in other.layers}
        )


def test_what_cannot_be_drawn_is_refused():
    model = residual()
    with pytest.raises(InputError, match=r"mode is 'paper'\. Give one of junction, union, chain"):
        rolled_graph(model, "paper")
    open_model = keras.Model(given := keras.Input((None,)), layers.ReLU()(given))
    with pytest.raises(InputError, match=r"input 1 of the model .* open number of channels"):
        rolled_graph(open_model)
