"""What β_eff is held against: every other method, on the same runs and epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.ablation.intervals import Said
from bench.ablation.stored import Pool
from ncselect.answers import answer, predicted
from ncselect.methods import METHODS, Method, method
from ncselect.scoreboard import in_short
from ncselect.scores import SCORES
from ncselect.types import Background

LEARNERS = ("cl", "bgrn")
"""Methods that learn, for each candidate, from the other candidates' whole curves."""

QUICK = ("last-value", "best-value", "combined", "prior", *SCORES)
"""Methods asked under every protocol; the slower ones under the default protocol alone."""

SLOW = ("lc", *LEARNERS)

LC_STEPS = 400
"""Of lc's sampler, a quarter of them burnt in."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the rivals.

    Attributes
    ----------
    hyperparameters
        Target → file of ``combined``'s hyperparameters, learned without that target.
    without
        Methods that are not asked.
    """

    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def method(self, name: str, pool: Pool) -> Method:
        """Return a method as it is asked of a pool."""
        options: dict[str, int | str] = {}
        if name == "lc":
            options = {"steps": LC_STEPS, "burn_in": LC_STEPS // 4}
        if name == "combined" and pool.target in self.hyperparameters:
            options = {"hyperparameters": self.hyperparameters[pool.target]}
        return method(name, Background(horizon=pool.horizon), **options)


def rivals(
    pool: Pool, epochs: int, names: Sequence[str], asked: Asked
) -> tuple[dict[str, Said], dict[str, str]]:
    """Ask methods for their estimates of a pool.

    Parameters
    ----------
    pool
        The runs.
    epochs
        Epochs 1 … E that may be seen.
    names
        Of ``METHODS``.
    asked
        How.

    Returns
    -------
    said, remarks
        Of the methods that scored any model; and why others did not, or what a method says of
        its answer.
    """
    found: dict[str, Said] = {}
    remarks: dict[str, str] = {}
    for name in names:
        if name in asked.without:
            continue
        estimates = answer(
            asked.method(name, pool),
            pool.records,
            epochs=epochs,
            horizon=pool.horizon,
            leave_one_out=name in LEARNERS,
        ).estimates
        notes = in_short([*estimates.refused.values(), *estimates.notes])
        if notes:
            remarks[name] = notes
        models = [one.model for one in estimates.estimates]
        if not models:
            continue
        values = predicted(estimates, models)
        places = [pool.models.index(model) for model in models]
        scores, means = np.full((2, 1, len(pool.models)), np.nan)
        scores[0, places], means[0, places] = values.score, values.mean
        found[name] = Said(scores, means)
    return found, remarks


def asked_of(pool: Pool, default: bool) -> list[str]:
    """Return the names of the methods that a pool's runs are asked for, in the table's order."""
    wanted = (*QUICK, *SLOW) if default else QUICK
    known = {name for one in pool.records for name in (*one.scores, *one.unscored)}
    return [name for name in METHODS if name in wanted and (name not in SCORES or name in known)]
