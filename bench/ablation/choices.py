"""Every choice of the analysis: which β_eff, which input of the ridge, which window of epochs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ablation.intervals import Said, number
from bench.ablation.lines import INPUTS, Lines, ridge_lines, starts, taken, windowed_lines
from bench.ablation.stored import Pool
from ncselect.methods.extrapolation import DEFAULT_DEFINITION, DEFAULT_WINDOW
from ncselect.methods.pool import ACCURACY, validation_images
from ncselect.numerics.capacitance import DEFINITIONS
from ncselect.numerics.window import noise_floor

Floats = NDArray[np.float64]

WINDOWS = (3, 5, 8)
"""Window lengths that are tried, besides all observed epochs."""

RULES = ("bic", "first", "last")
BETA, ON_ALL = "beta/", "@all"
CONTROLS = ("training-loss", "training-error", "residual")
INVERSE_EPOCH, NO_INPUT = "inverse-epoch", "window-mean"


@dataclass(frozen=True)
class Reading:
    """How a ridge reads its input.

    Attributes
    ----------
    scaling
        Of ``lines.INPUTS``.
    window
        Epochs in the window.
    rule
        Where it starts: ``bic``, ``first``, ``last``; ``all`` where it holds all epochs.
    """

    scaling: str = "standardised"
    window: int = DEFAULT_WINDOW
    rule: str = "bic"

    def within(self, epochs: int) -> Reading:
        """Return the reading of so many observed epochs: with too few for a choice, of all."""
        if self.window < epochs:
            return self
        return Reading(self.scaling, epochs, "all")

    def __str__(self) -> str:
        return f"{self.scaling}, {self.window} epochs, {self.rule}"


DEFAULT_READING = Reading()


def readings(epochs: int) -> list[Reading]:
    """Return every reading of so many epochs, the default first; no two say the same."""
    every = [Reading(scaling, window, rule) for scaling in INPUTS for window in WINDOWS
             for rule in RULES if window < epochs]  # fmt: skip
    every += [Reading(scaling, epochs, "all") for scaling in INPUTS]
    first = DEFAULT_READING.within(epochs)
    return [first, *(one for one in every if one != first)]


def definitions(pools: Iterable[Pool]) -> list[str]:
    """Return the definitions of β_eff that any run recorded, the default first."""
    recorded = {
        name.removeprefix(BETA)
        for pool in pools
        for record in pool.records
        for name in record.observations[-1].signals
        if name.startswith(BETA)
    }
    order = [f"{one}{subset}" for subset in ("", ON_ALL) for one in DEFINITIONS]
    known = [name for name in order if name in recorded]
    known += sorted(recorded - set(known))
    return sorted(known, key=lambda name: name != DEFAULT_DEFINITION)


def is_nothing(definition: str, hidden: int) -> bool:
    """Tell whether a definition is 0 whatever the network, by a probe's number of hidden layers.

    With two of them what is left of β is P(2, 3)·1, and Σ(p − y) = 0; with three it is not.
    """
    layers, _, sign = definition.removesuffix(ON_ALL).split("/")[:3]
    return layers == "kernels" and sign != "entrywise" and hidden <= 2


def denominator(definition: str) -> str:
    """Return the name of the signal that holds a definition's denominator, where there is one."""
    name, subset = (
        definition.removesuffix(ON_ALL),
        definition[len(definition.removesuffix(ON_ALL)) :],
    )
    layers, derivative, sign = name.split("/")[:3]
    entrywise = "/entrywise" if sign == "entrywise" else ""
    return f"denominator/{layers}/{derivative}{entrywise}{subset}"


