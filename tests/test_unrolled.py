from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from scipy import sparse

from ncselect.graphs.unrolled import COUNTINGS, UnrolledNetwork, unrolled_graph
from zoo.errors import InputError, UnknownNameError

LENET = "c6,5 p2,2 c16,5 p2,2"
ALEXNET = "z2 c96,7,2 p3,2 z2 c256,5 p3,2 z1 c384,3 z1 c384,3 z1 c256,3"
VGG = "s64 p2,2 s128 s128 p2,2 s256 s256 p2,2 s256 s256 p2,2"


def network(spec, units):
    """Return a network for 32 × 32 pixels.

    ``c``: convolution, unpadded, of filters, size and stride; ``s``: one of 3 × 3, padding
    "same"; ``z``: zero padding; ``p``: pooling.
    """
    found = [keras.Input((32, 32, 3))]
    for word in spec.split():
        numbers = [int(number) for number in word[1:].split(",")]
        match word[0]:
            case "c":
                filters, size, *stride = numbers
                found.append(layers.Conv2D(filters, size, *stride, activation="relu"))
            case "s":
                found.append(layers.Conv2D(*numbers, 3, padding="same", activation="relu"))
            case "z":
                found.append(layers.ZeroPadding2D(*numbers))
            case "p":
                found.append(layers.MaxPooling2D(*numbers))
    found.append(layers.Flatten())
    for number in units[:-1]:
        found += [layers.Dense(number, activation="relu"), layers.Dropout(0.5)]
    return keras.Sequential([*found, layers.Dense(units[-1], activation="softmax")])


def model(shape, *stack):
    x = given = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    made = keras.Model(given, x)
    rng = np.random.default_rng(7)
    made.set_weights([rng.normal(size=value.shape) for value in made.get_weights()])
    return made


def one_way(graph):
    """Return the adjacency matrix from sources to targets, dense, in double precision."""
    matrix = np.zeros((graph.nodes, graph.nodes))
    for block in graph.blocks:
        dense = block.weights.toarray() if sparse.issparse(block.weights) else block.weights
        matrix[np.ix_(block.sources, block.targets)] += dense
    return matrix


def response(graph, inputs, outputs):
    """Return what the graph makes of unit inputs: the sum over all paths, Σ_k A^k."""
    total = np.linalg.inv(np.eye(graph.nodes) - one_way(graph))
    return total[:inputs, graph.nodes - outputs :]


def pushed(made):
    """Return what the model itself makes of unit inputs, biases aside."""
    size = int(np.prod(made.input_shape[1:]))
    units = np.concatenate([np.zeros((1, size)), np.eye(size)]).astype(np.float32)
    results = made(units.reshape(-1, *made.input_shape[1:]), training=False)
    flat = keras.ops.convert_to_numpy(results).reshape(size + 1, -1)
    return flat[1:] - flat[0]


# --- Table 5 of the paper ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "units", "nodes", "correct", "published"),
    [
        (LENET, (120, 84, 10), 11_166, 658_024, 658_024),
        (ALEXNET, (1024, 512, 10), 54_986, 43_475_680, 45_997_696),
        (VGG, (128, 128, 10), 205_066, 114_653_184, 119_714_496),
        (LENET, (336, 252, 100), 11_640, 843_376, 843_376),
        (ALEXNET, (1024, 512, 100), 55_076, 43_521_760, 46_043_776),
    ],
    ids=["LeNet", "AlexNet", "VGG", "LeNet ImageNet", "AlexNet ImageNet"],
)
def test_the_sizes_are_those_of_table_5(spec, units, nodes, correct, published):
    made = network(spec, units)
    for counting, edges in zip(COUNTINGS, (correct, published), strict=True):
        unrolled = UnrolledNetwork(made, counting=counting)
        assert (unrolled.nodes, unrolled.edges) == (nodes, edges)


@pytest.mark.parametrize("counting", COUNTINGS)
def test_the_built_graph_has_the_size_announced(counting):
    unrolled = UnrolledNetwork(network(LENET, (120, 84, 10)), counting=counting)
    graph = unrolled.graph()
    assert (graph.nodes, graph.edges) == (11_166, 658_024)
    assert graph.layers == unrolled.layers
    assert [layer.nodes for layer in graph.layers] == [3072, 4704, 1176, 1600, 400, 120, 84, 10]
    assert graph.layers[0].name == "input"


# --- against the layers themselves ---------------------------------------------------------------

