"""Learn from published results how scores and earlier results go together with the accuracy.

The process of ``ncselect.numerics.coregionalisation`` is fitted to the built-in table by penalised
marginal likelihood, stopped after 60 steps, which keeps it near its start: with 9 datasets it would
follow their peculiarities further. Intervals and the pool's location and scale are learned by
leaving one dataset out.

    python -m bench.score_weights > ncselect/data/score_weights.json
"""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import scipy
from scipy.optimize import minimize

from ncselect.experience import family
from ncselect.numerics.coregionalisation import Cells, Component, Coregionalisation, conditioned
from ncselect.numerics.score_weights import ACCURACY, Line, ScoreWeights, logit, on_scale
from ncselect.numerics.standardised import standardised
from ncselect.published import PUBLISHED_SCORES, published

QUANTITIES = (ACCURACY, *PUBLISHED_SCORES, "imagenet-top1")
PENALTY = 0.05
"""Of each parameter's squared distance from where the search starts."""
LEAST_NOISE = 1e-3
STEPS = 60
_FITTED = {}


def main() -> int:
    """Print the weights, with what they were learned from."""
    table = published()
    document = {
        "learned_from": {
            "table": "experience.csv",
            "models": list(table.models),
            "datasets": list(table.datasets),
            "command": "python -m bench.score_weights",
            "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        },
        "weights": learned(list(range(len(table.datasets)))).to_json(),
    }
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


def raw_values(quantities=QUANTITIES):
    """Return the table's values of the quantities, shape (K, models, datasets)."""
    table = published()
    of = {
        ACCURACY: table.accuracy,
        "imagenet-top1": np.repeat(table.imagenet_top1[:, None], len(table.datasets), axis=1),
        **{score: table.scores[column] for score, column in PUBLISHED_SCORES.items()},
    }
    return np.array([of[name] for name in quantities])


def learned(datasets, quantities=QUANTITIES):
    """Return the weights learned from some columns of the table."""
    table = published()
    raw = raw_values(quantities)[:, :, datasets]
    values = np.array(
        [standardised(on_scale(name, one)) for name, one in zip(quantities, raw, strict=True)]
    )
    names = [family(model) for model in table.models]
    families = np.array([names.index(name) for name in names])
    images = table.training_images[datasets]
    process = fitted_process(values, families, images, tuple(datasets))
    heads, truth = logit(raw[quantities.index("linear-head")]), logit(raw[0])
    return ScoreWeights(
        quantities,
        process,
        inflation(values, families, images, datasets),
        (line(heads.mean(0), truth.mean(0)), flat(truth.mean(0))),
        (line(np.log(heads.std(0)), np.log(truth.std(0))), flat(np.log(truth.std(0)))),
    )


def fitted_process(values, families, images, datasets):
    """Return the process of penalised marginal likelihood after STEPS steps, found once.

    Networks enter the covariance by the family matrix and the identity alone, so in the family
    matrix's eigenvectors it falls apart into a block of quantities × datasets for each.
    """
    if (datasets, len(values)) in _FITTED:
        return _FITTED[datasets, len(values)]
    n_quantities, _, n_datasets = values.shape
    eigenvalues, vectors = np.linalg.eigh((families[:, None] == families[None, :]) * 1.0)
    eigenvalues = eigenvalues.round(6)
    rotated = np.einsum("mj,kmd->jkd", vectors, values).reshape(len(families), -1)
    blocks = [(value, rotated[eigenvalues == value]) for value in np.unique(eigenvalues)]
    sizes = np.log(images)
    apart = (sizes[:, None] - sizes[None, :]) ** 2
    constant, repeated = np.ones((n_datasets, n_datasets)), np.eye(n_datasets)

    def deviance(parameters):
        process = unpacked(parameters, n_quantities)
        alike = np.exp(-0.5 * apart / process.length**2)
        total = 0.0
        for eigenvalue, rows in blocks:
            block = np.kron(np.diag(process.noise), repeated)
            for part, kernel in ((process.level, constant), (process.likeness, alike)):
                share = part.in_family * eigenvalue + 1 - part.in_family
                block += np.kron(part.between * share, kernel)
            root = np.linalg.cholesky(block)
            total += 0.5 * (np.linalg.solve(root, rows.T) ** 2).sum()
            total += len(rows) * np.log(np.diag(root)).sum()
        return total

    start = starting_point(n_quantities)
    found = minimize(
        lambda at: deviance(at) + PENALTY * ((at - start) ** 2).sum(),
        start,
        method="L-BFGS-B",
        options={"maxiter": STEPS},
    )
    _FITTED[datasets, n_quantities] = unpacked(found.x, n_quantities)
    return _FITTED[datasets, n_quantities]


def starting_point(n_quantities):
    """Return parameters: all quantities follow the first a little, sizes matter over a factor e."""
    parts = []
    for size, in_family in ((0.8, 1.0), (0.4, 0.0)):
        root = np.eye(n_quantities) * size
        root[1:, 0] = 0.2
        parts += [*root[np.tril_indices(n_quantities)], in_family]
    return np.array([*parts, *[-1.5] * n_quantities, 0.0])


def unpacked(parameters, n_quantities):
    """Return the process of a vector: Cholesky roots, logits, log deviations, a log length."""
    n_root = n_quantities * (n_quantities + 1) // 2

    def component(first):
        root = np.zeros((n_quantities, n_quantities))
        root[np.tril_indices(n_quantities)] = parameters[first : first + n_root]
        return Component(root @ root.T, float(1 / (1 + np.exp(-parameters[first + n_root]))))

    rest = parameters[2 * (n_root + 1) :]
    return Coregionalisation(
        component(0),
        component(n_root + 1),
        float(np.exp(rest[-1])),
        np.exp(2 * rest[:-1]) + LEAST_NOISE,
    )


def inflation(values, families, images, datasets):
    """Return the root mean square of errors in their predicted deviations.

    Each dataset is predicted by what is learned from the others, the process included; at least 1.
    """
    n_models, n_datasets = values.shape[1:]
    errors = []
    for left_out in range(n_datasets):
        others = [place for place in range(n_datasets) if place != left_out]
        process = fitted_process(
            values[:, :, others], families, images[others], tuple(datasets[i] for i in others)
        )
        seen = values.copy()
        seen[0, :, left_out] = np.nan
        cells = Cells.of(0, np.arange(n_models), left_out)
        expected = conditioned(process, families, images, seen, cells)
        error = values[0, :, left_out] - expected.mean
        errors += list(error / np.sqrt(np.diag(expected.covariance)))
    return max(1.0, math.sqrt(np.mean(np.square(errors))))


def line(x, y):
    """Return the least-squares line; its deviations are those of Student's t with n − 2."""
    away, free = x - x.mean(), len(x) - 2
    slope = (away * y).sum() / (away**2).sum()
    residual = ((y - y.mean() - slope * away) ** 2).sum() / free * (free / (free - 2))
    return Line(
        float(x.mean()),
        float(y.mean()),
        float(slope),
        math.sqrt(residual / (away**2).sum()),
        math.sqrt(residual * (1 + 1 / len(x))),
    )


def flat(y):
    """Return the mean as a line; its deviation is that of Student's t with n − 1."""
    free = len(y) - 1
    variance = y.var(ddof=1) * free / (free - 2) * (1 + 1 / len(y))
    return Line(0.0, float(y.mean()), 0.0, 0.0, math.sqrt(variance))


if __name__ == "__main__":
    sys.exit(main())
