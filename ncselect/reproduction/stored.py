"""A table or figure from what a store holds; trains nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ncselect.reproduction.material import Watch
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.result import Result
from ncselect.reproduction.scales import scale_named
from ncselect.reproduction.sorting import sorted_out
from ncselect.reproduction.targets import reproduced, target_named
from ncselect.store import RunStore
from zoo.errors import InputError


def read(
    target: str,
    store: str | Path,
    *,
    scale: str = "small",
    datasets: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    workers: int = 1,
    answers: str | Path | None = None,
    watch: Watch = lambda _what, _done, _total: None,
) -> Result:
    """Make a table or figure from stored runs, whatever their protocol: the result says it.

    Parameters
    ----------
    target
        A key of ``TARGETS``.
    store
        The folder of the runs.
    scale
        Whose observation lengths, starts and sizes are read; truth is the last epoch of the runs.
    datasets
        Stored name of a dataset → what to call it, such as ``{"cifar10_12k": "cifar10"}``: by its
        name the paper's numbers are found. All datasets of the store if None.
    where
        Dotted name → value, of the runs' specs, which the runs to be read have.
    workers
        Processes that methods are asked in.
    answers
        Folder in which those of slow methods are kept, and found again; none are if None.
    watch
        Called with what is counted, how much is done, and how much there is.

    Returns
    -------
    Result
        ``.figure()`` is the figure; a notebook shows the table.

    Raises
    ------
    InputError
        If the store does not hold what the target reads; the text has the command that makes it.
    UnknownNameError
        If target, scale, a dataset or a name in ``where`` is unknown.
    """
    pools = stored_pools(target, store, scale=scale, datasets=datasets, where=where)
    return reproduced(
        target, pools, scale_named(scale), workers=workers, answers=answers, watch=watch
    )


def stored_pools(
    target: str,
    store: str | Path,
    *,
    scale: str,
    datasets: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
) -> tuple[Pool, ...]:
    """Return the stored runs that a table or figure is made of; parameters as for :func:`read`."""
    target_named(target)
    sizes = scale_named(scale).sizes
    try:
        kept = RunStore(store, create=False)
    except InputError as error:
        raise InputError(
            f"store: there are no runs in '{store}'; make them with 'ncselect reproduce {target} "
            f"--scale {scale} --store {store}'"
        ) from error
    return sorted_out(kept.records(), where=where, names=datasets, sizes=sizes)
