"""Models become the calls that they make: of every kind, or with an error that says why not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from ncselect.graphs.rolled import rolled_graph
from ncselect.graphs.wiring import Tensor, wiring
from zoo.errors import InputError
from zoo.ncp import probe_unit
from zoo.response_normalization import ResponseNormalization


def kinds(model):
    return [type(call.operation).__name__ for call in wiring(model).calls]


def sizes(model, mode="junction"):
    found = rolled_graph(model, mode)
    return found.nodes, found.edges


def functional():
    x = layers.Conv2D(4, 3, padding="same", name="a")(pixels := keras.Input((8, 8, 3)))
    y = layers.Conv2D(4, 3, padding="same", name="b")(layers.ReLU()(x))
    return keras.Model(pixels, layers.Dense(2)(layers.Flatten()(layers.Add()([x, y]))))


class Block(layers.Layer):
    """A residual block as a layer of its own, whose call is plain Python."""

    def __init__(self, channels, **arguments):
        super().__init__(**arguments)
        self.convolution = layers.Conv2D(channels, 3, padding="same", name="inner")
        self.scale = None

    def build(self, shape):
        self.convolution.build(shape)
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x, training=None):
        return x + self.convolution(ops.relu(x)) * self.scale


class Subclassed(keras.Model):
    """The network of :func:`functional` in another form."""

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(4, 3, padding="same", name="a")
        self.second = layers.Conv2D(4, 3, padding="same", name="b")
        self.flatten = layers.Flatten()
        self.last = layers.Dense(2)

    def call(self, inputs, training=None):
        x = self.first(inputs)
        return self.last(self.flatten(x + self.second(ops.relu(x))))


def called(model, *shape):
    model(np.zeros((1, *shape), "float32"))
    return model


def test_calls_come_in_order_with_the_tensors_between_them():
    model = functional()
    found = wiring(model)
    assert kinds(model) == ["Conv2D", "ReLU", "Conv2D", "Add", "Flatten", "Dense"]
    first, relu, second, add, *_ = found.calls
    assert first.inputs == found.inputs
    assert relu.inputs == first.outputs
    assert add.inputs == (*first.outputs, *second.outputs)
    assert add.args == ([*first.outputs, *second.outputs],)
    assert found.outputs == found.calls[-1].outputs
    assert found.inputs[0].shape == (8, 8, 3)
    assert first.operation is model.get_layer("a")


def test_every_tensor_is_given_before_it_is_taken():
    model = keras.applications.MobileNetV2(alpha=0.35, weights=None, input_shape=(32, 32, 3))
    found = wiring(model)
    given = set(found.inputs)
    for call in found.calls:
        assert given.issuperset(call.inputs)
        assert not given.intersection(call.outputs)
        given.update(call.outputs)
    assert given.issuperset(found.outputs)
    assert len(found.calls) == len(model.layers) - 1


def test_the_same_network_in_any_form_has_the_same_graph():
    expected = sizes(functional())
    assert expected == (3 + 4 + 4 + 4 + 2, 12 + 16 + 4 + 4 + 8)
    assert sizes(called(Subclassed(), 8, 8, 3)) == expected
    nested = keras.Sequential([keras.Input((8, 8, 3)), functional()])
    assert sizes(nested) == expected
    around = keras.Model(pixels := keras.Input((8, 8, 3)), functional()(pixels))
    assert sizes(around) == expected
    assert sizes(keras.Sequential([keras.Input((8, 8, 3)), called(Subclassed(), 8, 8, 3)])) == (
        expected
    )
    names = {call.name for call in wiring(around).calls}
    assert {name.split("/")[-1] for name in names} >= {"a", "b"}
    assert all("/" in name for name in names)


def test_a_layer_with_a_call_of_its_own_is_followed_inside():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 1), Block(4, name="block"), layers.Dense(2)]
    )
    assert kinds(model) == ["Conv2D", "Relu", "Conv2D", "Multiply", "Add", "Dense"]
    assert [call.name for call in wiring(model).calls][2] == "block/inner"
    assert sizes(model) == (3 + 4 + 4 + 4 + 2, 12 + 16 + 8 + 8)
    assert sizes(model) == sizes(model)  # tracing again changes nothing
    before = np.asarray(model(np.ones((1, 8, 8, 3), "float32")))
    np.testing.assert_array_equal(np.asarray(model(np.ones((1, 8, 8, 3), "float32"))), before)


def test_following_a_model_leaves_nothing_on_its_layers():
    pixels = keras.Input((8, 8, 4))
    block = Block(4, name="block")
    outer = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(block(pixels))))
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same")])
    subclassed = called(Nesting(inner), 8, 8, 4)
    for model in (outer, subclassed):
        every = model._flatten_layers()
        before = [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in every]
        first, again = (rolled_graph(model) for _ in range(2))
        assert first.edges == again.edges > 0
        assert [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in every] == before
    own = keras.Input((8, 8, 4))
    block.convolution(own)
    assert block.convolution.output.shape == (None, 8, 8, 4)  # ambiguous after two calls
    assert inner.layers[0].output.shape == (None, 8, 8, 4)


class Nesting(keras.Model):
    """A call of its own around a model that keeps its graph, and a layer with a call of its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.block = inner, Block(4)

    def call(self, x):
        return self.inner(self.block(x)) + self.inner(x)


