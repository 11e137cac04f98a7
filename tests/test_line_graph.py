"""The line graph of synapses: P against finite differences, β_eff against neural capacitance."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from probed import randomised, sample

from ncselect.graphs.line_graph import LineNetwork, line_graph
from ncselect.measuring.probe import MeasuredProbe
from ncselect.measuring.split import split
from ncselect.measuring.whole import WholeNetwork
from ncselect.numerics import autodiff, mlp
from ncselect.numerics.mixed_hessian import mixed_hessian
from ncselect.numerics.resilience import beta_eff, resilience
from zoo.errors import InputError, UnknownNameError
from zoo.ncp import probe_unit


def cross_entropy(labels, outputs):
    return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)


def squared(labels, outputs):
    return keras.losses.mean_squared_error(ops.one_hot(labels, 3, dtype=outputs.dtype), outputs)


def linear(labels, outputs):
    """A loss of which outputs are a linear part: nothing meets in it."""
    return ops.sum(outputs * ops.cast([0.75, -1.125, 0.5], outputs.dtype), axis=-1)


@pytest.fixture(autouse=True)
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


def perceptron(activation="tanh"):
    hidden = [layers.Dense(w, activation=activation) for w in (5, 4, 4)]
    return randomised(keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(3)]))


def built(inputs, outputs):
    return randomised(keras.Model(inputs, outputs))


def convolutional():
    """Padding, a batch norm, both poolings and a flattening between the layers."""
    x = keras.Input((7, 7, 2))
    h = layers.Conv2D(3, 3, padding="same", use_bias=False, name="first")(x)
    h = layers.BatchNormalization()(h)
    h = layers.Activation("softplus")(h)
    h = layers.AveragePooling2D(2)(h)
    h = layers.Conv2D(4, 2, activation="tanh", name="second")(h)
    h = layers.Dropout(0.5)(h)
    h = layers.Flatten()(h)
    return built(x, layers.Dense(3, name="logits")(h))


def residual():
    """Branches: a sum, a shortcut with a kernel, a join."""
    x = keras.Input((5, 5, 2))
    stem = layers.Conv2D(3, 3, activation="tanh", name="stem")(x)
    inner = layers.Conv2D(3, 1, activation="tanh", name="inner")(stem)
    added = layers.Add()([stem, inner])
    one = layers.GlobalAveragePooling2D()(added)
    other = layers.Dense(2, activation="tanh", name="beside")(layers.Flatten()(inner))
    return built(x, layers.Dense(3, name="logits")(layers.Concatenate()([one, other])))


def data(model, n=6):
    rng = np.random.default_rng(5)
    return rng.normal(size=(n, *model.input_shape[1:])), np.arange(n) % 3


def differences(model, x, y, loss, step=1e-5):
    """∂²C by all pairs of kernel entries, in the model's order: central differences of gradients.

    Gradients are of the first order, one kernel after the other.
    """
    kernels = [v for v in model.trainable_variables if v.name.endswith("kernel")]
    places = [autodiff.position(model.variables, kernel) for kernel in kernels]
    run = autodiff.pure(lambda x: model(x, training=False), model.variables)
    values = [np.array(v.value) for v in model.variables]

    def gradients(values):
        def by(place):
            def cost(kernel):
                moved = [*values[:place], kernel, *values[place + 1 :]]
                return ops.mean(loss(y, run(moved, x)))

            one = ops.ones((), "float64")
            return autodiff.cotangent(cost, ops.convert_to_tensor(values[place]), one)

        return ops.concatenate([ops.reshape(by(place), (-1,)) for place in places])

    gradients = autodiff.compiled(gradients)
    columns = []
    for place in places:
        for entry in range(values[place].size):
            sides = []
            for by in (step, -step):
                moved = list(values)
                moved[place] = values[place].copy()
                moved[place].flat[entry] += by
                sides.append(ops.convert_to_numpy(gradients(moved)))
            columns.append((sides[0] - sides[1]) / (2 * step))
    return np.array(columns).T


def expected_links(graph, pairs):
    """Which entries of P are those of pairs of layers, named (receiver, sender)."""
    numbers = {layer.name: at for at, layer in enumerate(graph.layers)}
    found = np.zeros((graph.nodes, graph.nodes), bool)
    for receiver, sender in pairs:
        found[graph.within(numbers[receiver]), graph.within(numbers[sender])] = True
    return found


def test_p_of_a_perceptron_is_that_of_plain_numpy():
    model, (x, y) = perceptron(), sample()
    dense = [mlp.Dense(*(np.asarray(w.value) for w in layer.weights)) for layer in model.layers]
    plain = [layer for one in dense for layer in (one, mlp.Activation("tanh"))][:-1]
    P = mixed_hessian(plain, x, y, [[(at, "kernel")] for at in (0, 2, 4, 6)])
    graph = line_graph(model, x, y, loss=cross_entropy)
    np.testing.assert_allclose(graph.adjacency().toarray(), P, rtol=1e-5, atol=1e-9)
    received, sent = graph.degrees()
    np.testing.assert_allclose(received, P.sum(axis=1), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(sent, P.sum(axis=0), rtol=1e-5, atol=1e-8)
    vector = np.random.default_rng(0).normal(size=graph.nodes)
    np.testing.assert_allclose(graph.matvec(vector), P @ vector, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(graph.rmatvec(vector), vector @ P, rtol=1e-5, atol=1e-8)
    assert [layer.nodes for layer in graph.layers] == [20, 20, 16, 12]
    assert graph.edges == graph.adjacency().nnz == 20 * 20 + 20 * 16 + 16 * 12


@pytest.mark.parametrize(
    ("made", "pairs"),
    [
        (convolutional, [("first", "second"), ("second", "logits")]),
        (
            residual,
            [("stem", "inner"), ("stem", "logits"), ("inner", "beside"), ("inner", "logits"),
             ("beside", "logits")],
        ),
    ],
    ids=["convolutional", "residual"],
)  # fmt: skip
@pytest.mark.parametrize("loss", [cross_entropy, linear, squared], ids=["ce", "linear", "mse"])
def test_p_is_the_mixed_derivative_between_neighbours(made, pairs, loss):
    model = made()
    x, y = data(model)
    graph = line_graph(model, x, y, loss=loss)
    linked = expected_links(graph, pairs)
    P = np.where(linked, differences(model, x, y, loss), 0.0)
    found = graph.adjacency()
    size = np.abs(P).max()
    np.testing.assert_allclose(found.toarray(), P, rtol=1e-6, atol=1e-8 * size)
    assert found.nnz == linked.sum()
    received, sent = graph.degrees()
    np.testing.assert_allclose(received, P.sum(axis=1), rtol=1e-6, atol=1e-6 * size)
    np.testing.assert_allclose(sent, P.sum(axis=0), rtol=1e-6, atol=1e-6 * size)


@pytest.mark.parametrize("made", [perceptron, convolutional], ids=["dense", "convolutional"])
def test_incident_links_are_all_there_are_below_a_linear_loss(made):
    """Two weights of the last layers meet in a shared unit, or else in the loss alone."""
    model = made("softplus") if made is perceptron else made()
    x, y = data(model)
    last = len(line_graph(model, x, y, loss=linear).layers) - 1
    straight, curved = (
        line_graph(model, x, y, loss=loss).blocks()[last - 1, last]
        for loss in (linear, cross_entropy)
    )
    incident = line_graph(model, x, y, loss=linear).incident(last - 1, last).toarray()
    assert 0 < incident.mean() < 0.5
    assert (np.abs(straight[~incident]) < 1e-12).all()
    assert (np.abs(straight[incident]) > 1e-9).all()
    assert (np.abs(curved) > 1e-9).all()  # in the exact P no pair is without a link


def test_appendix_b_is_p_below_a_linear_loss_entry_by_entry():
    """A ReLU network is linear between its kinks: what Appendix B holds constant is constant.

    Its entries, z_j(l−1)·σ'_i(l)·δ_k(l+1)·σ'_k(l+1), link incident synapses alone.
    """
    model, (x, y) = perceptron("relu"), sample()
    dense = [[np.asarray(w.value) for w in layer.weights] for layer in model.layers]
    z, slopes = [x], []
    for kernel, bias in dense:
        a = z[-1] @ kernel + bias
        slopes.append((a > 0) * 1.0)
        z.append(a * slopes[-1])
    errors = [np.tile([0.75, -1.125, 0.5], (len(x), 1))]  # ∂C/∂a(L) of the loss ``linear``
    for (kernel, _), slope in zip(dense[:0:-1], slopes[-2::-1], strict=True):
        errors.insert(0, errors[0] @ kernel.T * slope)
    graph = line_graph(model, x, y, loss=linear)
    for (l, m), block in graph.blocks().items():
        entries = np.einsum("nj,ni,nk->jik", z[l], slopes[l], errors[m]) / len(x)
        expected = np.einsum("jik,ih->jihk", entries, np.eye(slopes[l].shape[1]))
        np.testing.assert_allclose(block, expected.reshape(block.shape), rtol=1e-9, atol=1e-14)
        assert (np.abs(block) > 1e-4).any()
    assert len(graph.shared) == 3
    np.testing.assert_allclose(
        graph.adjacency("incident").toarray(), graph.adjacency().toarray(), atol=1e-14
    )


def test_synapses_are_incident_where_one_feeds_the_unit_that_the_other_reads():
    model = perceptron()
    graph = line_graph(model, *sample(), loss=cross_entropy)
    for receiver, sender in graph.shared:
        first, second = graph.layers[receiver], graph.layers[sender]
        expected = [
            [
                np.unravel_index(i, first.shape)[1] == np.unravel_index(j, second.shape)[0]
                for j in second.entries
            ]
            for i in first.entries
        ]
        np.testing.assert_array_equal(graph.incident(receiver, sender).toarray(), expected)
    P, part = graph.adjacency().toarray(), graph.adjacency("incident")
    assert part.nnz == 20 * 4 + 20 * 4 + 16 * 3  # kernel entries times the next layer's width
    np.testing.assert_array_equal(part.toarray()[part.toarray() != 0], P[part.toarray() != 0])
    with pytest.raises(
        UnknownNameError, match=r"unknown links 'incidental'\. Did you mean incident"
    ):
        graph.adjacency("incidental")


def test_incidence_through_flattening_groups_and_joins():
    """Followed by hand: a grouped and a depthwise convolution, flattened beside each other."""
    x = keras.Input((3, 3, 2))
    grouped = layers.Conv2D(4, 2, groups=2, name="grouped")(x)
    deep = layers.DepthwiseConv2D(2, depth_multiplier=2, name="deep")(grouped)
    joined = layers.Concatenate()([layers.Flatten()(grouped), layers.Flatten()(deep)])
    graph = line_graph(
        built(x, layers.Dense(3, name="logits")(joined)),
        np.random.default_rng(0).normal(size=(4, 3, 3, 2)),
        np.arange(4) % 3,
        loss=cross_entropy,
    )
    assert [layer.name for layer in graph.layers] == ["grouped", "deep", "logits"]
    assert [layer.shape for layer in graph.layers] == [(2, 2, 1, 4), (2, 2, 4, 2), (24, 3)]
    assert sorted(graph.shared) == [(0, 1), (0, 2), (1, 2)]
    kernels = [np.unravel_index(layer.entries, layer.shape) for layer in graph.layers]
    feeds = [kernels[0][3], kernels[1][2] * 2 + kernels[1][3]]
    units = np.arange(24)  # of the joined vector: 4 positions of 4 filters, 1 position of 8
    behind = np.where(units < 16, units % 4, -1), np.where(units < 16, -1, units - 16)
    reads = {(0, 1): kernels[1][2], (0, 2): behind[0][kernels[2][0]]}
    reads[1, 2] = behind[1][kernels[2][0]]
    for (receiver, sender), read in reads.items():
        expected = feeds[receiver][:, None] == read[None, :]
        np.testing.assert_array_equal(graph.incident(receiver, sender).toarray(), expected)
    np.testing.assert_array_equal(graph.layers[0].features, kernels[0][3] // 2)  # two groups


def test_separable_kernels_are_two_layers():
    x = keras.Input((4, 4, 2))
    h = layers.SeparableConv2D(3, 3, depth_multiplier=2, name="both")(x)
    model = built(x, layers.Dense(3, name="logits")(layers.GlobalMaxPooling2D()(h)))
    graph = line_graph(model, *data(model), loss=cross_entropy)
    names = ["both/depthwise_kernel", "both/pointwise_kernel", "logits"]
    assert [layer.name for layer in graph.layers] == names
    assert sorted(graph.shared) == [(0, 1), (1, 2)]
    depth, point = (np.unravel_index(one.entries, one.shape) for one in graph.layers[:2])
    fed = depth[2] * 2 + depth[3]
    np.testing.assert_array_equal(graph.incident(0, 1).toarray(), fed[:, None] == point[2][None])


@pytest.mark.parametrize("made", [perceptron, None], ids=["dense", "convolutional"])
def test_resilience_is_the_neural_capacitance_of_all_kernels(made):
    if made is None:
        x = keras.Input((7, 7, 2))
        h = layers.Conv2D(3, 3, activation="relu", padding="same")(x)
        h = layers.MaxPooling2D()(layers.BatchNormalization()(h))
        h = layers.Flatten()(layers.Conv2D(4, 2, activation="relu")(h))
        h = layers.Dense(5, activation="relu")(h)
        model = built(x, layers.Dense(3)(h))
    else:
        model = made()
    x, y = data(model, 20)
    expected = WholeNetwork(model, x, y, probabilities=False).measure()
    graph = line_graph(model, x, y, loss=cross_entropy)
    assert abs(expected.value) > 1e-3
    found = resilience(graph)
    assert found.beta_eff == pytest.approx(expected.value, rel=1e-11)
    assert found.mean_degree * found.nodes == pytest.approx(expected.denominator, rel=1e-11)
    assert resilience(graph.adjacency()).beta_eff == pytest.approx(expected.value, rel=1e-9)


def test_a_probe_unit_s_kernels_have_the_degrees_of_neural_capacitance():
    x = keras.Input((4,))
    base = layers.Dense(6, activation="relu")(x)
    unit = probe_unit(base, 3, order="dense-bn", statistics="inference", units=(5, 4))
    model = randomised(keras.Model(x, unit))
    images, labels = sample()
    features = np.asarray(keras.Model(x, base)(images))
    probe = MeasuredProbe(split(model).probe)
    expected = [
        np.concatenate([np.ravel(part) for part in side])
        for side in probe.degrees(features, np.zeros_like(features), labels)["kernels"]
    ]
    top = keras.Input((6,))
    h = top
    for layer in split(model).probe:
        h = layer(h)
    graph = line_graph(keras.Model(top, h), features, labels, loss=cross_entropy)
    for found, side in zip(graph.degrees(), expected, strict=True):
        np.testing.assert_allclose(found, side, rtol=1e-9, atol=1e-12)
    found = beta_eff(*([side] for side in graph.degrees()))
    assert abs(found.numerator) < 1e-15 < 1e-3 < abs(found.denominator)  # β_eff is 0 there


def test_absent_synapses_are_no_nodes():
    model, (x, y) = perceptron(), sample()
    rng = np.random.default_rng(2)
    names = [layer.name for layer in model.layers]
    masks = {name: rng.random(tuple(model.get_layer(name).kernel.shape)) < 0.6 for name in names}
    masks.pop(names[2])
    for name, mask in masks.items():
        model.get_layer(name).kernel.assign(model.get_layer(name).kernel * mask)
    network = LineNetwork(model, x, y, loss=cross_entropy)
    full, thin = network.graph(), network.graph(masks)
    present = np.concatenate(
        [masks[name].ravel() if name in masks else np.ones(16, bool) for name in names]
    )
    P = full.adjacency().toarray()[np.ix_(present, present)]
    assert thin.nodes == present.sum() < full.nodes
    np.testing.assert_allclose(thin.adjacency().toarray(), P, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(thin.degrees()[0], P.sum(axis=1), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(thin.degrees()[1], P.sum(axis=0), rtol=1e-9, atol=1e-13)
    incident = full.adjacency("incident").toarray()[np.ix_(present, present)]
    np.testing.assert_allclose(thin.adjacency("incident").toarray(), incident, rtol=1e-12)
    kept = np.concatenate([layer.weights for layer in thin.layers])
    every = np.concatenate([layer.weights for layer in full.layers])
    np.testing.assert_array_equal(kept, every[present])
    with pytest.raises(UnknownNameError, match=r"unknown masks 'dense_x'\. Did you mean"):
        network.graph({"dense_x": masks[names[0]]})
    with pytest.raises(InputError, match=rf"masks: that of '{names[0]}' is bool of shape \(2,\)"):
        network.graph({names[0]: np.ones(2, bool)})
    with pytest.raises(InputError, match="is float64 of shape"):
        network.graph({names[0]: masks[names[0]] * 1.0})


def test_a_layer_without_synapses_is_linked_to_nothing():
    model, (x, y) = perceptron(), sample()
    second = model.layers[1]
    graph = line_graph(model, x, y, loss=cross_entropy, masks={second.name: np.zeros((5, 4), bool)})
    assert [layer.nodes for layer in graph.layers] == [20, 0, 16, 12]
    assert graph.adjacency().nnz == 16 * 12
    assert (graph.degrees()[0][:20] == 0).all()


def test_a_sparse_layer_s_mask_is_its_nodes():
    from ncselect.sparse.layers import SparseConv2D

    x = keras.Input((4, 4, 2))
    conv = SparseConv2D(3, 2, density=0.5, seed=1, activation="tanh", name="thin")
    model = keras.Model(x, layers.Dense(3)(layers.Flatten()(conv(x))))
    images, labels = data(model)
    network = LineNetwork(model, images, labels, loss=cross_entropy)
    own = conv.connections
    thin, full = network.graph({own.name: own.mask}), network.graph()
    assert thin.layers[0].nodes == own.count < full.layers[0].nodes
    assert resilience(thin).beta_eff == pytest.approx(resilience(full).beta_eff, abs=1e-15)
    np.testing.assert_array_equal(full.degrees()[0][: own.mask.size][~own.mask.ravel()], 0)


def test_a_graph_is_of_the_weights_that_were():
    model, (x, y) = perceptron(), sample()
    network = LineNetwork(model, x, y, loss=cross_entropy)
    before = network.graph()
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss=cross_entropy)
    again = line_graph(model, x, y, loss=cross_entropy).degrees()
    model.fit(x, y, epochs=1, verbose=0)
    after = network.graph()
    np.testing.assert_array_equal(before.degrees(), again)
    fresh = line_graph(model, x, y, loss=cross_entropy)
    np.testing.assert_allclose(after.degrees(), fresh.degrees(), rtol=1e-12, atol=1e-15)
    assert not np.allclose(after.degrees()[0], before.degrees()[0], rtol=0.01)


def test_probabilities_give_the_same_graph_as_logits():
    model, (x, y) = perceptron(), sample()
    soft = keras.Sequential([keras.Input((4,)), *model.layers, layers.Softmax()])
    graph = line_graph(soft, x, y, loss=keras.losses.SparseCategoricalCrossentropy())
    expected = line_graph(model, x, y, loss=cross_entropy).adjacency()
    np.testing.assert_allclose(
        graph.adjacency().toarray(), expected.toarray(), rtol=1e-7, atol=1e-9
    )


def test_large_graphs_are_measured_but_not_written_out():
    model = keras.Sequential(
        [keras.Input((60,)), layers.Dense(50), layers.Dense(40), layers.Dense(3)]
    )
    x, y = data(model)
    graph = line_graph(model, x, y, loss=cross_entropy)
    assert graph.edges == 3000 * 2000 + 2000 * 120
    with pytest.raises(InputError, match=r"has 6,240,000 links, more than 4,000,000; degrees\(\)"):
        graph.adjacency()
    assert np.isfinite(resilience(graph).mean_degree)


def test_what_has_no_line_graph_says_why():
    x, y = sample()
    inner = layers.Dense(4, name="twice")
    shared = keras.Sequential([keras.Input((4,)), inner, layers.ReLU(), layers.Dense(3)])
    twice = keras.Model(shared.inputs, layers.Dense(3)(inner(inner(shared.inputs[0]))))
    cases = [
        (twice, "'twice' .* is used more than once"),
        (keras.Sequential([keras.Input((4,)), layers.ReLU()]), "no dense or convolutional layer"),
        (
            keras.Sequential([keras.Input((4, 2)), layers.LSTM(3), layers.Dense(3)]),
            r"'lstm.*' \(LSTM\) has weights whose connections this graph does not know",
        ),
        (keras.Sequential([layers.Dense(3)]), "is not built"),
    ]
    for model, message in cases:
        with pytest.raises(InputError, match=message):
            line_graph(model, x, y, loss=cross_entropy)
    with pytest.raises(InputError, match="labels: 29 came for 30 images; give one for each"):
        line_graph(shared, x, y[1:], loss=cross_entropy)
    two = [keras.Input((4,)), keras.Input((4,))]
    pair = keras.Model(two, layers.Dense(3)(layers.Add()(two)))
    with pytest.raises(InputError, match="has 2 inputs; give one of 1"):
        line_graph(pair, x, y, loss=cross_entropy)
    shared.layers[0].enable_lora(1)
    with pytest.raises(InputError, match="computes its kernel from other weights"):
        line_graph(shared, x, y, loss=cross_entropy)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = layers.Dense(4, activation="tanh"), layers.Dense(3)

    def call(self, x):
        return self.top(self.hidden(x))


def test_a_subclassed_model_has_one_too():
    model, (x, y) = Subclassed(), sample()
    model(x)
    graph = line_graph(model, x, y, loss=cross_entropy)
    plain = keras.Sequential([keras.Input((4,)), model.hidden, model.top])
    expected = line_graph(plain, x, y, loss=cross_entropy).adjacency()
    np.testing.assert_allclose(graph.adjacency().toarray(), expected.toarray(), rtol=1e-9)


PROGRAM = """
import keras, numpy as np
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
from keras import layers
from ncselect.graphs.line_graph import line_graph
x = keras.Input((5, 5, 2))
h = layers.Conv2D(3, 2, activation="softplus")(x)
h = layers.MaxPooling2D()(h)
h = layers.Add()([h, layers.Conv2D(3, 1, activation="sigmoid")(h)])
model = keras.Model(x, layers.Dense(3)(layers.Flatten()(h)))
rng = np.random.default_rng(0)
for weight in model.weights:
    weight.assign(rng.normal(size=weight.shape))
images, labels = rng.normal(size=(8, 5, 5, 2)), np.arange(8) % 3
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
graph = line_graph(model, images, labels, loss=loss)
found = np.vstack([graph.adjacency().toarray(), *graph.degrees()])
"""


def test_jax_agrees(tmp_path):
    here: dict[str, np.ndarray] = {}
    exec(PROGRAM, here)
    other = f"{PROGRAM}\nnp.save({str(tmp_path / 'found.npy')!r}, found)"
    run = subprocess.run(
        [sys.executable, "-c", other],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    there = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(there, here["found"], rtol=1e-9, atol=1e-12)
    assert np.abs(there).max() > 0.1