Conv2D, Pool = layers.Conv2D, layers.AveragePooling2D
LINEAR = {
    "valid": ((5, 6, 2), Conv2D(3, 3)),
    "same": ((5, 6, 2), Conv2D(3, (3, 2), padding="same")),
    "even kernel, same": ((5, 4, 1), Conv2D(2, 4, padding="same")),
    "stride, same": ((7, 6, 2), Conv2D(3, 3, strides=2, padding="same")),
    "stride, same, even": ((6, 6, 1), Conv2D(2, (3, 2), strides=(2, 3), padding="same")),
    "stride beyond the kernel": ((7, 7, 2), Conv2D(3, 1, strides=2)),
    "dilation": ((7, 8, 1), Conv2D(2, 3, dilation_rate=(2, 3))),
    "dilation, same": ((5, 5, 1), Conv2D(2, 3, dilation_rate=2, padding="same")),
    "groups": ((4, 4, 4), Conv2D(6, 3, groups=2)),
    "depthwise": ((5, 5, 3), layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")),
    "depthwise, stride": ((5, 5, 2), layers.DepthwiseConv2D((3, 2), strides=(2, 2))),
    "sequence": ((9, 2), layers.Conv1D(3, 3, strides=2)),
    "causal": ((7, 2), layers.Conv1D(2, 3, dilation_rate=2, padding="causal")),
    "depthwise sequence": ((7, 2), layers.DepthwiseConv1D(3)),
    "volume": ((3, 4, 3, 2), layers.Conv3D(2, 2, padding="same")),
    "dense": ((7,), layers.Dense(4)),
    "dense at every place": ((3, 2, 4), layers.Dense(5)),
    "average": ((5, 6, 2), Pool(2)),
    "average, overlapping": ((7, 7, 2), Pool(3, 2)),
    "average, same": ((5, 5, 2), Pool(3, 2, padding="same")),
    "global average": ((3, 4, 2), layers.GlobalAveragePooling2D()),
    "global average, axes kept": ((3, 4, 2), layers.GlobalAveragePooling2D(keepdims=True)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_layer_is_the_matrix_that_unit_vectors_draw_from_it(name):
    shape, layer = LINEAR[name]
    made = model(shape, type(layer).from_config(layer.get_config()))
    unrolled = UnrolledNetwork(made)
    graph, expected = unrolled.graph(), pushed(made)
    (block,) = graph.blocks
    drawn = one_way(graph)[: len(expected), len(expected) :]
    np.testing.assert_array_equal(drawn != 0, expected != 0)
    np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-6)
    assert unrolled.edges == block.edges == np.count_nonzero(expected)


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((5, 6, 2), layers.MaxPooling2D(2)),
        ((7, 7, 2), layers.MaxPooling2D(3, 2)),
        ((6, 5, 1), layers.MaxPooling2D(3, 2, padding="same")),
        ((7, 2), layers.MaxPooling1D(2)),
        ((4, 3, 4, 1), layers.MaxPooling3D(2)),
        ((3, 4, 2), layers.GlobalMaxPooling2D()),
    ],
)
def test_a_max_pooling_has_an_edge_of_1_from_every_pixel_it_looks_at(shape, layer):
    made = model(shape, type(layer).from_config(layer.get_config()))
    expected = pushed(made)  # of pixels 0 and 1, the 1 wins
    drawn = one_way(unrolled_graph(made))[: len(expected), len(expected) :]
    np.testing.assert_array_equal(drawn, expected)


def residual(x):
    y = layers.Conv2D(2, 3, padding="same")(x)
    return layers.Add()([x, y, layers.Conv2D(2, 1)(x)])


def plus(x):
    return layers.Conv2D(2, 3, padding="same")(x) + x


def branches(x):
    joined = layers.Concatenate()([layers.Conv2D(3, 3, padding="same")(x), x])
    return layers.Conv2D(2, 2)(joined)


def twice(x):
    return layers.Conv2D(2, 2)(layers.Concatenate()([x, x, x]))


def shared(x):
    layer = layers.Conv2D(2, 3, padding="same")
    return layer(layer(x))


def partly_padded(x):
    rows = layers.ZeroPadding2D(((1, 0), (0, 0)))(x)
    other = layers.ZeroPadding2D(((0, 1), (0, 0)))(x)
    return layers.Conv2D(2, 3, padding="same")(layers.Concatenate()([rows, other]))


