"""Every estimator of transferability against its definition, written out slowly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from made_features import made, probabilities
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.mixture import GaussianMixture

from ncselect.numerics.transferability.gbc import gbc
from ncselect.numerics.transferability.h_score import h_score
from ncselect.numerics.transferability.knn import knn_accuracy
from ncselect.numerics.transferability.leep import leep
from ncselect.numerics.transferability.linear_head import linear_head_accuracy
from ncselect.numerics.transferability.logme import logme
from ncselect.numerics.transferability.n_leep import n_leep
from ncselect.numerics.transferability.nce import negative_conditional_entropy
from ncselect.numerics.transferability.transrate import transrate
from zoo.errors import InputError


@pytest.mark.parametrize("seed", range(3))
def test_leep_is_its_definition(seed):
    theta, y = probabilities(seed=seed)
    theta = theta.astype(float) / theta.astype(float).sum(axis=1, keepdims=True)
    n, K = theta.shape
    joint = {
        (a, z): sum(theta[i, z] for i in range(n) if y[i] == a) / n
        for a in set(y)
        for z in range(K)
    }
    marginal = [sum(joint[a, z] for a in set(y)) for z in range(K)]
    total = 0.0
    for i in range(n):
        total += math.log(
            sum(theta[i, z] * joint[y[i], z] / marginal[z] for z in range(K) if marginal[z] > 0)
        )
    assert leep(theta, y) == pytest.approx(total / n, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_nce_is_a_difference_of_entropies(seed):
    theta, y = probabilities(seed=seed)
    z = [int(np.argmax(row)) for row in theta]

    def entropy(outcomes):
        shares = [outcomes.count(one) / len(outcomes) for one in set(outcomes)]
        return -sum(share * math.log(share) for share in shares)

    expected = entropy(z) - entropy(list(zip(z, y.tolist(), strict=True)))  # −H(Y | Z)
    assert negative_conditional_entropy(theta, y) == pytest.approx(expected, rel=1e-12)


def test_leep_of_a_head_without_doubts_is_nce():
    theta, y = probabilities()
    certain = np.eye(theta.shape[1])[theta.argmax(axis=1)]
    assert leep(certain, y) == pytest.approx(negative_conditional_entropy(theta, y), rel=1e-12)


def test_leep_and_nce_of_a_head_that_knows_nothing_are_the_entropy_of_the_classes():
    y = np.array([0] * 3 + [1] * 9)
    theta = np.tile([[0.3, 0.7], [0.7, 0.3], [0.5, 0.5]], (4, 1))[[0, 1, 2] * 4]
    entropy = 0.25 * math.log(0.25) + 0.75 * math.log(0.75)
    assert leep(theta, y) == pytest.approx(entropy, rel=1e-12)
    certain = np.tile([[0.9, 0.1]], (12, 1)) - 0.1 * (np.arange(12) % 2)[:, None] * [1, -1]
    assert negative_conditional_entropy(certain, y) == pytest.approx(entropy, rel=1e-12)


@pytest.mark.parametrize("neighbours", [1, 2, 4, 5, 200])
def test_knn_is_a_vote_of_the_smallest_angles(neighbours):
    train, y, validation, asked = made(classes=4, apart=0.6)
    right = 0.0
    for image, label in zip(validation.astype(float), asked, strict=True):
        angle = [
            1 - image @ other / math.sqrt((image @ image) * (other @ other))
            for other in train.astype(float)
        ]
        voters = y[np.argsort(angle)[:neighbours]].tolist()
        most = max(voters.count(one) for one in voters)
        leaders = [one for one in set(voters) if voters.count(one) == most]
        right += (label in leaders) / len(leaders)
    expected = right / len(asked)
    assert knn_accuracy(train, y, validation, asked, neighbours=neighbours) == pytest.approx(
        expected, rel=1e-12
    )


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_the_linear_head_is_the_minimiser_of_the_penalised_loss(penalty):
    train, y, validation, asked = made(n=80, d=4, apart=0.8)
    mean, sd = train.astype(float).mean(axis=0), train.astype(float).std(axis=0)
    X, V = (train - mean) / sd, (validation - mean) / sd

    def loss(flat):
        w, b = flat[:12].reshape(4, 3), flat[12:]
        scores = X @ w + b
        log_losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
        return penalty * log_losses.sum() + 0.5 * (w**2).sum()

    best = minimize(loss, np.zeros(15), method="BFGS", options={"gtol": 1e-7}).x
    predicted = (V @ best[:12].reshape(4, 3) + best[12:]).argmax(axis=1)
    answer = linear_head_accuracy(train, y, validation, asked, inverse_penalty=penalty)
    assert answer == np.mean(predicted == asked)
    assert 0.5 < answer < 1.0


def test_a_linear_head_that_does_not_converge_is_said_to():
    with pytest.raises(InputError, match="did not converge in 2 steps; choose"):
        linear_head_accuracy(*made(d=20), most_iterations=2)


def test_n_leep_is_leep_of_the_posteriors_of_a_mixture_on_components_of_80_percent():
    features, y, _, _ = made(n=400, d=8, apart=0.6)
    centred = features - features.astype(float).mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(centred.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = next(k for k in range(1, 9) if values[:k].sum() > 0.8 * values.sum())
    assert 1 < kept < 8
    points = centred @ vectors[:, :kept]
    points /= points[:, 0].std()
    mixture = GaussianMixture(15, random_state=0).fit(points)
    theta = np.zeros((400, 15))
    for i, k in itertools.product(range(400), range(15)):
        density = multivariate_normal(mixture.means_[k], mixture.covariances_[k])
        theta[i, k] = mixture.weights_[k] * density.pdf(points[i])
    theta /= theta.sum(axis=1, keepdims=True)
    joint = np.array([theta[y == a].sum(axis=0) for a in range(3)]) / 400
    expected = np.mean(
        [math.log(sum(theta[i] * joint[y[i]] / joint.sum(axis=0))) for i in range(400)]
    )
    assert n_leep(features, y) == pytest.approx(expected, rel=1e-6)
    assert expected < -0.01


def evidence(F, y, alpha, beta):
    """You et al. equation 2, with the matrices written out."""
    n, d = F.shape
    A = alpha * np.eye(d) + beta * F.T @ F
    m = beta * np.linalg.inv(A) @ F.T @ y
    return (
        n / 2 * math.log(beta) + d / 2 * math.log(alpha) - n / 2 * math.log(2 * math.pi)
        - beta / 2 * ((F @ m - y) ** 2).sum() - alpha / 2 * (m**2).sum()
        - 0.5 * math.log(np.linalg.det(A))
    )  # fmt: skip


@pytest.mark.parametrize(("n", "d"), [(60, 5), (40, 12), (12, 20)])
def test_logme_is_the_highest_evidence(n, d):
    features, y, _, _ = made(n=n, d=d)
    F = features.astype(float)
    total = 0.0
    for label in range(3):
        target = (y == label).astype(float)

        def negative(logs, target=target):
            return -evidence(F, target, math.exp(logs[0]), math.exp(logs[1]))

        tries = [
            minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-11})
            for start in ([0.0, 0.0], [5.0, 1.0], [0.0, 4.0])
        ]
        total -= min(one.fun for one in tries)
    assert logme(features, y) == pytest.approx(total / 3 / n, abs=1e-9)


def test_logme_is_where_the_papers_iteration_ends():
    features, y, _, _ = made(n=50, d=6, apart=0.8)
    F = features.astype(float)
    n, total = len(F), 0.0
    eigenvalues = np.linalg.eigvalsh(F.T @ F)
    for label in range(3):
        target = (y == label).astype(float)
        alpha = beta = 1.0
        for _ in range(2000):  # algorithm 1
            m = beta * np.linalg.inv(alpha * np.eye(6) + beta * F.T @ F) @ F.T @ target
            gamma = (beta * eigenvalues / (alpha + beta * eigenvalues)).sum()
            alpha = gamma / (m @ m)
            beta = (n - gamma) / ((F @ m - target) ** 2).sum()
        total += evidence(F, target, alpha, beta)
    assert logme(features, y) == pytest.approx(total / 3 / n, abs=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 30)])
def test_h_score_is_its_definition(n, d):
    features, y, _, _ = made(n=n, d=d)
    X = features.astype(float) - features.astype(float).mean(axis=0)
    S = sum(np.outer(row, row) for row in X) / n
    # Ledoit and Wolf 2004: the shrinkage b²/d² towards μ I.
    mu = np.trace(S) / d
    distance = ((S - mu * np.eye(d)) ** 2).sum() / d
    error = sum(((np.outer(row, row) - S) ** 2).sum() / d for row in X) / n**2
    alpha = min(error, distance) / distance
    assert 0.01 < alpha < 1
    means = np.array([X[y == label].mean(axis=0) for label in y])
    between = sum(np.outer(row, row) for row in means) / n
    shrunk = (1 - alpha) * S + alpha * mu * np.eye(d)
    expected = np.trace(np.linalg.inv(shrunk) @ ((1 - alpha) * between))
    assert h_score(features, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_gbc_is_minus_the_overlap_of_gaussians(d):
    features, y, _, _ = made(n=50, d=d, apart=1.0)
    X = features.astype(float)
    centres = [X[y == label].mean(axis=0) for label in range(3)]
    sds = [
        math.sqrt(((X[y == label] - centres[label]) ** 2).sum() / (y == label).sum() / d)
        for label in range(3)
    ]
    expected = 0.0
    for i, j in itertools.permutations(range(3), 2):
        overlap = 1.0  # ∫ √(p_i p_j), axis by axis
        for axis in range(d):
            overlap *= quad(
                lambda x, i=i, j=j, axis=axis: math.sqrt(
                    norm.pdf(x, centres[i][axis], sds[i]) * norm.pdf(x, centres[j][axis], sds[j])
                ),
                -30, 30, points=[centres[i][axis], centres[j][axis]], limit=200,
            )[0]  # fmt: skip
        expected -= overlap
    assert gbc(features, y) == pytest.approx(expected, rel=1e-7)


def test_gbc_looks_at_64_principal_components():
    features, y, _, _ = made(n=150, d=80, apart=0.2)
    _, vectors = np.linalg.eigh(np.cov(features.astype(float).T))
    first = features.astype(float) @ vectors[:, :-65:-1]
    assert gbc(features, y) == pytest.approx(gbc(first, y), rel=1e-9)
    assert gbc(features, y) != pytest.approx(gbc(features[:, :64], y), rel=1e-3)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (12, 20)])
def test_transrate_is_its_definition(n, d):
    features, y, _, _ = made(n=n, d=d)
    Z = features.astype(float) - features.astype(float).mean(axis=0)
    Z /= math.sqrt(np.trace(Z @ Z.T) / n)

    def rate(rows):
        gram = np.zeros((d, d))
        for row in rows:
            gram += np.outer(row, row)
        return 0.5 * math.log(np.linalg.det(np.eye(d) + gram / (len(rows) * 1e-4)))

    expected = rate(Z)
    for label in range(3):
        expected -= (y == label).mean() * rate(Z[y == label])
    assert transrate(features, y) == pytest.approx(expected, rel=1e-9)