def test_a_nested_model_used_twice_makes_its_calls_twice():
    tower = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="t")])
    first, second = keras.Input((6,)), keras.Input((6,))
    both = layers.Concatenate()([tower(first), tower(second)])
    model = keras.Model([first, second], [layers.Dense(2, name="d")(both), both])
    found = rolled_graph(model)
    assert [layer.nodes for layer in found.layers] == [6, 6, 4, 4, 2]
    assert [layer.name for layer in found.layers][:2] == ["input_1", "input_2"]
    assert found.edges == 24 + 24 + 16


def test_subclassed_models_may_take_several_tensors_in_a_structure():
    class Named(keras.Model):
        def __init__(self):
            super().__init__()
            self.left, self.right = layers.Dense(3), layers.Dense(3)

        def call(self, inputs):
            return self.left(inputs["one"]) + self.right(inputs["two"])

    model = Named()
    model({"one": np.zeros((2, 4), "float32"), "two": np.zeros((2, 5), "float32")})
    assert [tensor.shape for tensor in wiring(model).inputs] == [(4,), (5,)]
    assert sizes(model) == (4 + 5 + 3 + 3 + 3, 12 + 15 + 6)


def test_only_what_the_outputs_need_is_there():
    model = functional()
    part = keras.Model(model.inputs[0], model.get_layer("a").output)
    assert kinds(part) == ["Conv2D"]


@pytest.mark.parametrize(
    ("change", "nodes", "edges"),
    [
        (lambda x: x * 2.0 + 1.0, 0, 0),
        (lambda x: ops.sigmoid(x) * x, 0, 0),
        (lambda x: x / (1.0 + ops.abs(x)), 0, 0),
        (lambda x: ops.image.resize(x, (3, 5)), 0, 0),
        (lambda x: ops.cast(ops.maximum(x, 0.0), "float32"), 0, 0),
        (lambda x: x[:, ::2, 1:], 0, 0),
        (lambda x: ops.concatenate([x[..., :2], x[..., 2:]], axis=-1), 0, 0),
        (lambda x: ops.transpose(ops.reshape(x, (-1, 64, 4)), (0, 2, 1))[:, :1], 0, -6),
        (lambda x: ops.mean(x, axis=(1, 2)), 0, 0),
        (lambda x: ops.stack([x, x], axis=1)[:, 0], 0, 0),
        (lambda x: ops.subtract(x, ops.flip(x, -1)), 4, 8),
        (lambda x: ops.max(x, axis=-1, keepdims=True), 0, 0),
        (layers.LayerNormalization(), 0, 0),
        (layers.GroupNormalization(2), 0, 0),
        (layers.PReLU(), 0, 0),
        (layers.SpatialDropout2D(0.5), 0, 0),
        (layers.RandomFlip(), 0, 0),
        (layers.Resizing(4, 4), 0, 0),
        (layers.UpSampling2D(2), 0, 0),
        (layers.AveragePooling2D(2), 0, 0),
        (layers.Lambda(lambda y: y - 1.0), 0, 0),
        (ResponseNormalization(), 0, 0),
        (lambda x: layers.Average()([x, layers.ReLU()(x)]), 0, 0),
    ],
)
def test_operations_without_weights_change_edges_as_counted_by_hand(change, nodes, edges):
    x = layers.Conv2D(4, 3, padding="same", name="a")(pixels := keras.Input((8, 8, 3)))
    changed = change(x)
    model = keras.Model(pixels, layers.Dense(2, name="d")(layers.Flatten()(changed)))
    assert sizes(model) == (3 + 4 + 2 + nodes, 12 + 8 + edges)


