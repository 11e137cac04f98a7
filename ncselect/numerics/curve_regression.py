"""ν-SVR from a curve's beginning, its differences and known facts to its final value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOLDS = 3
DRAWS = 20


def curve_features(curves: Array) -> Array:
    """Return curves, their first and their second differences side by side.

    Parameters
    ----------
    curves
        Shape (m, n), n ≥ 1.

    Returns
    -------
    ndarray
        Shape (m, n + max(n − 1, 0) + max(n − 2, 0)).

    References
    ----------
    Baker et al., Accelerating neural architecture search using performance prediction, 2017
    (arXiv 1705.10823), section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> curve_features(np.array([[1.0, 3.0, 6.0]]))
    array([[1., 3., 6., 2., 3., 1.]])
    """
    return np.concatenate([np.diff(curves, order, axis=1) for order in range(3)], axis=1)


@dataclass(frozen=True)
class CurveRegression:
    """A ν-SVR with the hyperparameters that predicted best out of fold.

    Attributes
    ----------
    residual_sd
        Root of the mean squared error of its out-of-fold predictions.
    parameters
        The chosen ``C``, ``gamma`` and ``nu``.
    """

    residual_sd: float
    parameters: dict[str, float]
    _fitted: Any

    def predict(self, features: Array) -> Array:
        """Return predictions, not clipped, shape (m,), for features of shape (m, p)."""
        return np.asarray(self._fitted.predict(features))


def curve_regression(features: Array, final: Array, *, seed: int) -> CurveRegression:
    """Fit a ν-SVR with a radial kernel by random search with three-fold cross-validation.

    C and γ are drawn log-uniformly from [1e−5, 10], ν uniformly from (0, 1). Features are
    standardised by those of the fold that is learnt from.

    Parameters
    ----------
    features
        Shape (m, p), m ≥ 6.
    final
        What to predict, shape (m,).
    seed
        Seeds the folds and the search.

    Returns
    -------
    CurveRegression

    References
    ----------
    Baker et al. 2017 (arXiv 1705.10823), section 4 and appendix: the regressor, the ranges.
    """
    from scipy.stats import loguniform, uniform
    from sklearn.model_selection import KFold, ParameterSampler
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import NuSVR

    # As RandomizedSearchCV with a pipeline, which would standardise every fold anew at each draw
    # and check its arguments over and over: for so few curves three quarters of its time.
    folds = []
    for seen, judged in KFold(FOLDS, shuffle=True, random_state=seed).split(features):
        scaler = StandardScaler().fit(features[seen])
        known, unknown = scaler.transform(features[seen]), scaler.transform(features[judged])
        folds.append((known, final[seen], unknown, final[judged]))
    ranges = {
        "C": loguniform(1e-5, 10),
        "gamma": loguniform(1e-5, 10),
        "nu": uniform(1e-3, 1 - 1e-3),
    }
    drawn = list(ParameterSampler(ranges, DRAWS, random_state=seed))
    errors = [
        np.mean(
            [
                np.mean((NuSVR(**one).fit(known, learnt).predict(unknown) - truth) ** 2)
                for known, learnt, unknown, truth in folds
            ]
        )
        for one in drawn
    ]
    best = int(np.argmin(errors))
    return CurveRegression(
        residual_sd=float(np.sqrt(errors[best])),
        parameters={name: float(value) for name, value in drawn[best].items()},
        _fitted=make_pipeline(StandardScaler(), NuSVR(**drawn[best])).fit(features, final),
    )
