"""Neural capacitance β_eff: its definitions, and its value from weighted degrees.

Source: "Neural Capacitance: A New Perspective of Neural Network Selection via Edge Dynamics"
(ICLR 2022 text), Eq. 3. A definition is a point on three axes, see :class:`Definition`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import InputError

_POOLED = tuple(
    (layers, derivative, sign)
    for layers, derivatives in (
        ("kernels", ("exact", "held")),
        ("norm", ("exact",)),
        ("base", ("exact", "held")),
        ("all", ("exact",)),
    )
    for derivative in derivatives
    for sign in ("signed", "absolute", "entrywise")
    if sign != "entrywise" or derivative == "held"
)
_VALID = (
    *((*point, "pooled") for point in _POOLED),
    *(
        (*point, average)
        for average in ("per-sample", "median", "batch")
        for point in _POOLED
        if point[1] == "held" and (point[0] == "base" or point[2] == "entrywise")
        if average != "batch" or point[2] != "entrywise"
    ),
)


@dataclass(frozen=True)
class Definition:
    """What is meant by β_eff.

    Attributes
    ----------
    layers
        Whose weights are nodes. ``kernels``: of the probe's dense layers (identically 0 when
        signed, because Σ(p − y) = 0). ``norm``: of the probe's dense and batch norm layers.
        ``base``: of the base's last layer with a kernel, then the probe's dense layers.
        ``all``: of every layer of a small network.
    derivative
        ``exact``: the mixed Hessian of the mean loss. ``held``: Appendix B and Eq. 10, per
        sample, with what lies above held constant.
    sign
        ``signed``; ``absolute``: |β|; ``entrywise``: of |P|, only with ``held``.
    average
        How samples are put together, which the text leaves open. ``pooled``: with ``held`` the
        ratio of the means of numerator and denominator, with ``exact`` P of the mean loss. With
        ``held`` also ``per-sample`` and ``median``: mean and median of the samples' own β (or
        |β|), and ``batch``: β of the samples' mean P. Where batch norms use batch statistics a
        sample has no exact P of its own.
    """

    layers: str
    derivative: str
    sign: str
    average: str = "pooled"

    def __post_init__(self) -> None:
        """Refuse a combination that has no meaning."""
        if (self.layers, self.derivative, self.sign, self.average) not in _VALID:
            raise InputError(f"definition is '{self}'; give one of {_listed()}")

    def __str__(self) -> str:
        tail = "" if self.average == "pooled" else f"/{self.average}"
        return f"{self.layers}/{self.derivative}/{self.sign}{tail}"

    @classmethod
    def parse(cls, text: str) -> Definition:
        """Return the definition of a text such as ``base/held/signed``, pooled if unsaid.

        Raises
        ------
        InputError
            If there is no such definition; the text lists those there are.
        """
        parts = text.split("/")
        if len(parts) not in (3, 4):
            raise InputError(f"definition is '{text}'; give one of {_listed()}")
        return cls(*parts)


def _listed() -> str:
    """Return every valid definition as it is written."""
    return ", ".join("/".join(point[:3] if point[3] == "pooled" else point) for point in _VALID)


DEFINITIONS: tuple[Definition, ...] = tuple(Definition(*point) for point in _VALID)
"""Every valid definition."""


@dataclass(frozen=True)
class Capacitance:
    """β_eff = numerator / denominator.

    Attributes
    ----------
    numerator
        1ᵀPP1 = δoutᵀδin.
    denominator
        1ᵀP1 = 1ᵀδin = 1ᵀδout.
    """

    numerator: float
    denominator: float

    @property
    def value(self) -> float:
        """Return β_eff; 0/0 is 0, as the ε in Eq. 10's denominator has it."""
        if self.numerator == 0.0:
            return 0.0 if not np.isnan(self.denominator) else float("nan")
        with np.errstate(divide="ignore"):
            return float(np.float64(self.numerator) / np.float64(self.denominator))


def beta_eff(delta_in: Sequence[Any], delta_out: Sequence[Any]) -> Capacitance:
    """Neural capacitance of weighted degrees (paper, Eq. 3).

    Parameters
    ----------
    delta_in, delta_out
        Arrays of in-degrees P·1 and out-degrees 1ᵀ·P, the same shapes in the same order; the
        sums are taken in float64.
    """
    numerator = denominator = 0.0
    for received, sent in zip(delta_in, delta_out, strict=True):
        received64 = np.asarray(received, dtype=np.float64)
        numerator += float(np.vdot(received64, np.asarray(sent, dtype=np.float64)))
        denominator += float(received64.sum())
    return Capacitance(numerator, denominator)