def rearranged(x):
    x = layers.Cropping2D(((1, 0), (0, 1)))(layers.ZeroPadding2D(((2, 0), (1, 1)))(x))
    x = layers.Reshape((-1, 3))(layers.Permute((2, 3, 1))(x))
    return layers.Dense(3)(keras.ops.reshape(layers.Dense(2)(x), (-1, 2, 20)))


def difference(x):
    y = layers.Conv2D(2, 3, padding="same")(x)
    return layers.Subtract()([y, x]) - layers.Conv2D(2, 1)(x)


def enlarged(x):
    return layers.Conv2D(2, 2)(layers.UpSampling2D((2, 3))(x))


def single_pixel(x):
    one = layers.Conv2D(2, (5, 4))(x)
    return layers.Conv2D(2, 2)(layers.ZeroPadding2D(1)(layers.UpSampling2D(2)(one)))


def padded_pixel(x):
    one = layers.ZeroPadding2D(((1, 0), (0, 1)))(layers.Conv2D(2, (5, 4))(x))
    return layers.Dense(3)(layers.Flatten()(one))


def padded_average(x):
    return layers.AveragePooling2D(3, 2)(layers.ZeroPadding2D(1)(x))


def padded_dense(x):
    return layers.Dense(3)(layers.Flatten()(layers.ZeroPadding2D(1)(x)))


def repeated(x):
    return layers.Dense(2)(layers.Flatten()(layers.RepeatVector(3)(layers.Flatten()(x))))


def nested(x):
    inner = keras.Sequential([keras.Input((5, 4, 2)), layers.Conv2D(3, 2), layers.Conv2D(1, 2)])
    return layers.Dense(2)(layers.Flatten()(inner(x)))


def chain(x):
    x = layers.Conv2D(4, 3, strides=2, padding="same")(layers.ZeroPadding2D(1)(x))
    x = layers.SeparableConv2D(3, 2, depth_multiplier=2)(layers.AveragePooling2D(2, 1)(x))
    return layers.Dense(4)(layers.Dense(5)(layers.Flatten()(x)))


@pytest.mark.parametrize(
    "build",
    [
        residual, plus, difference, branches, twice, shared, partly_padded, rearranged, enlarged,
        single_pixel, padded_pixel, padded_average, padded_dense, repeated, nested, chain,
    ],
)  # fmt: skip
def test_paths_through_the_graph_add_up_to_the_linear_network(build):
    made = model((5, 4, 2), build)
    unrolled = UnrolledNetwork(made)
    graph, expected = unrolled.graph(), pushed(made)
    np.testing.assert_allclose(response(graph, *expected.shape), expected, rtol=1e-4, atol=1e-4)
    assert unrolled.edges == graph.edges
    for block in graph.blocks:
        assert len(set(block.sources.tolist())) == len(block.sources)
        assert len(set(block.targets.tolist())) == len(block.targets)


def test_separable_convolutions_have_nodes_between_their_two_kernels():
    made = model((5, 5, 2), layers.SeparableConv2D(3, 3, depth_multiplier=2, name="both"))
    graph = unrolled_graph(made)
    assert [layer.nodes for layer in graph.layers] == [50, 36, 27]
    expected = pushed(made)
    np.testing.assert_allclose(response(graph, 50, 27), expected, rtol=1e-5, atol=1e-5)


def test_what_works_on_each_entry_alone_leaves_no_trace():
    first, last = layers.Conv2D(3, 2), layers.Dense(2)
    bare = model((4, 4, 1), first, layers.Flatten(), last)
    dressed = keras.Sequential(
        [
            keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), first, layers.BatchNormalization(),
            layers.ReLU(), layers.SpatialDropout2D(0.5), layers.Activation("tanh"),
            layers.Flatten(), layers.Dropout(0.5), layers.LayerNormalization(), last,
            layers.Softmax(),
        ]
    )  # fmt: skip
    np.testing.assert_array_equal(one_way(unrolled_graph(bare)), one_way(unrolled_graph(dressed)))


def test_every_input_has_nodes():
    left, right = keras.Input((3,)), keras.Input((2,))
    joined = layers.Concatenate()([right, left])
    made = keras.Model([left, right], layers.Dense(4, name="all")(joined))
    graph = unrolled_graph(made)
    assert [(layer.name, layer.nodes) for layer in graph.layers] == [
        ("input_1", 3), ("input_2", 2), ("all", 4)
    ]  # fmt: skip
    kernel = made.get_weights()[0]
    np.testing.assert_array_equal(one_way(graph)[:5, 5:], kernel[[2, 3, 4, 0, 1]])