def test_a_maximum_over_channels_comes_from_all_of_them():
    x = layers.Conv2D(4, 3, name="a")(pixels := keras.Input((8, 8, 3)))
    highest = ops.max(x, axis=-1, keepdims=True)
    model = keras.Model(pixels, layers.Conv2D(2, 3, name="b")(highest))
    found = rolled_graph(model)
    kernel = np.asarray(model.get_layer("b").kernel.value, np.float64)
    norms = np.sqrt((kernel**2).sum((0, 1)))
    np.testing.assert_allclose(found.blocks[-1].weights, np.repeat(norms, 4, axis=0))


def test_the_probe_unit_on_a_base_is_followed_too():
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(pixels := keras.Input((8, 8, 3))))
    model = keras.Model(pixels, probe_unit(x, 5, units=(7, 6)))
    assert sizes(model) == (3 + 4 + 7 + 6 + 5, 12 + 28 + 42 + 30)


def test_tensors_are_themselves():
    one, other = Tensor((3,), "float32"), Tensor((3,), "float32")
    assert one != other
    assert len({one, other}) == 2


class Mixing(layers.Layer):
    def build(self, shape):
        self.mix = self.add_weight(shape=(shape[-1], 3), name="mix")

    def call(self, x):
        return ops.matmul(x, self.mix)


def on_vector(layer):
    given = keras.Input((4,))
    return keras.Model(given, layer(given))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: "vgg16", "model is of class str. Give a keras.Model"),
        (
            lambda: keras.Sequential([layers.Dense(2)]),
            r"'sequential\w*' \(Sequential\) is not built",
        ),
        (Subclassed, "is a subclassed model that was not built for one input shape. Call it on"),
        (
            lambda: on_vector(Mixing(name="mixer")),
            r"\(Matmul\) in 'mixer' \(Mixing\) has weights whose connections this graph",
        ),
        (
            lambda: keras.Model(
                given := keras.Input((5, 4)),
                layers.MultiHeadAttention(2, 2, name="att")(given, given),
            ),
            r"'att' \(MultiHeadAttention\) has weights whose connections",
        ),
        (
            lambda: keras.Model(
                given := keras.Input((5,)), layers.Embedding(9, 3, name="e")(given)
            ),
            r"'e' \(Embedding\) has weights whose connections",
        ),
        (
            lambda: keras.Model(
                given := keras.Input((4, 4)), layers.Concatenate(axis=0)([given, -given])
            ),
            "joins the images of a batch",
        ),
        (
            lambda: keras.Model(given := keras.Input((4, 4)), ops.mean(given, axis=0)),
            "reduces over the batch",
        ),
        (
            lambda: keras.Model(given := keras.Input((4, 4)), ops.cumsum(given, axis=1)),
            r"\(Cumsum\) connects in a way that this graph does not know",
        ),
        (
            lambda: keras.Model(
                given := keras.Input((8,)),
                layers.MaxPooling2D()(layers.Reshape((2, 2, 2))(layers.Dense(8)(given))),
            ),
            "mixes positions that come from different units",
        ),
    ],
)
def test_what_cannot_be_followed_says_why(build, text):
    with pytest.raises(InputError, match=text):
        rolled_graph(build())


class Branching(layers.Layer):
    def call(self, x):
        return x if float(ops.sum(x)) > 0 else -x

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_a_layer_that_branches_on_values_cannot_be_traced():
    text = r"'fork' \(Branching\) cannot be traced: .*rebuild it as a functional"
    with pytest.raises(InputError, match=text):
        wiring(on_vector(Branching(name="fork")))
