"""β_eff with what lies above held constant: the closed forms of Appendix B and Eq. 10.

With u(l−1) the input of dense layer l, a(l) its output before activation, d(l) = ∂u(l)/∂a(l)
(diagonal) and e(l) = ∂C/∂a(l), Appendix B's entry for a sample is

    p{w_ki(l+1) → w_ij(l)} = u_j(l−1) · d_i(l) · e_k(l+1).

Without batch norms u = z, d = σ' and e = δ ⊙ σ', the text's own. A batch norm is a diagonal
scale s, its statistics held: between dense layer and activation it makes d = s·σ', after the
activation it makes u = BN(z) and d = s·σ'. At the top e(L) = p − y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import Capacitance
from zoo.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """What a sample's entries of P are made of, per dense layer 1 … M of a network.

    Attributes
    ----------
    inputs
        u(l−1), shapes (n, inputs of the layer).
    slopes
        d(l), shapes (n, outputs), of all dense layers but the last.
    errors
        e(l), shapes (n, outputs); the last one is p − y.
    entry
        Slope of what lies between the network's input and its first dense layer, shape
        (n, inputs of the first layer).
    """

    inputs: tuple[Array, ...]
    slopes: tuple[Array, ...]
    errors: tuple[Array, ...]
    entry: Array


def flow(layers: Sequence[mlp.Layer], x: Array, labels: NDArray[np.integer]) -> Flow:
    """Forward and backward pass of a perceptron with its batch norms' statistics held.

    Parameters
    ----------
    layers
        The last one is dense and gives the logits.
    x, labels
        Shapes (n, inputs) and (n,), integers.
    """
    outputs = mlp.forward(layers, x)
    inputs: list[Array] = []
    slopes: list[Array] = []
    scale = np.ones_like(outputs[0])
    for layer, before, after in zip(layers, outputs[:-1], outputs[1:], strict=True):
        if isinstance(layer, mlp.Dense):
            inputs.append(before)
            slopes.append(scale)
            scale = np.ones_like(after)
        else:
            scale = scale * mlp.slope(layer, before)
    kernels = [layer.kernel for layer in layers if isinstance(layer, mlp.Dense)]
    if not kernels or not isinstance(layers[-1], mlp.Dense):
        raise InputError("layers does not end in a dense layer; give a network up to its logits")
    errors = [mlp.residuals(outputs[-1], labels)]
    for kernel, d in zip(kernels[:0:-1], slopes[:0:-1], strict=True):
        errors.append(d * (errors[-1] @ kernel.T))
    return Flow(tuple(inputs), tuple(slopes[1:]), tuple(errors[::-1]), slopes[0])


@dataclass(frozen=True)
class HeldTerms:
    """Numerator and denominator of each sample's β_eff, shape (n,)."""

    numerators: Array
    denominators: Array

    @property
    def pooled(self) -> Capacitance:
        """The ratio of their means over samples."""
        return Capacitance(float(self.numerators.mean()), float(self.denominators.mean()))

    @property
    def samples(self) -> Array:
        """Each sample's own β_eff, shape (n,); 0/0 is 0, as in :class:`Capacitance`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.numerators == 0.0, 0.0, self.numerators / self.denominators)


def held_capacitance(
    seen: Flow, *, reach: Array | None = None, entrywise: bool = False
) -> Capacitance:
    """Return the ratio of the means over samples, of what :func:`held_terms` returns."""
    return held_terms(seen, reach=reach, entrywise=entrywise).pooled


def held_batch(seen: Flow, terms: HeldTerms, *, reach: Array) -> Capacitance:
    """Neural capacitance of the samples' mean P, of which :func:`held_terms` has a sample's.

    With means over samples in place of each sample's own degrees,
    δin(l) = mean(u(l−1) ⊗ d(l) · [1ᵀe(l+1)]) and δout(l) = mean(r(l−1) ⊗ e(l)); the numerator is
    Σ_l ⟨δin(l), δout(l)⟩ over l = 2 … L−2, the denominator as before.

    Parameters
    ----------
    seen, reach
        As for :func:`held_terms`.
    terms
        What that makes of both.
    """
    n, last = len(seen.inputs[0]), len(seen.inputs) - 1
    numerator, below = 0.0, reach
    for layer in range(last - 1):
        above = seen.errors[layer + 1].sum(axis=1, keepdims=True)
        received = (seen.inputs[layer] * above).T @ seen.slopes[layer] / n
        sent = below.T @ seen.errors[layer] / n
        numerator += float(np.vdot(received, sent))
        below = seen.inputs[layer].sum(axis=1, keepdims=True) * seen.slopes[layer]
    return Capacitance(numerator, terms.pooled.denominator)


def held_terms(seen: Flow, *, reach: Array | None = None, entrywise: bool = False) -> HeldTerms:
    """Numerator and denominator in closed form (paper, Appendix B; Eq. 10 for a ReLU perceptron).

    With r_i(l) = Σ_w ∂u_i(l)/∂w over the weights w of layer l, which is [1ᵀu(l−1)]·d_i(l),

        numerator   = Σ_l [u(l−1)ᵀr(l−1)] · [d(l)ᵀe(l)] · [1ᵀe(l+1)],   l = 2 … L−2
        denominator = Σ_l [1ᵀr(l−1)] · [1ᵀe(l)],                        l = 2 … L−1

    for each sample; the terms left out hold 1ᵀ(p − y) = 0. ``entrywise`` takes |P| instead: all
    factors in absolute value, l = 2 … L−1 and l = 2 … L.

    Parameters
    ----------
    seen
        The network's flow.
    reach
        Makes a layer below the first dense layer count as layer 1: its r(1), shape (n, inputs
        of the first dense layer), already in absolute values if ``entrywise``.
    entrywise
        |P| for P.

    Returns
    -------
    HeldTerms
        Of each sample.
    """
    part = np.abs if entrywise else np.asarray
    dropped = 0 if entrywise else 1
    last = len(seen.inputs) - 1
    numerator = denominator = np.zeros(len(seen.inputs[0]))
    below = reach
    for layer in range(last + 1):
        u, e = part(seen.inputs[layer]), part(seen.errors[layer])
        if below is not None and layer <= last - dropped:
            denominator = denominator + below.sum(axis=1) * e.sum(axis=1)
        if layer == last:
            break
        d = part(seen.slopes[layer])
        if below is not None and layer <= last - 1 - dropped:
            above = part(seen.errors[layer + 1]).sum(axis=1)
            numerator = numerator + (u * below).sum(axis=1) * (d * e).sum(axis=1) * above
        below = u.sum(axis=1, keepdims=True) * d
    return HeldTerms(numerator, denominator)
