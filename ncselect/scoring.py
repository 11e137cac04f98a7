"""Scores of a candidate that is not trained, from features extracted where the store has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Set

from ncselect.features import Scores, StoredFeatures
from ncselect.scores import SCORES, measured
from zoo.datasets import Dataset
from zoo.errors import WeightsUnavailableError
from zoo.models import Candidate


def scored(
    stored: StoredFeatures,
    names: Set[str],
    *,
    candidate: Candidate,
    dataset: Callable[[], Dataset],
    seed: int,
    extracting: Callable[[], None],
) -> Scores:
    """Return a candidate's scores on a dataset after computing and keeping those that lack.

    Stored features are read without Keras. While another process writes them, this one waits.

    Parameters
    ----------
    stored
        Where features and scores are kept.
    names
        What is wanted, see ``ncselect.scores``.
    candidate, dataset
        The network and how to open the images, which stored features do without.
    seed
        Decides random weights.
    extracting
        Called before images are passed through the candidate.

    Raises
    ------
    InputError, WeightsUnavailableError
        If the candidate cannot be built. A source head that cannot be had is a reason, not an
        error, and is tried again if it may come, as after a failed download.
    """
    with stored.writer() as writer:
        missing = stored.scores.wanting(names)
        if not missing:
            return stored.scores
        features = stored.features()
        on_source = {name for name in missing if SCORES[name].needs == "source"}
        told = features is None
        if features is None:
            from ncselect.extraction import extracted

            extracting()
            fresh, facts = extracted(candidate, dataset(), seed=seed)
            writer.keep(fresh, facts)
            features = stored.with_source(fresh)
        passing: set[str] = set()
        if on_source and features.source is None and features.no_source is None:
            from ncselect.extraction import source_probabilities

            if not told:
                extracting()
            try:
                source = source_probabilities(candidate, dataset())
                writer.keep_source(source)
            except WeightsUnavailableError as error:
                source, passing = str(error), on_source
            features = (
                dataclasses.replace(features, no_source=source)
                if isinstance(source, str)
                else dataclasses.replace(features, source=source)
            )
        for name in sorted(missing):  # each is kept at once: some take their time
            values, reasons = measured(features, [name])
            writer.keep_scores(values, reasons, passing & set(reasons))
        return stored.scores
