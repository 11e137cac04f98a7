"""The eleven families of learning curves of Domhan et al. (2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveFamily:
    """A parametric learning curve: accuracy as a function of the epoch.

    Attributes
    ----------
    name
        As in the paper's Table 1.
    formula
        As in the paper's Table 1, x the epoch.
    curve
        The formula on arrays that broadcast: the epochs, then the parameters in their order.
    parameters
        Name → (default, least, greatest). Defaults are those of the authors' implementation;
        the ranges hold them and every curve that an accuracy can follow.
    """

    name: str
    formula: str
    curve: Callable[..., Array]
    parameters: Mapping[str, tuple[float, float, float]]

    @property
    def defaults(self) -> Array:
        """Default parameters, shape (parameters,)."""
        return np.array([default for default, _, _ in self.parameters.values()])

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Least and greatest parameters, each of shape (parameters,)."""
        least = [least for _, least, _ in self.parameters.values()]
        greatest = [greatest for _, _, greatest in self.parameters.values()]
        return np.array(least), np.array(greatest)

    def values(self, theta: Array, epochs: Array) -> Array:
        """Return the curves of parameter sets.

        Parameters
        ----------
        theta
            Parameter sets within the bounds, shape (…, parameters).
        epochs
            At least 1, shape (n,).

        Returns
        -------
        ndarray
            Shape (…, n).

        Examples
        --------
        >>> import numpy as np
        >>> FAMILIES["pow3"].values(np.array([[0.9, 0.4, 1.0], [0.5, 0.0, 1.0]]), np.array([2.0]))
        array([[0.7],
               [0.5]])
        """
        return self.curve(epochs, *np.moveaxis(np.asarray(theta), -1, 0)[..., None])


def _family(
    name: str, formula: str, curve: Callable[..., Any], **parameters: tuple[float, float, float]
) -> CurveFamily:
    return CurveFamily(name, formula, curve, MappingProxyType(parameters))


LEVEL = (-0.5, 1.5)  # an accuracy, or what it would approach in infinitely many epochs

FAMILIES: Mapping[str, CurveFamily] = MappingProxyType(
    {
        family.name: family
        for family in (
            _family(
                "pow3",
                "c − a·x^−α",
                lambda x, c, a, alpha: c - a * x**-alpha,
                c=(0.84, *LEVEL),
                a=(0.52, -2.0, 2.0),
                alpha=(0.01, 0.0, 5.0),
            ),
            _family(
                "log power",
                "a/(1 + (x/e^b)^c)",
                lambda x, a, b, c: a / (1 + (x * np.exp(-b)) ** c),
                a=(0.77, 0.0, 1.5),
                b=(2.98, -10.0, 10.0),
                c=(-0.51, -5.0, 5.0),
            ),
            _family(
                "weibull",
                "α − (α − β)·e^−(κx)^δ",
                lambda x, alpha, beta, kappa, delta: (
                    alpha - (alpha - beta) * np.exp(-((kappa * x) ** delta))
                ),
                alpha=(0.7, *LEVEL),
                beta=(0.1, *LEVEL),
                kappa=(0.01, 0.0, 5.0),
                delta=(1.0, 0.0, 5.0),
            ),
            _family(
                "mmf",
                "α − (α − β)/(1 + (κx)^δ)",
                lambda x, alpha, beta, kappa, delta: (
                    alpha - (alpha - beta) / (1 + (kappa * x) ** delta)
                ),
                alpha=(0.7, *LEVEL),
                beta=(0.1, *LEVEL),
                kappa=(0.01, 0.0, 5.0),
                delta=(5.0, 0.0, 10.0),
            ),
            _family(
                "janoschek",
                "α − (α − β)·e^−κx^δ",
                lambda x, alpha, beta, kappa, delta: (
                    alpha - (alpha - beta) * np.exp(-kappa * x**delta)
                ),
                alpha=(0.73, *LEVEL),
                beta=(0.07, *LEVEL),
                kappa=(0.355, 0.0, 5.0),
                delta=(0.46, 0.0, 5.0),
            ),
            _family(
                "ilog2",
                "c − a/ln(x + 1)",
                lambda x, c, a: c - a / np.log(x + 1),
                c=(0.78, *LEVEL),
                a=(0.43, -2.0, 2.0),
            ),
            _family(
                "hill3",
                "θ·x^η/(κ^η + x^η)",
                lambda x, theta, eta, kappa: theta / (1 + (kappa / x) ** eta),
                theta=(0.77232, 0.0, 1.5),
                eta=(0.586449, 0.0, 10.0),
                kappa=(2.460843, 0.0, 100.0),
            ),
            _family(
                "vapor pressure",
                "e^(a + b/x + c·ln x)",
                lambda x, a, b, c: np.exp(a + b / x + c * np.log(x)),
                a=(-0.622028, -10.0, 1.0),
                b=(-0.47005, -10.0, 10.0),
                c=(0.042322, -2.0, 2.0),
            ),
            _family(
                "log log linear",
                "ln(a·ln x + b)",
                lambda x, a, b: np.log(a * np.log(x) + b),
                a=(1.0, 0.0, 2.0),
                b=(1.0, 0.5, 3.0),
            ),
            _family(
                "exp4",
                "c − e^(−a·x^α + b)",
                lambda x, c, a, b, alpha: c - np.exp(-a * x**alpha + b),
                c=(0.7, *LEVEL),
                a=(0.8, 0.0, 5.0),
                b=(-0.8, -10.0, 5.0),
                alpha=(0.3, 0.0, 2.0),
            ),
            _family(
                "pow4",
                "c − (a·x + b)^−α",
                lambda x, c, a, b, alpha: c - (a * x + b) ** -alpha,
                c=(0.8, *LEVEL),
                a=(200.0, 0.01, 1000.0),
                b=(0.0, 0.0, 100.0),
                alpha=(0.1, 0.0, 5.0),
            ),
        )
    }
)
"""The eleven families by name: Table 1 of Domhan, Springenberg and Hutter, Speeding up automatic
hyperparameter optimization of deep neural networks by extrapolation of learning curves,
IJCAI 2015."""