class Read:
    """A pool's runs as far as they were observed, read under any choice."""

    def __init__(self, pool: Pool, epochs: int) -> None:
        self.pool, self.epochs = pool, epochs
        seen = [one.observed(epochs) for one in pool.records]
        self.accuracy = np.array([one.curve(ACCURACY) for one in seen])
        self._floor = np.array(
            [noise_floor(one.curve(ACCURACY), validation_images(one)) for one in seen]
        )
        self._inputs: dict[str, Floats] = {}
        self._lines: dict[tuple[str, str, int], Lines] = {}
        self._stream = zlib.crc32(f"{pool.target}, {pool.setting}, {pool.seed}".encode())

    def inputs(self, name: str) -> Floats:
        """Return a ridge's input by name: a definition, a control, or no input at all.

        Returns
        -------
        ndarray
            Shape (n, E); nan throughout in runs that lack it.
        """
        if name not in self._inputs:
            self._inputs[name] = self._input(name)
        return self._inputs[name]

    def said(self, name: str, reading: Reading) -> Said:
        """Return what the ridge says of the models under one choice."""
        _, _, at_zero = self._window(name, reading)
        return said(at_zero[None])

    def every(self, x: Floats, ways: Sequence[Reading]) -> Floats:
        """Return h(0) of any inputs under several readings.

        Parameters
        ----------
        x
            Inputs of the runs, shape (…, n, E).
        ways
            How they are read.

        Returns
        -------
        ndarray
            Shape (readings, …, n).
        """
        return self._every(x, self.accuracy, self._floor, ways)

    def exchanged(self, x: Floats, ways: Sequence[Reading]) -> Floats:
        """Return h(0) of each run's accuracies on each run's input.

        Parameters
        ----------
        x, ways
            As for :meth:`every`.

        Returns
        -------
        ndarray
            Shape (readings, …, n, n): accuracies of the first, input of the second.
        """
        return self._every(
            x[..., None, :, :], self.accuracy[:, None, :], self._floor[:, None], ways
        )

    def _every(self, x: Floats, y: Floats, floor: Floats, ways: Sequence[Reading]) -> Floats:
        lines = {
            (way.scaling, way.window): windowed_lines(x, y, length=way.window, scaling=way.scaling)
            for way in dict.fromkeys(Reading(one.scaling, one.window) for one in ways)
        }
        found = []
        for way in ways:
            of_length = lines[way.scaling, way.window]
            found.append(taken(of_length.at_zero, self._starts(of_length, way, floor)))
        return np.array(found)

    def permuted(self, name: str, reading: Reading, variants: int, seed: int) -> Said:
        """Return what is said of β shuffled within the window that it chose, several times."""
        x, position, _ = self._window(name, reading)
        rng = np.random.default_rng([seed, self._stream])
        places = position[:, None] + np.arange(reading.window)
        window = np.take_along_axis(x, places, axis=1)
        accuracy = np.take_along_axis(self.accuracy, places, axis=1)
        shuffled = rng.permuted(np.repeat(window[None], variants, axis=0), axis=-1)
        return said(ridge_lines(shuffled, accuracy, scaling=reading.scaling).at_zero)

    def random(self, reading: Reading, variants: int, seed: int) -> Said:
        """Return what is said of random numbers in place of β, several times."""
        rng = np.random.default_rng([seed, self._stream])
        numbers = rng.random((variants, *self.accuracy.shape))
        return said(self.every(numbers, [reading])[0])

    def failures(self, name: str, reading: Reading) -> dict[str, float]:
        """Return what goes wrong with a definition under a reading, of the runs that have it.

        Returns
        -------
        dict
            ``sign_changes``, of β in the window, per run; ``zero_distance``, of 0 from the β in
            the window in units of their range, the median run's, and ``zero_far``, the share of
            runs where it is more than one; ``mean_alone``, the share of predictions within a
            tenth of a point of the window's mean accuracy: the line is flat, or 0 is the mean β;
            ``outside``, the share of predictions outside [0, 1]; ``refused``, of all runs.
        """
        x, position, at_zero = self._window(name, reading)
        usable = np.isfinite(at_zero)
        found = {"refused": float((~usable).mean())}
        if not usable.any():
            return found
        places = position[:, None] + np.arange(reading.window)
        window = np.take_along_axis(x, places, axis=1)[usable]
        mean = np.take_along_axis(self.accuracy, places, axis=1)[usable].mean(axis=1)
        low, high = window.min(axis=1), window.max(axis=1)
        nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(nearest > 0, nearest / (high - low), 0.0)
        predicted = at_zero[usable]
        return found | {
            "sign_changes": float((np.diff(np.sign(window), axis=1) != 0).sum(axis=1).mean()),
            "zero_distance": float(np.median(distance)),
            "zero_far": float((distance > 1).mean()),
            "mean_alone": float((np.abs(predicted - mean) < 1e-3).mean()),
            "outside": float(((predicted < 0) | (predicted > 1)).mean()),
        }

    def _input(self, name: str) -> Floats:
        if name == INVERSE_EPOCH:
            return np.broadcast_to(1.0 / np.arange(1, self.epochs + 1), self.accuracy.shape)
        if name == NO_INPUT:
            return np.ones_like(self.accuracy)
        recorded = name if name.removesuffix(ON_ALL) in CONTROLS else BETA + name
        values = signal(self.pool, recorded, self.epochs)
        if recorded != name and is_nothing(name, self.pool.hidden):
            values[np.isfinite(values)] = 0.0  # what was recorded may be rounding
        return values

    def _window(self, name: str, reading: Reading) -> tuple[Floats, NDArray[np.intp], Floats]:
        """Return an input, where each run's window starts, and h(0) there."""
        lines = self._of(name, reading)
        position = self._starts(lines, reading, self._floor)
        return self.inputs(name), position, taken(lines.at_zero, position)

    def _of(self, name: str, reading: Reading) -> Lines:
        key = (name, reading.scaling, reading.window)
        if key not in self._lines:
            self._lines[key] = windowed_lines(
                self.inputs(name), self.accuracy, length=reading.window, scaling=reading.scaling
            )
        return self._lines[key]

    def _starts(self, lines: Lines, reading: Reading, floor: Floats) -> NDArray[np.intp]:
        return starts(
            lines,
            epochs=self.epochs,
            length=reading.window,
            rule="last" if reading.rule == "all" else reading.rule,
            floor=floor,
        )


