"""The predictors: scikit-learn pipelines that scale what they are told."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UnknownNameError

Pipeline = Any
"""A fitted ``sklearn.pipeline.Pipeline``."""

ROUNDING = 1e-8
MLP_UNITS = 16
MLP_PENALTY = 1.0
MLP_ITERATIONS = 2000


def classifier(name: str, seed: int) -> Pipeline:
    """Make a classifier of high and low accuracy.

    The paper names SVM and MLP and no hyperparameter; these are fixed choices of ours, the same
    for every input, never tuned on what is judged.

    Parameters
    ----------
    name
        ``svm``: radial kernel, C = 1, γ = 1/number of inputs (their variance is 1);
        ``linear-svm``: linear kernel, C = 1; ``mlp``: one hidden layer of 16 ReLU units, squared
        penalty 1, L-BFGS for up to 2,000 iterations. ``svm-log``, ``mlp-log``: the same on the
        signed logarithm (arcsinh) of inputs in units of their interquartile range: signatures of
        a few networks change thousands of times as much as those of the others.
    seed
        Of the perceptron's initial weights.

    Raises
    ------
    UnknownNameError
        If there is no such classifier.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), section
    4.1.
    """
    if name not in CLASSIFIERS:
        raise UnknownNameError("classifier", name, CLASSIFIERS)
    return CLASSIFIERS[name](seed)


def linear_regression() -> Pipeline:
    """Make the paper's regression: least squares, of least norm where it is not unique.

    Its predictions do not depend on the inputs' temporal form: the averages are an invertible
    linear map of what is concatenated.

    References
    ----------
    Vahedian et al. (2021), section 4.2.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LinearRegression())


def fitted(
    pipeline: Pipeline, inputs: NDArray[np.float64], targets: NDArray[Any]
) -> tuple[Pipeline, bool]:
    """Fit a pipeline and tell whether it converged.

    Products of such small matrices take one thread: several wait for each other longer than they
    compute, and the last digits would depend on how many there are.

    Inputs that differ by less than 1e-8 of their mean are not scaled up to a variance of 1: at
    epoch 0 networks that begin alike differ by rounding alone, and a predictor would learn it.

    Parameters
    ----------
    pipeline
        As made here.
    inputs
        Shape (n, k).
    targets
        Shape (n,).

    Returns
    -------
    tuple of Pipeline and bool
        The same pipeline, fitted; False where its iterations ran out, which is counted and
        reported with every result.
    """
    from sklearn.exceptions import ConvergenceWarning

    with _numeric_libraries().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scaler, last = pipeline
        scaler.fit(inputs)
        middle = scaler.mean_ if hasattr(scaler, "mean_") else scaler.center_
        scaler.scale_[scaler.scale_ <= ROUNDING * np.abs(middle)] = 1.0
        last.fit(scaler.transform(inputs), targets)
    learner = last[-1] if hasattr(last, "steps") else last
    return pipeline, not hasattr(learner, "loss_") or learner.n_iter_ < learner.max_iter


@cache
def _numeric_libraries() -> Any:
    """Return the controller of the threads of the libraries that are loaded; found once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _svm(seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf", C=1.0, gamma="scale", random_state=seed)


def _linear_svm(seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="linear", C=1.0, random_state=seed)


def _mlp(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (MLP_UNITS,), solver="lbfgs", alpha=MLP_PENALTY, max_iter=MLP_ITERATIONS, random_state=seed
    )


def _standardised(learner: Callable[[int], Any]) -> Callable[[int], Pipeline]:
    def made(seed: int) -> Pipeline:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), learner(seed))

    return made


def _on_logarithms(learner: Callable[[int], Any]) -> Callable[[int], Pipeline]:
    def made(seed: int) -> Pipeline:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, RobustScaler

        logarithm = FunctionTransformer(np.arcsinh)
        return make_pipeline(RobustScaler(), make_pipeline(logarithm, learner(seed)))

    return made


CLASSIFIERS: Mapping[str, Callable[[int], Pipeline]] = {
    "svm": _standardised(_svm),
    "linear-svm": _standardised(_linear_svm),
    "mlp": _standardised(_mlp),
    "svm-log": _on_logarithms(_svm),
    "mlp-log": _on_logarithms(_mlp),
}
"""Name → classifier of a seed."""
