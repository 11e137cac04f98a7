"""What every table and figure is made from: runs, a scale, and how methods are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ncselect.reproduction.kept_answers import KeptAnswers
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.scales import Scale

Watch = Callable[[str, int, int], None]  # what, done, of how many


@dataclass(frozen=True, kw_only=True)
class Material:
    """The one argument of every target.

    Attributes
    ----------
    pools
        One or more, a dataset each; targets of one dataset have one.
    scale
        Whose observation lengths, starts and sizes are read.
    workers
        Processes that methods are asked in.
    kept
        Where slow answers are kept; None keeps none.
    watch
        Called with what is counted, how much is done, and how much there is.
    """

    pools: tuple[Pool, ...]
    scale: Scale
    workers: int = 1
    kept: KeptAnswers | None = None
    watch: Watch = lambda _what, _done, _total: None

    @property
    def pool(self) -> Pool:
        """The first pool."""
        return self.pools[0]

    @property
    def horizon(self) -> int:
        """The epoch of the truth, the same in all pools."""
        return self.pools[0].horizon