def said(at_zero: Floats) -> Said:
    """Return a ridge's answers, shape (variants, n), as what is said: accuracies are clipped."""
    return Said(at_zero, np.clip(at_zero, 0.0, 1.0))


def signal(pool: Pool, name: str, epochs: int) -> Floats:
    """Return a signal after epochs 1 … E, shape (n, E); nan throughout where one is not finite."""
    values = np.full((len(pool.records), epochs), math.nan)
    for row, record in enumerate(pool.records):
        seen = record.observations[1 : epochs + 1]
        curve = np.array([one.signals.get(name, math.nan) for one in seen])
        if len(curve) == epochs and np.isfinite(curve).all():
            values[row] = curve
    return values


def along_the_run(pool: Pool, definition: str) -> dict[str, float]:
    """Return what goes wrong with a definition's denominator over all epochs of the runs.

    Returns
    -------
    dict
        ``denominator_near_zero``: share of epochs where it is below 1% of its run's median size;
        ``denominator_crossings``: share of steps from one epoch to the next where its sign
        changes. Empty where no denominator was recorded, as where samples have their own.
    """
    if len(definition.removesuffix(ON_ALL).split("/")) > 3:
        return {}
    values = signal(pool, denominator(definition), pool.horizon)
    values = values[np.isfinite(values).all(axis=1)]
    if not values.size:
        return {}
    size = np.abs(values)
    small = size < 0.01 * np.median(size, axis=1, keepdims=True)
    return {
        "denominator_near_zero": float(small.mean()),
        "denominator_crossings": float((np.diff(np.sign(values), axis=1) != 0).mean()),
    }


def averaged(found: Mapping[Pool, Mapping[str, float]]) -> dict[str, float | None]:
    """Return the means over pools, the seeds of a target first; None where one is not finite."""
    by_target: dict[str, list[Mapping[str, float]]] = {}
    for pool, one in found.items():
        by_target.setdefault(pool.target, []).append(one)
    names = dict.fromkeys(name for one in found.values() for name in one)
    return {name: number(np.mean(_target_means(name, by_target.values()))) for name in names}


def _target_means(name: str, by_target: Iterable[Sequence[Mapping[str, float]]]) -> list[float]:
    values = [[one[name] for one in of_target if name in one] for of_target in by_target]
    return [float(np.mean(each)) for each in values if each]
