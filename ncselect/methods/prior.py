"""Prior: how good a network was on other datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ncselect.experience import (
    built_in,
    dataset_key,
    elsewhere,
    name_in_experience,
    plain_name,
    row_of,
    tabulated,
)
from ncselect.methods.pool import pool_estimates
from ncselect.numerics.standardised import ShrunkenMeans, shrunken_means, standardised
from ncselect.types import Estimate, Estimates, Outcome, RunRecord
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A network that was good on other datasets is good on this one.

    On every other dataset the final accuracies are standardised over the networks known there; a
    network's score is its mean, drawn towards 0, the average network, by how little is known.

    Attributes
    ----------
    experience
        Final accuracies besides the built-in table. What is known of the dataset that is ranked,
        by any of its names, is not used.

    References
    ----------
    The built-in table: Agostinelli et al., How stable are transferability metrics evaluations?,
    ECCV 2022. Shrinkage: Efron and Morris, Data analysis using Stein's estimator and its
    generalizations, JASA 70 (1975).
    """

    name: ClassVar[str] = "prior"
    summary: ClassVar[str] = "mean standardised accuracy on other datasets, shrunk"
    source: ClassVar[str] = "published accuracies: Agostinelli et al., ECCV 2022; own experience"
    least_epochs: ClassVar[int] = 0
    pooled: ClassVar[bool] = False
    signals: ClassVar[frozenset[str]] = frozenset()
    scores: ClassVar[frozenset[str]] = frozenset()

    experience: tuple[Outcome, ...] = ()

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Give every candidate what is known of it from other datasets.

        Parameters
        ----------
        records
            One run per candidate; epochs do not matter, and need not be as many for all.

        Returns
        -------
        Estimates
            ``mean`` and ``sd`` are nan; ``score`` is the shrunken mean, in standard deviations
            among networks. Diagnostics: ``datasets`` it is known on, and ``score_sd``.
            Candidates of which nothing is known are refused with the remedy.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        known = {
            key: self._known_elsewhere(key)
            for key in sorted({dataset_key(record.spec.dataset) for record in records})
        }

        def estimate(record: RunRecord) -> Estimate:
            return _estimate(record, *known[dataset_key(record.spec.dataset)])

        return pool_estimates(
            self.name, records, estimate, signals=(), least_epochs=0, in_step=False
        )

    def _known_elsewhere(self, dataset: str) -> tuple[dict[str, int], ShrunkenMeans]:
        """Return the row of every network known, and what is known of it.

        One's own accuracies on a dataset of the built-in table were reached by other means, so
        they are standardised apart.
        """
        tables = [
            tabulated(elsewhere(source, [dataset])) for source in (built_in(), self.experience)
        ]
        rows = {
            model: row
            for row, model in enumerate(sorted({model for one in tables for model in one.models}))
        }
        columns = []
        for table in tables:
            values = np.full((len(rows), len(table.datasets)), math.nan)
            values[[rows[model] for model in table.models]] = standardised(table.accuracy)
            columns.append(values)
        return rows, shrunken_means(np.hstack(columns))


def _estimate(record: RunRecord, rows: dict[str, int], means: ShrunkenMeans) -> Estimate:
    name = name_in_experience(record)
    row = row_of(name, rows)
    if row is None or not means.known[row]:
        raise InputError(
            f"nothing is known of {plain_name(name)} on other datasets; give accuracies that you "
            "know with --experience FILE.csv (model,dataset,accuracy; two networks or more per "
            "dataset)"
        )
    return Estimate(
        record.spec.model,
        mean=math.nan,
        diagnostics={"datasets": int(means.known[row]), "score_sd": float(means.sd[row])},
        score=float(means.mean[row]),
    )
