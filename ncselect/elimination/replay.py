"""Finished runs, shown as a race would have seen them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from ncselect.types import RunRecord


class Replay:
    """Observes candidates whose whole runs are there already.

    Parameters
    ----------
    runs
        Model → its whole run.
    unit
        What is paid: ``seconds`` as recorded, an epoch's the median of its run, or ``epochs``.
    restart
        Price of a candidate's coming back for more epochs, in the same unit.
    """

    def __init__(
        self, runs: Mapping[str, RunRecord], *, unit: str = "seconds", restart: float = 0.0
    ) -> None:
        self._runs = dict(runs)
        self._restart = restart
        self.prices: Mapping[str, float] = {
            model: 1.0 if unit == "epochs" else _seconds(run) for model, run in runs.items()
        }
        self.spent = 0.0
        self.workers = 1
        self._seen = dict.fromkeys(runs, 0)

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch, as far as the budget reaches."""
        found = {}
        for model in models:
            run, price = self._runs[model], self.prices[model]
            begins = self._restart
            while self._seen[model] < min(epochs, run.epochs):
                if self.spent + begins + price > budget * (1 + 1e-9):
                    break
                self.spent += begins + price
                begins = 0.0
                self._seen[model] += 1
            found[model] = run.observed(self._seen[model])
        return found


def _seconds(run: RunRecord) -> float:
    return statistics.median(one.seconds + one.measuring_seconds for one in run.observations[1:])
