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
    from sklearn.model_selection import KFold, RandomizedSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import NuSVR

    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), NuSVR(kernel="rbf")),
        {
            "nusvr__C": loguniform(1e-5, 10),
            "nusvr__gamma": loguniform(1e-5, 10),
            "nusvr__nu": uniform(1e-3, 1 - 1e-3),
        },
        n_iter=DRAWS,
        scoring="neg_mean_squared_error",
        cv=KFold(FOLDS, shuffle=True, random_state=seed),
        random_state=seed,
        error_score="raise",
    ).fit(features, final)
    return CurveRegression(
        residual_sd=float(np.sqrt(-search.best_score_)),
        parameters={
            name.removeprefix("nusvr__"): float(value)
            for name, value in search.best_params_.items()
        },
        _fitted=search.best_estimator_,
    )
