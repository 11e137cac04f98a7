"""A Gaussian process over quantities × networks × datasets, conditioned on what is known of it.

With k, k' two quantities, such as the accuracy and a score, m, m' two networks and d, d' two
datasets,

    cov(y[k, m, d], y[k', m', d']) = L[k, k'] · f(m, m'; r_L)                   level
                                   + S[k, k'] · f(m, m'; r_S) · g(d, d')        likeness
                                   + N[k] where all are the same                noise

where f is 1 for the same network, r for networks of one family, else 0, and g(d, d') =
exp(−½ (ln n_d − ln n_d')² / ℓ²) compares numbers of training images: how networks compare depends
on how much there is to learn from. This is the intrinsic coregionalization model.

References
----------
Álvarez, Rosasco and Lawrence, Kernels for vector-valued functions: a review, Foundations and
Trends in Machine Learning 4 (2012), section 4.2. Rasmussen and Williams, Gaussian processes for
machine learning (2006), section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

FREE_SHIFT = 1.0
"""Variance of a shift that all values of a quantity on a dataset may have in common."""


@dataclass(frozen=True)
class Component:
    """A part of the covariance.

    Attributes
    ----------
    between
        Covariance of the quantities, shape (K, K).
    in_family
        Correlation r of two networks of one family, in [0, 1].
    """

    between: Floats
    in_family: float

    def among(self, same: Booleans, related: Booleans) -> Floats:
        """Return f(m, m'; r) of pairs that are the same network, or of one family."""
        return np.where(same, 1.0, np.where(related, self.in_family, 0.0))


@dataclass(frozen=True)
class Coregionalisation:
    """The parameters of the process.

    Attributes
    ----------
    level, likeness
        What a network has on all datasets, and on datasets of like size alone.
    length
        ℓ, in units of ln images.
    noise
        Variances N, shape (K,).
    """

    level: Component
    likeness: Component
    length: float
    noise: Floats


@dataclass(frozen=True)
class Cells:
    """Places in a table of quantities × networks × datasets, one an entry of each array.

    Attributes
    ----------
    quantity, network, dataset
        Which, shape (n,).
    """

    quantity: Integers
    network: Integers
    dataset: Integers

    @classmethod
    def where(cls, chosen: Booleans) -> Cells:
        """Return the places of an array (K, networks, datasets) that are true."""
        return cls(*np.nonzero(chosen))

    @classmethod
    def of(cls, quantity: int, networks: Integers, dataset: int) -> Cells:
        """Return the places of one quantity of some networks on one dataset."""
        networks = np.asarray(networks)
        return cls(np.full_like(networks, quantity), networks, np.full_like(networks, dataset))

    def followed_by(self, other: Cells) -> Cells:
        """Return these places and then others."""
        return Cells(
            np.concatenate([self.quantity, other.quantity]),
            np.concatenate([self.network, other.network]),
            np.concatenate([self.dataset, other.dataset]),
        )


@dataclass(frozen=True)
class Normal:
    """A joint normal distribution.

    Attributes
    ----------
    mean, covariance
        Shapes (n,) and (n, n).
    """

    mean: Floats
    covariance: Floats

    def part(self, places: Integers) -> Normal:
        """Return the distribution of some of its variables."""
        return Normal(self.mean[places], self.covariance[np.ix_(places, places)])

    def given(self, values: Floats, noise: Floats) -> Normal:
        """Return the distribution of its later variables, given values of the first ones.

        Parameters
        ----------
        values
            Of the first variables, shape (k,).
        noise
            Covariance of what is added to these variables in the values, shape (k, k).

        References
        ----------
        Rasmussen and Williams (2006), equation A.6.
        """
        from scipy.linalg import cho_factor, cho_solve

        first, later = np.arange(len(values)), np.arange(len(values), len(self.mean))
        rest = self.part(later)
        if not len(first):
            return rest
        cross = self.covariance[np.ix_(later, first)]
        factor = cho_factor(self.part(first).covariance + noise, lower=True)
        return Normal(
            rest.mean + cross @ cho_solve(factor, values - self.mean[first]),
            rest.covariance - cross @ cho_solve(factor, cross.T),
        )


def covariance(
    process: Coregionalisation, families: Integers, images: Floats, one: Cells, other: Cells
) -> Floats:
    """Return the covariance of two lists of places, shape (n, n').

    Parameters
    ----------
    process
        Its parameters.
    families
        Family of each network, shape (networks,).
    images
        Training images of each dataset, shape (datasets,); nan where unknown: such a dataset is
        like none but itself.
    one, other
        The places.
    """
    same = one.network[:, None] == other.network[None, :]
    related = families[one.network][:, None] == families[other.network][None, :]
    here = one.dataset[:, None] == other.dataset[None, :]
    size = np.log(images)
    apart = (size[one.dataset][:, None] - size[other.dataset][None, :]) / process.length
    alike = np.where(here, 1.0, np.where(np.isfinite(apart), np.exp(-0.5 * apart**2), 0.0))
    quantities = np.ix_(one.quantity, other.quantity)
    total = process.level.between[quantities] * process.level.among(same, related)
    total += process.likeness.between[quantities] * process.likeness.among(same, related) * alike
    repeated = same & here & (one.quantity[:, None] == other.quantity[None, :])
    return np.asarray(total + repeated * process.noise[one.quantity][:, None])


def conditioned(
    process: Coregionalisation,
    families: Integers,
    images: Floats,
    values: Floats,
    wanted: Cells,
) -> Normal:
    """Return the distribution of what is wanted, noise included, given what is known.

    Parameters
    ----------
    process, families, images
        As for :func:`covariance`.
    values
        What is known, standardised, shape (K, networks, datasets); nan where unknown.
    wanted
        Places that are not known.

    References
    ----------
    Rasmussen and Williams (2006), equations 2.23 and 2.24.
    """
    seen = Cells.where(np.isfinite(values))
    places = seen.followed_by(wanted)
    joint = Normal(
        np.zeros(len(places.quantity)), covariance(process, families, images, places, places)
    )
    told = values[seen.quantity, seen.network, seen.dataset]
    return joint.given(told, np.zeros((len(told), len(told))))