def test_channels_may_come_first():
    last = model((5, 4, 3), Conv2D(2, (3, 2), strides=2), layers.GlobalAveragePooling2D())
    given = keras.Input((3, 5, 4))
    x = Conv2D(2, (3, 2), strides=2, data_format="channels_first")(given)
    first = keras.Model(given, layers.GlobalAveragePooling2D(data_format="channels_first")(x))
    first.set_weights(last.get_weights())
    expected, found = unrolled_graph(last), unrolled_graph(first)
    order = np.arange(5 * 4 * 3).reshape(3, 5, 4).transpose(1, 2, 0).ravel()
    size = expected.layers[1].nodes // 2
    middle = 60 + np.arange(2 * size).reshape(size, 2).ravel()
    nodes = np.concatenate([order, middle, [found.nodes - 2, found.nodes - 1]])
    np.testing.assert_array_equal(one_way(found)[np.ix_(nodes, nodes)], one_way(expected))


# --- following training --------------------------------------------------------------------------


def test_a_graph_keeps_its_weights_and_the_next_one_has_the_new():
    made = model((6, 6, 2), Conv2D(3, 3), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(4))
    unrolled = UnrolledNetwork(made)
    before = unrolled.graph()
    kept = one_way(before)
    made.compile(keras.optimizers.SGD(0.1), "mse")
    made.fit(np.ones((2, 6, 6, 2)), np.ones((2, 4)), verbose=0)
    after = unrolled.graph()
    np.testing.assert_array_equal(one_way(before), kept)
    np.testing.assert_array_equal(one_way(after), one_way(unrolled_graph(made)))
    assert not np.array_equal(one_way(after), kept)
    assert np.shares_memory(before.blocks[0].weights.indices, after.blocks[0].weights.indices)


def test_blocks_are_small_numbers_in_rows():
    graph = unrolled_graph(network(LENET, (120, 84, 10)))
    for block in graph.blocks[:4]:
        assert isinstance(block.weights, sparse.csr_array)
        assert block.weights.dtype == np.float32
        assert block.weights.indices.dtype == block.weights.indptr.dtype == np.int32
        checked = sparse.csr_array(
            (block.weights.data, block.weights.indices, block.weights.indptr), block.weights.shape
        )
        checked.check_format()
        assert checked.has_canonical_format  # what the matrix says of itself without looking
    assert all(isinstance(block.weights, np.ndarray) for block in graph.blocks[4:])


def test_signs_split_the_graph_in_two():
    graph = unrolled_graph(model((5, 5, 2), Conv2D(3, 3, padding="same"), Pool(2)))
    positive, negative = graph.positive(), graph.negative()
    np.testing.assert_array_equal(one_way(positive) - one_way(negative), one_way(graph))
    assert positive.edges + negative.edges == graph.edges
    assert negative.blocks[1].edges == 0  # poolings are positive


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "build", "named"),
    [
        ((4, 4, 1), layers.Conv2DTranspose(2, 2, name="up"), r"'up' \(Conv2DTranspose\)"),
        ((4, 3), layers.LSTM(2, name="memory"), r"'memory' \(LSTM\)"),
        ((4, 4, 1), layers.UpSampling2D(interpolation="bilinear"), "UpSampling2D"),
        ((4, 4, 2), lambda x: layers.Multiply()([x, Conv2D(2, 1)(x)]), "Multiply"),
        ((4, 4, 2), lambda x: keras.ops.mean(x, axis=(1, 2)), "Mean"),
    ],
)
def test_unknown_edges_are_refused(shape, build, named):
    given = keras.Input(shape)
    made = keras.Model(given, build(given))
    with pytest.raises(InputError, match=f"does not know the edges of .*{named}.*rolled graph"):
        UnrolledNetwork(made)


def test_open_sizes_are_refused():
    given = keras.Input((None, None, 3))
    made = keras.Model(given, Conv2D(2, 3)(given))
    with pytest.raises(InputError, match=r"\(None, None, 3\) leaves a size open"):
        UnrolledNetwork(made)


def test_unknown_countings_are_refused():
    made = model((4, 4, 1), Conv2D(2, 3))
    with pytest.raises(UnknownNameError, match="unknown counting 'publish'"):
        UnrolledNetwork(made, counting="publish")
