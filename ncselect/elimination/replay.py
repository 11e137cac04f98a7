"""Finished runs, shown as a race would have seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ncselect.cost import seconds_per_epoch
from ncselect.types import RunRecord


class Replay:
    """Observes candidates whose whole runs are there already.

    Parameters
    ----------
    runs
        Model → its whole run.
    unit
        What is paid: ``seconds`` as recorded, an epoch's the median of its run, or ``epochs``.
        Of a run without epochs it is not known.
    starts
        Model → price of its coming back for more epochs, in the same unit; by default nothing.
    """

    def __init__(
        self,
        runs: Mapping[str, RunRecord],
        *,
        unit: str = "seconds",
        starts: Mapping[str, float] | None = None,
    ) -> None:
        self._runs = dict(runs)
        self.starts = dict.fromkeys(runs, 0.0) if starts is None else dict(starts)
        self.prices = {
            model: 1.0 if unit == "epochs" else seconds_per_epoch(run)
            for model, run in runs.items()
        }
        self.spent = 0.0
        self.workers = 1
        self.stored = dict.fromkeys(runs, 0)

    @property
    def expected(self) -> dict[str, float]:
        """Model → what an epoch of it costs: here it is known."""
        return self.prices

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch, as far as the budget reaches."""
        found = {}
        for model in models:
            run, price = self._runs[model], self.prices[model]
            begins = self.starts[model]
            while self.stored[model] < min(epochs, run.epochs):
                if self.spent + begins + price > budget * (1 + 1e-9):
                    break
                self.spent += begins + price
                begins = 0.0
                self.stored[model] += 1
            found[model] = run.observed(self.stored[model])
        return found
