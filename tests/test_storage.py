from __future__ import annotations

import resource

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from ncselect.sparse.layers import SparseDense
from ncselect.sparse.sparsification import sparsified
from ncselect.sparse.storage import SparseNetwork, StoredLayer
from zoo.errors import InputError, UnknownNameError


def perceptron(*, last="softmax"):
    """Return a Sequential of every kind of layer that can be stored."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            keras.layers.Flatten(),
            SparseDense(40, activation="relu", density=0.1, seed=1, name="first"),
            keras.layers.Dropout(0.3),
            SparseDense(30, density=0.2, seed=2, use_bias=False, name="second"),
            keras.layers.Activation("tanh"),
            SparseDense(25, density=0.2, seed=3, name="third"),
            keras.layers.ReLU(),
            SparseDense(20, density=0.5, seed=4, activation="sigmoid", name="fourth"),
            keras.layers.Dense(4, activation=last, name="logits"),
        ]
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.normal(size=layer.bias.shape))
    return model


def images(count=37):
    return np.random.default_rng(5).normal(size=(count, 6, 5, 2)).astype(np.float32)


@pytest.mark.parametrize("last", ["softmax", "linear"])
def test_a_stored_model_predicts_what_the_model_does(last):
    model = perceptron(last=last)
    network = SparseNetwork.from_model(model)
    expected = model.predict(images(), verbose=0)
    found = network.predict(images(), batch_size=10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.predict(images(1)), expected[:1], rtol=1e-5, atol=1e-6)
    assert network.predict(images(0)).shape == (0, 4)
    names = [layer.name for layer in network.layers]
    assert names == ["first", "second", "third", "fourth", "logits"]
    assert (
        network.connections
        == sum(layer.connections.count for layer in model.layers if isinstance(layer, SparseDense))
        + 80
    )


def test_nested_and_functional_models_are_chains_too():
    inner = keras.Sequential(
        [keras.Input((20,)), SparseDense(15, density=0.2, seed=1, activation="relu")]
    )
    inputs = keras.Input((20,))
    outputs = keras.layers.Dense(3)(keras.layers.Dropout(0.1)(inner(inputs)))
    model = keras.Model(inputs, keras.layers.Softmax()(outputs))
    x = np.random.default_rng(0).normal(size=(9, 20)).astype(np.float32)
    np.testing.assert_allclose(
        SparseNetwork.from_model(model).predict(x), model.predict(x, verbose=0), atol=1e-6
    )


def test_a_sparsified_model_is_stored():
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((300,)),
            keras.layers.Dense(200, activation="relu"),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    sparse = sparsified(model, epsilon=3, seed=0)
    network = SparseNetwork.from_model(sparse)
    x = np.random.default_rng(0).normal(size=(9, 300)).astype(np.float32)
    np.testing.assert_allclose(network.predict(x), sparse.predict(x, verbose=0), atol=1e-6)
    assert [isinstance(layer.kernel, csr_array) for layer in network.layers] == [True, True, False]


def test_a_dense_layer_that_was_pruned_is_stored_by_its_weights():
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(40), keras.layers.Dense(30)])
    kernel = np.array(model.layers[0].kernel.value)
    kernel[np.random.default_rng(0).random(kernel.shape) < 0.9] = 0
    model.layers[0].kernel.assign(kernel)
    pruned, full = SparseNetwork.from_model(model).layers
    assert pruned.kernel.nnz == np.count_nonzero(kernel)
    np.testing.assert_array_equal(pruned.kernel.toarray(), kernel)
    assert isinstance(full.kernel, np.ndarray)


def test_a_connection_of_weight_0_is_stored():
    model = perceptron()
    layer = model.get_layer("first")
    layer.connect(np.zeros((60, 40), np.float32), np.asarray(layer.mask.value))
    stored = SparseNetwork.from_model(model).layers[0]
    assert stored.values.size == layer.connections.count > 0
    assert not stored.values.any()


def test_what_is_stored_no_longer_follows_the_model():
    model = perceptron()
    network = SparseNetwork.from_model(model)
    before = network.predict(images())
    for variable in model.variables:
        variable.assign(keras.ops.zeros_like(variable))
    np.testing.assert_array_equal(network.predict(images()), before)


def test_a_saved_network_is_the_same_network(tmp_path):
    network = SparseNetwork.from_model(perceptron())
    network.save(tmp_path / "network.npz")
    loaded = SparseNetwork.load(tmp_path / "network.npz")
    np.testing.assert_array_equal(loaded.predict(images()), network.predict(images()))
    for one, other in zip(network.layers, loaded.layers, strict=True):
        assert (one.name, one.activation) == (other.name, other.activation)
        assert (one.bias is None) == (other.bias is None)
        assert one.kernel.shape == other.kernel.shape
        np.testing.assert_array_equal(one.values, other.values)
    with np.load(tmp_path / "network.npz") as file:
        assert file["0/columns"].dtype == np.uint8  # 40 units
        assert file["0/weights"].dtype == np.float32


@pytest.mark.parametrize(("epsilon", "share"), [(20, 0.5), (5, 0.12)])
def test_memory_and_file_are_of_the_connections(tmp_path, epsilon, share):
    network = SparseNetwork.random((784, 1000, 1000, 10), epsilon=epsilon, seed=0)
    network.save(tmp_path / "sparse.npz")
    full = 4 * (784 * 1000 + 1000 * 1000 + 1000 * 10)
    hidden = network.layers[0].values.size + network.layers[1].values.size
    assert hidden == pytest.approx(epsilon * (1784 + 2000), rel=0.02)
    assert network.nbytes < 2.2 * 4 * hidden + 8 * 13_000
    assert (tmp_path / "sparse.npz").stat().st_size < 6 * hidden + 4 * 15_000
    assert network.nbytes < share * full


def test_a_random_network_keeps_the_scale_of_what_goes_through():
    network = SparseNetwork.random((500,) * 9, epsilon=10, seed=1, last_activation="relu")
    x = np.random.default_rng(0).normal(size=(200, 500))
    found = network.predict(x)
    # He et al. 2015, Eq. 9: the mean square stays, from layer to layer.
    assert np.mean(found**2) == pytest.approx(np.mean(x**2), rel=0.4)
    again = SparseNetwork.random((500,) * 9, epsilon=10, seed=1, last_activation="relu")
    np.testing.assert_array_equal(again.predict(x), found)


def functional(build):
    inputs = keras.Input((8,))
    return keras.Model(inputs, build(inputs))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (keras.layers.BatchNormalization(name="norm"), "norm.*is not supported"),
        (lambda x: keras.layers.Add(name="sum")([keras.layers.Dense(8)(x), x]), "sum.*chains"),
        (
            keras.layers.Dense(4, activation="gelu", name="d"),
            "'d' has activation gelu",
        ),
        (keras.layers.ReLU(max_value=6.0, name="six"), "six"),
        (keras.layers.Activation("relu", name="early"), "early"),
        (
            lambda x: keras.layers.Flatten()(
                keras.layers.Dense(3, name="deep")(keras.layers.Reshape((4, 2))(x))
            ),
            "[Rr]eshape.*not supported",
        ),
        (
            lambda x: keras.layers.Softmax(name="twice")(
                keras.layers.Dense(3, activation="relu")(x)
            ),
            "twice",
        ),
        (lambda x: [keras.layers.Dense(3)(x), keras.layers.Dense(2)(x)], "1 inputs and 2 outputs"),
    ],
)
def test_models_that_are_no_such_chain_are_refused_by_name(build, text):
    with pytest.raises(InputError, match=text):
        SparseNetwork.from_model(functional(build))


def test_a_dense_layer_of_positions_is_refused():
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(3, name="positions")])
    with pytest.raises(InputError, match=r"positions.*flat inputs.*keep the Keras model"):
        SparseNetwork.from_model(model)


def test_layers_that_do_not_follow_each_other_are_refused():
    layers = [StoredLayer(name, np.ones((3, 4)), None, "linear") for name in ("a", "b")]
    with pytest.raises(InputError, match="'a' gives 4 outputs, 'b' takes 3"):
        SparseNetwork(tuple(layers))
    with pytest.raises(InputError, match="at least one; got none"):
        SparseNetwork(())
    with pytest.raises(UnknownNameError, match=r"unknown activation 'rely'. Did you mean relu"):
        StoredLayer("a", np.ones((3, 4)), None, "rely")


def test_layers_that_are_none_are_refused():
    unordered = csr_array((np.ones(2), np.array([1, 0]), np.array([0, 2])), (1, 2))
    for kernel, bias, text in (
        (csr_matrix(np.eye(2)), None, "kernel of 'a' is a csr_matrix; give a scipy.sparse.csr_arr"),
        (np.ones(3), None, "kernel of 'a' is a ndarray; give .* of two axes"),
        (unordered, None, r"not in order or come twice; call its sum_duplicates\(\)"),
        (np.eye(2), np.ones(3), r"bias of 'a' has shape \(3,\), its kernel \(2, 2\)"),
    ):
        with pytest.raises(InputError, match=text):
            StoredLayer("a", kernel, bias, "linear")


def test_bad_calls_are_refused():
    network = SparseNetwork.random((4, 3), seed=0)
    with pytest.raises(InputError, match="each has 5 numbers, the network takes 4"):
        network.predict(np.zeros((2, 5)))
    with pytest.raises(InputError, match="batch_size: needs at least 1; got 0"):
        network.predict(np.zeros((2, 4)), batch_size=0)
    with pytest.raises(InputError, match=r"widths: needs at least two .* got \(4,\)"):
        SparseNetwork.random((4,))


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "arrays", weights=np.zeros(3))
    np.savez(tmp_path / "later", format=np.array("ncselect sparse network 2"))
    np.savez(tmp_path / "no-facts", format=np.array("ncselect sparse network 1"))
    np.save(tmp_path / "array", np.zeros(3))
    (tmp_path / "text.npz").write_text("accuracy 0.93")
    (tmp_path / "empty.npz").touch()
    for name in ("arrays.npz", "later.npz", "no-facts.npz", "array.npy", "text.npz", "empty.npz"):
        text = f"{name} is no 'ncselect sparse network 1', or is damaged; give a file that save"
        with pytest.raises(InputError, match=text):
            SparseNetwork.load(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(InputError, match=rf"path: {path} cannot be read \(.* director"):
            SparseNetwork.load(path)


def test_a_damaged_file_is_refused_or_read_all_the_same(tmp_path):
    network = SparseNetwork.random((30, 20, 5), epsilon=2, seed=0)
    network.save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "damaged.npz"
    x = np.random.default_rng(1).normal(size=(3, 30))
    expected = network.predict(x)
    rng = np.random.default_rng(0)
    texts = []
    for index in range(300):
        damaged = bytearray(whole)
        if index < 50:
            damaged = damaged[: len(whole) * index // 50]
        else:
            damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = SparseNetwork.load(path)
        except InputError as error:
            texts.append(str(error))
        else:  # the time of day in the archive's list of contents, say
            np.testing.assert_array_equal(found.predict(x), expected)
    assert len(texts) > 200
    for text in texts:
        assert text.startswith(f"path: {path} ")
        assert text.endswith("give a file that save() wrote")


@pytest.mark.parametrize(
    "changed",
    [
        {"0/columns": np.full(3, 7, np.uint8)},  # of 4 units
        {"0/columns": np.zeros(2, np.uint8)},
        {"0/starts": np.array([3, 3], np.uint32)},
    ],
)
def test_connections_that_cannot_be_are_refused(tmp_path, changed):
    kernel = csr_array((np.ones(3, np.float32), [0, 1, 3], [0, 2, 3]), (2, 4))
    SparseNetwork((StoredLayer("a", kernel, None, "linear"),)).save(tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as file:
        arrays = dict(file)
    assert changed.keys() <= arrays.keys()
    np.savez(tmp_path / "changed.npz", **arrays | changed)
    with pytest.raises(InputError, match=r"changed.npz is no .* or is damaged"):
        SparseNetwork.load(tmp_path / "changed.npz")


def test_saving_that_fails_leaves_the_old_file(tmp_path):
    old, new = (SparseNetwork.random(w, seed=0) for w in ((40, 5), (300, 300)))
    path = tmp_path / "network.npz"
    old.save(path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            new.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    new.save(path)
    assert SparseNetwork.load(path).connections == 90_000
    assert list(tmp_path.iterdir()) == [path]
