"""β_eff in closed form: against entry-by-entry P, the text's Eq. 10, and Theorem 1."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import DEFINITIONS, Capacitance, Definition, beta_eff
from ncselect.numerics.held import flow, held_batch, held_capacitance, held_terms
from ncselect.numerics.mixed_hessian import mixed_hessian
from zoo.errors import InputError


def perceptron(seed=0, widths=(4, 5, 4, 3, 3), n=6, bias=True):
    rng = np.random.default_rng(seed)
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        offset = 0.3 * rng.normal(size=fan_out) if bias else None
        kernel = rng.normal(size=(fan_in, fan_out)) * np.sqrt(2 / fan_in)
        layers += [mlp.Dense(kernel, offset), mlp.Activation("relu")]
    return layers[:-1], rng.normal(size=(n, widths[0])), np.arange(n) % widths[-1]


def with_norms(layers, order, statistics, seed=0):
    """Put a batch norm behind every hidden dense layer, or before every dense layer but the top."""
    rng = np.random.default_rng(seed)

    def norm(width):
        held = statistics == "frozen"
        return mlp.Norm(
            rng.normal(size=width),
            rng.normal(size=width),
            rng.normal(size=width) if held else None,
            rng.uniform(0.5, 2.0, width) if held else None,
        )

    found = []
    for layer in layers[:-1]:
        if isinstance(layer, mlp.Dense) and order == "bn-dense":
            found.append(norm(layer.kernel.shape[0]))
        found.append(layer)
        if isinstance(layer, mlp.Dense) and order == "dense-bn":
            found.append(norm(layer.kernel.shape[1]))
    return [*found, layers[-1]]


def naive_p(layers, x, labels, sample):
    """Appendix B's P of one sample, entry by entry, with held statistics of the whole batch.

    The factor of an entry that belongs to w_ij(l) is got by moving one number at a time.
    """
    fixed, batch = [], np.asarray(x, dtype=float)
    for layer in layers:
        held = layer
        if isinstance(layer, mlp.Norm) and layer.mean is None:
            mean, variance = batch.mean(axis=0), batch.var(axis=0)
            held = mlp.Norm(layer.gamma, layer.beta, mean, variance, layer.epsilon)
        fixed.append(held)
        batch = mlp.forward([held], batch)[-1]
    dense = [at for at, layer in enumerate(fixed) if isinstance(layer, mlp.Dense)]
    row, target = x[sample : sample + 1], labels[sample : sample + 1]
    outputs = mlp.forward(fixed, row)
    step = 1e-6

    def slope_by_output(at, unit, until):
        """Return the slopes of the numbers that enter layer ``until`` by a unit's a."""
        moved = [outputs[at + 1].copy() for _ in range(2)]
        moved[0][0, unit] += step
        moved[1][0, unit] -= step
        up, down = (mlp.forward(fixed[at + 1 : until], a)[-1] for a in moved)
        return (up - down)[0] / (2 * step)

    def error(at, unit):
        """Return ∂C/∂a of a unit."""
        moved = [outputs[at + 1].copy() for _ in range(2)]
        moved[0][0, unit] += step
        moved[1][0, unit] -= step
        up, down = (
            mlp.cross_entropy(mlp.forward(fixed[at + 1 :], a)[-1], target)[0] for a in moved
        )
        return (up - down) / (2 * step)

    names = [
        (level, i, j)
        for level, at in enumerate(dense)
        for i in range(fixed[at].kernel.shape[1])
        for j in range(fixed[at].kernel.shape[0])
    ]
    P = np.zeros((len(names), len(names)))
    place = {name: at for at, name in enumerate(names)}
    for level, (at, above) in enumerate(itertools.pairwise(dense)):
        u = outputs[at][0]
        errors = [error(above, k) for k in range(fixed[above].kernel.shape[1])]
        for i in range(fixed[at].kernel.shape[1]):
            own = slope_by_output(at, i, above)[i]
            for j in range(len(u)):
                for k, e in enumerate(errors):
                    P[place[level, i, j], place[level + 1, k, i]] = u[j] * own * e
    return P


NORMS = [None, *itertools.product(("bn-dense", "dense-bn"), ("frozen", "batch"))]


