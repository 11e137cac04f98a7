"""Combined: what is known elsewhere, frozen features and the pool's learning curves, jointly."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.experience import dataset_key, known_networks, name_in_experience, score_weights
from ncselect.methods.finished import checked_history, checked_horizon
from ncselect.methods.pool import ACCURACY, observed_epochs, usable
from ncselect.methods.randomness import checked_seed
from ncselect.numerics.curve_learning import learned
from ncselect.numerics.curve_model import JointFinal, joint_final
from ncselect.numerics.curve_outlook import share_to_be_learned
from ncselect.numerics.curve_prior import CurvePrior
from ncselect.numerics.decision import p_best_to_come
from ncselect.numerics.stacking import Known, Stacked, stacked
from ncselect.types import Curve, Estimate, Estimates, Outcome, RunRecord

Floats = NDArray[np.float64]

DRAWS = 2000
AHEAD = (1, 2, 3, 5, 10, 20)  # further epochs whose worth is foretold
NOTHING_KNOWN = (
    "nothing is known of the candidates before training: observe epochs, or give accuracies on "
    "other datasets with --experience"
)
SCORES_USED = ("linear-head", "n-leep", "logme", "imagenet-top1")


@dataclass(frozen=True, kw_only=True)
class Combined:
    """One joint predictive distribution of the candidates' final accuracies.

    Before the first epoch it rests on what is known of the networks from other datasets and on the
    scores of their frozen features (``ncselect.numerics.stacking``); from then on on the curves of
    the whole pool (``ncselect.numerics.curve_model``), which what was expected before enters as
    the prior expectation of each candidate.

    Attributes
    ----------
    horizon
        The epoch whose accuracy is predicted.
    history
        Finished trainings, from which the hyperparameters of the curve model are learned anew.
    experience
        Final accuracies on other datasets besides the built-in table.
    hyperparameters
        A JSON file of them, made by ``python -m bench.learn_curve_prior``; by default those that
        come with the package: learned from networks that were fine-tuned where all candidates are
        pre-trained, else from networks trained from scratch.
    seed
        Seeds the draws, and nothing else.
    """

    name: ClassVar[str] = "combined"
    summary: ClassVar[str] = "joint prediction from experience, frozen features and all curves"
    source: ClassVar[str] = "this project: hierarchical curve model on stacked scores"
    least_epochs: ClassVar[int] = 0
    pooled: ClassVar[bool] = True
    signals: ClassVar[frozenset[str]] = frozenset({ACCURACY})
    scores: ClassVar[frozenset[str]] = frozenset(SCORES_USED)

    horizon: int = 50
    history: tuple[Curve, ...] = ()
    experience: tuple[Outcome, ...] = ()
    hyperparameters: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        checked_horizon(self.horizon)
        checked_history(self.history)
        if self.hyperparameters:
            CurvePrior.read(self.hyperparameters)

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate the final accuracies of a pool jointly.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E; E may be 0.

        Returns
        -------
        Estimates
            With joint ``draws``, and from epoch 1 on the ``outlook`` of further epochs. The score
            is the median on the log-odds scale; before training, what is expected. Diagnostics:
            ``expected``, what was expected of the candidate without training it, in standard
            deviations of the pool, and ``expected_sd``.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        good, refused = usable(records, signals=self.signals, least_epochs=0)
        refused = {one.spec.model: refused[one.spec.model] for one in records
                   if one.spec.model in refused}  # fmt: skip
        pool = sorted(good, key=lambda one: one.spec.model)  # draws do not depend on the order
        if not pool:
            return Estimates(self.name, (), refused)
        expected = self._expected(pool)
        rng = np.random.default_rng(self.seed)
        curves = _curves(pool, self.horizon)
        foresee: Callable[[], Mapping[int, float]] = dict
        if curves.shape[1]:
            prior = self._prior(pool, curves.shape[1])
            found = joint_final(
                curves,
                self.horizon,
                prior,
                rng=rng,
                **_expectations(expected),
                draws=DRAWS,
            )
            foresee = _Outlook(curves, self.horizon, prior, found.draws, rng)
        elif expected is None:
            unknown = {one.spec.model: NOTHING_KNOWN for one in pool}
            return Estimates(self.name, (), refused | unknown)
        else:
            draws = expected.draws(rng, DRAWS)
            found = JointFinal(draws.mean(axis=0), draws.std(axis=0), expected.mean, draws)
        place = {record.spec.model: position for position, record in enumerate(pool)}
        order = [place[record.spec.model] for record in good]
        return Estimates(
            self.name,
            tuple(
                Estimate(
                    pool[k].spec.model,
                    float(found.mean[k]),
                    float(found.sd[k]),
                    _diagnostics(expected, k),
                    score=float(found.score[k]),
                )
                for k in order
            ),
            refused,
            notes=_notes(pool, prior) if curves.shape[1] else (),
            draws=found.draws[:, order],
            foresee=foresee,
        )

    def _expected(self, pool: Sequence[RunRecord]) -> Stacked | None:
        """Return what is expected of the candidates without training them, if anything is.

        What is known elsewhere is known of pre-trained networks, and nothing of plain curves.
        """
        scores = {
            score: np.array([record.scores.get(score, math.nan) for record in pool])
            for score in SCORES_USED
        }
        measured = any(np.isfinite(values).any() for values in scores.values())
        if not measured and not all(_is_pretrained(record) for record in pool):
            return None
        weights = score_weights()
        known, networks = _networks(pool, self.experience, weights.quantities)
        images = pool[0].spec.data.get("counts", {}).get("train") or math.nan
        expected = stacked(scores, weights, known, networks, images=float(images))
        says_nothing = len(pool) > 1 and np.allclose(expected.mean, 0) and not measured
        return None if says_nothing else expected

    def _hyperparameters(self, pool: Sequence[RunRecord]) -> CurvePrior:
        """Return the hyperparameters that were named, or those shipped for this kind of run."""
        if self.hyperparameters:
            return CurvePrior.read(self.hyperparameters)
        return CurvePrior.shipped(pretrained=all(_is_pretrained(record) for record in pool))

    def _prior(self, pool: Sequence[RunRecord], epochs: int) -> CurvePrior:
        """Return the hyperparameters, moved by what the history teaches."""
        datasets: dict[str, list[Floats]] = {}
        in_order = sorted(self.history, key=lambda one: (one.model, one.accuracy.tobytes()))
        for curve in in_order:
            datasets.setdefault(dataset_key(curve.dataset), []).append(curve.accuracy)
        same = datasets.pop(dataset_key(pool[0].spec.dataset), [])
        return learned(
            same,
            list(datasets.values()),
            self._hyperparameters(pool),
            epochs=epochs,
            horizon=self.horizon,
            size=len(pool),
        )


def _networks(
    pool: Sequence[RunRecord], experience: tuple[Outcome, ...], quantities: Sequence[str]
) -> tuple[Known, NDArray[np.int64]]:
    """Return what is known of the candidates from other datasets, and each one's own row of it.

    Several candidates may be one network in experience; they share what is known of it.
    """
    names = [name_in_experience(record) for record in pool]
    different = list({name.casefold(): name for name in names})
    known, rows = known_networks(different, experience, pool[0].spec.dataset, quantities)
    row = dict(zip(different, rows.tolist(), strict=True))
    taken = [row[name.casefold()] for name in names]
    own = list(range(len(known.families), len(known.families) + len(pool)))
    return (
        (
            dataclasses.replace(
                known,
                families=np.concatenate([known.families, known.families[taken]]),
                values=np.concatenate([known.values, known.values[:, taken]], axis=1),
            ),
            np.array(own),
        )
        if len(different) < len(pool)
        else (known, np.array(taken))
    )


def _is_pretrained(record: RunRecord) -> bool:
    """Tell whether a run fine-tunes weights; a plain curve says nothing of weights."""
    return str(record.spec.candidate.get("weights", "random")) != "random"


def _curves(pool: Sequence[RunRecord], horizon: int) -> Floats:
    """Return validation accuracies, shape (n, E), of no more epochs than the horizon."""
    epochs = min(observed_epochs(pool), horizon)
    return np.array([record.curve(ACCURACY)[:epochs] for record in pool])


def _expectations(expected: Stacked | None) -> dict[str, Floats]:
    """Return what sets the candidates apart before training; nothing for a pool of one."""
    if expected is None or len(expected.mean) == 1:
        return {}
    return {"expected_mean": expected.mean, "expected_sd": expected.sd}


def _diagnostics(expected: Stacked | None, candidate: int) -> dict[str, float]:
    if expected is None:
        return {}
    return {
        "expected": float(expected.mean[candidate]),
        "expected_sd": float(expected.sd[candidate]),
    }


def _notes(pool: Sequence[RunRecord], prior: CurvePrior) -> tuple[str, ...]:
    """Say where the hyperparameters were learned from curves on the very dataset."""
    here = dataset_key(pool[0].spec.dataset)
    if here not in {dataset_key(name) for name in prior.provenance.get("curves", {})}:
        return ()
    return (
        f"combined: its hyperparameters were learned from curves on {pool[0].spec.dataset}, too; "
        "they are not independent of these.",
    )


@dataclass(frozen=True)
class _Outlook:
    """For some numbers of further epochs, how probable the then pick is expected to be the best."""

    curves: Floats
    horizon: int
    prior: CurvePrior
    draws: Floats
    rng: np.random.Generator

    def __call__(self) -> dict[int, float]:
        rng = copy.deepcopy(self.rng)
        left = self.horizon - self.curves.shape[1]
        return {
            further: p_best_to_come(
                self.draws,
                share_to_be_learned(self.curves, self.horizon, self.prior, further),
                rng,
            )
            for further in AHEAD
            if further < left
        }