@pytest.mark.parametrize("norms", NORMS, ids=str)
@pytest.mark.parametrize("widths", [(4, 5, 4, 3, 3), (3, 4, 3, 2), (3, 5, 4, 5, 4, 3)], ids=len)
@pytest.mark.parametrize("entrywise", [False, True], ids=["signed", "entrywise"])
def test_closed_form_is_p_written_out(norms, widths, entrywise):
    layers, x, labels = perceptron(5, widths)
    if norms:
        layers = with_norms(layers, *norms)
    matrices = [naive_p(layers, x, labels, sample) for sample in range(len(x))]
    matrices = [np.abs(P) if entrywise else P for P in matrices]
    numerator = np.mean([P.sum(axis=0) @ P.sum(axis=1) for P in matrices])
    denominator = np.mean([P.sum() for P in matrices])
    found = held_capacitance(flow(layers, x, labels), entrywise=entrywise)
    assert denominator != 0
    assert found.denominator == pytest.approx(denominator, rel=1e-6, abs=1e-9)
    assert found.numerator == pytest.approx(numerator, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("entrywise", [False, True], ids=["signed", "entrywise"])
def test_each_sample_has_a_capacitance_of_its_own(entrywise):
    layers, x, labels = perceptron(6, (4, 5, 4, 3, 3))
    found = held_terms(flow(layers, x, labels), entrywise=entrywise).samples
    for sample, value in enumerate(found):
        P = naive_p(layers, x, labels, sample)
        P = np.abs(P) if entrywise else P
        expected = P.sum(axis=0) @ P.sum(axis=1) / P.sum() if P.any() else 0.0
        assert value == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert np.ptp(found) > 0


@pytest.mark.parametrize("widths", [(4, 5, 4, 3, 3), (3, 5, 4, 5, 4, 3)], ids=len)
def test_batch_is_the_capacitance_of_the_mean_p(widths):
    layers, x, labels = perceptron(5, widths)
    P = np.mean([naive_p(layers, x, labels, sample) for sample in range(len(x))], axis=0)
    base, probe = layers[:2], layers[2:]
    hidden, features = mlp.forward(base, x)[1:]
    reach = x.sum(axis=1, keepdims=True) * (hidden > 0)
    seen = flow(probe, features, labels)
    found = held_batch(seen, held_terms(seen, reach=reach), reach=reach)
    assert found.denominator == pytest.approx(P.sum(), rel=1e-6)
    assert found.numerator == pytest.approx(P.sum(axis=0) @ P.sum(axis=1), rel=1e-6)
    pooled = held_capacitance(seen, reach=reach)
    assert pooled.denominator == pytest.approx(found.denominator, rel=1e-9)
    assert pooled.numerator != pytest.approx(found.numerator, rel=0.01)


def test_closed_form_is_eq_10_of_the_text():
    layers, x, labels = perceptron(7, (4, 6, 5, 4, 4, 3), n=1)
    outputs = mlp.forward(layers, x)
    kernels = [layer.kernel for layer in layers[::2]]
    L = len(kernels)
    # The text's symbols for one sample: z(0) = x, a(l), z(l), σ'(l), δ(l) = ∂C/∂z(l).
    z = {0: x[0], **{level: outputs[2 * level][0] for level in range(1, L)}}
    slopes = {level: (outputs[2 * level - 1][0] > 0) * 1.0 for level in range(1, L)}
    delta = {L - 1: kernels[L - 1] @ mlp.residuals(outputs[-1], labels)[0]}
    for level in range(L - 2, 0, -1):
        delta[level] = kernels[level] @ (delta[level + 1] * slopes[level + 1])
    numerator = sum(
        z[level - 2].sum()
        * (z[level - 1] * slopes[level - 1]).sum()
        * (delta[level] * slopes[level]).sum()
        * (delta[level + 1] * slopes[level + 1]).sum()
        for level in range(2, L - 1)
    )
    denominator = sum(
        z[level - 2].sum() * slopes[level - 1].sum() * (delta[level] * slopes[level]).sum()
        for level in range(2, L)
    )
    found = held_capacitance(flow(layers, x, labels))
    assert abs(numerator) > 1e-6
    assert found.numerator == pytest.approx(numerator, rel=1e-12)
    assert found.denominator == pytest.approx(denominator, rel=1e-12)


@pytest.mark.parametrize("entrywise", [False, True])
@pytest.mark.parametrize("norms", NORMS, ids=str)
def test_reach_stands_for_a_layer_below(norms, entrywise):
    layers, x, labels = perceptron(8, (3, 5, 4, 4, 3))
    if norms:
        layers = [*layers[:2], *with_norms(layers[2:], *norms)]
    whole = held_capacitance(flow(layers, x, labels), entrywise=entrywise)
    base, probe = layers[:2], layers[2:]
    hidden, features = mlp.forward(base, x)[1:]
    part = np.abs if entrywise else np.asarray
    reach = part(x).sum(axis=1, keepdims=True) * (hidden > 0)
    seen = flow(probe, features, labels)
    found = held_capacitance(seen, reach=reach * part(seen.entry), entrywise=entrywise)
    assert found.value == pytest.approx(whole.value, rel=1e-12)


def test_kernels_of_the_printed_unit_are_identically_zero():
    layers, x, labels = perceptron(9, (6, 8, 5, 4), n=30)
    kernels = [[(at, "kernel")] for at in (0, 2, 4)]
    P = mixed_hessian(layers, x, labels, kernels)
    assert abs(P.sum()) > 1e-3
    assert np.abs(P[48:88].sum(axis=1)).max() < 1e-9
    assert held_capacitance(flow(layers, x, labels)).value == 0.0
    assert held_capacitance(flow(layers, x, labels), entrywise=True).value > 1e-3


def trained(layers, x, labels, steps, rate=0.01):
    """Full-batch Adam on all kernels and biases, yielding the network after every step."""
    moments: dict[tuple[int, str], list[np.ndarray]] = {}
    for step in range(1, steps + 1):
        found = []
        for at, (layer, by_name) in enumerate(
            zip(layers, mlp.gradients(layers, x, labels), strict=True)
        ):
            changed = {}
            for name, gradient in by_name.items():
                first, second = moments.setdefault((at, name), [0 * gradient, 0 * gradient])
                first += 0.1 * (gradient - first)
                second += 0.001 * (gradient**2 - second)
                move = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-12)
                changed[name] = getattr(layer, name) - rate * move
            found.append(type(layer)(**changed) if changed else layer)
        layers = found
        yield layers


def test_theorem_1_at_interpolation(record_property):
    """β vanishes with the residual: its numerator is of second order, its denominator of first."""
    layers, x, labels = perceptron(1, (6, 12, 10, 8, 3), n=12)
    points = []
    for step, now in enumerate(trained(layers, x, labels, 4000)):
        if step >= 100 and step % 100 == 0:
            seen = flow(now, x, labels)
            points.append((np.abs(seen.errors[-1]).mean(), abs(held_capacitance(seen).value)))
    residual, beta = np.log(np.array(points)).T
    assert residual[-1] < np.log(1e-4)
    assert np.exp(beta[-1]) < 0.02 * np.exp(beta[0])
    slope = np.polyfit(residual, beta, 1)[0]
    record_property("slope of log|β| against log mean|p − y|", float(round(slope, 3)))
    assert slope == pytest.approx(1.0, abs=0.25)


def test_beta_need_not_vanish_at_a_minimum_with_loss(record_property):
    """The same images with two labels: the mean gradient vanishes, the samples' own do not."""
    layers, x, labels = perceptron(3, (3, 8, 8, 8, 2), n=3)
    x, labels = np.concatenate([x, x, x]), np.array([0, 1, 0, 1, 1, 0, 0, 0, 1])
    names = [(at, name) for at in (0, 2, 4, 6) for name in ("kernel", "bias")]
    shapes = [getattr(layers[at], name).shape for at, name in names]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def network(flat):
        parts = [p.reshape(s) for p, s in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
        dense = iter(parts)
        return [
            mlp.Dense(next(dense), next(dense)) if isinstance(layer, mlp.Dense) else layer
            for layer in layers
        ]

    def cost(flat):
        now = network(flat)
        found = mlp.gradients(now, x, labels)
        loss = mlp.cross_entropy(mlp.forward(now, x)[-1], labels).mean()
        return loss, np.concatenate([found[at][name].ravel() for at, name in names])

    start = np.concatenate([getattr(layers[at], name).ravel() for at, name in names])
    tight = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
    end = minimize(cost, start, jac=True, method="L-BFGS-B", options=tight).x
    loss, gradient = cost(end)
    # Each image is in one class in a third of its three copies.
    assert loss == pytest.approx(np.log(3) - 2 / 3 * np.log(2), abs=1e-6)
    assert np.abs(gradient).max() < 1e-6
    at_minimum = held_capacitance(flow(network(end), x, labels))
    record_property("β at a minimum with loss", at_minimum.value)
    assert abs(at_minimum.numerator) > 0.01
    assert abs(at_minimum.value) > 1e3
    assert abs(held_capacitance(flow(layers, x, labels)).value) < 1


def test_every_definition_reads_back():
    assert len(DEFINITIONS) == 24
    for definition in DEFINITIONS:
        assert Definition.parse(str(definition)) == definition


@pytest.mark.parametrize(
    "text",
    ["base/exact/entrywise", "norm/held/signed", "all/held/signed", "base/held", "", "a/b/c"],
)
def test_meaningless_definitions_are_refused_with_the_list(text):
    with pytest.raises(InputError, match=rf"definition is '{text}'; give one of kernels/exact/"):
        Definition.parse(text)


def test_beta_of_a_written_out_graph():
    rng = np.random.default_rng(0)
    P = rng.normal(size=(6, 6))
    received, sent = P.sum(axis=1), P.sum(axis=0)
    found = beta_eff([received[:2], received[2:].reshape(2, 2)], [sent[:2], sent[2:].reshape(2, 2)])
    one = np.ones(6)
    assert found.value == pytest.approx((one @ P @ P @ one) / (one @ P @ one))


def test_zero_over_zero_is_zero_and_a_pole_is_infinite():
    assert Capacitance(0.0, 0.0).value == 0.0
    assert Capacitance(-1.0, 0.0).value == -np.inf
    assert np.isnan(Capacitance(0.0, np.nan).value)
