"""The structure of networks in files and stored runs, as tidy rows and as figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.answer_files import write_answer
from ncselect.arguments import check_seed, is_whole
from ncselect.measures.bipartite import bipartite_network
from ncselect.measures.degrees import network_distributions, survival
from ncselect.measures.table import NETWORK, Measurement, structure, tails
from ncselect.run import Run
from ncselect.sparse.connections import Connections
from ncselect.sparse.connections_file import read_connections
from ncselect.store import RunStore
from zoo.errors import InputError, WeightsUnavailableError

if TYPE_CHECKING:
    from ncselect.plots import AnyFigure
    from ncselect.plots.courses import CoursePanel

Epochs = dict[int | None, list[Connections]]
"""Epoch → layers; a file's epoch is None."""

DRAWN = (  # layer, measure, and what its axis says
    (NETWORK, "density", "density"),
    (NETWORK, "mean_abs_weight", "mean |w|"),
    ("hidden", "degree/relative_heterogeneity", "⟨k²⟩/⟨k⟩² of the hidden units"),
    (NETWORK, "units/spanning", "units on paths from input to output"),
)
"""Measures that are drawn epoch by epoch."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A network and its measures.

    Attributes
    ----------
    network
        What tells it from the others: a path as it was given, or a stored run's model and key.
    epoch
        Of a run; None of a file.
    connections
        Its layers.
    measurements
        A row each.
    """

    network: str
    epoch: int | None
    connections: tuple[Connections, ...]
    measurements: tuple[Measurement, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return the measurements as rows of a table."""
        return [
            {"network": self.network, "epoch": self.epoch, **one.to_row()}
            for one in self.measurements
        ]

    @property
    def no_degrees(self) -> str:
        """Why there are no degrees of hidden units to draw; empty if there are."""
        by_place = {(one.layer, one.measure): one for one in self.measurements}
        whole = by_place[NETWORK, "degree/mean"]
        if whole.value is None:
            return whole.note
        largest = by_place.get(("hidden", "degree/maximum"))
        if largest is None:
            return "a single layer has no hidden units"
        return "" if largest.value else "its hidden units have no connections"


def measured(
    networks: Sequence[str | Path],
    store: str | Path = "runs",
    *,
    tails: bool = False,
    replicas: int = 0,
    clustering: bool = True,
    seed: int = 0,
) -> list[Measured]:
    """Measure the structure of networks.

    Parameters
    ----------
    networks
        Paths of ``.keras`` files or of ``.npz`` files of connections, or names of stored runs:
        keys, their beginnings, or folders' names; or paths of runs' folders, which need not be of
        the store. A run gives all connections that it has kept. Each comes once, however often it
        is named.
    store
        Folder of the runs.
    tails
        Judge whether degrees and strengths have heavy tails, too.
    replicas
        Of the bootstrap of each power law's goodness of fit; 0 leaves it out.
    clustering
        Measure clustering, whose time grows with the square of a layer's units.
    seed
        Of the bootstrap.

    Returns
    -------
    list of Measured
        In the order of the networks, epochs ascending.

    Raises
    ------
    InputError
        If one is neither a file nor a run, is damaged, or has no connections to measure.
    """
    if not is_whole(replicas) or replicas < 0:
        raise InputError(f"replicas: {replicas!r} came; give a whole number of at least 0")
    if replicas and not tails:
        raise InputError("replicas: they are of the tails' fits; give tails too, or leave them out")
    check_seed(seed)
    kept = dict(_read(network, store) for network in networks)
    found = []
    for name, epochs in kept.items():
        for epoch, layers in epochs.items():
            made = structure(layers, clustering=clustering)
            if tails:
                made += _tails(layers, replicas, seed)
            found.append(Measured(name, epoch, tuple(layers), tuple(made)))
    return found


def _tails(layers: Sequence[Connections], replicas: int, seed: int) -> list[Measurement]:
    return tails(layers, replicas=replicas, generator=np.random.default_rng(seed))


def _read(network: str | Path, store: str | Path) -> tuple[str, Epochs]:
    """Return what tells a network from others, and its layers."""
    path = Path(network)
    if path.suffix == ".npz":
        return str(path), {None: read_connections(path)}
    if path.suffix == ".keras":
        return str(path), {None: _of_model(path)}
    if (path / "spec.json").is_file():
        return str(path), _of_run(Run(path))
    [run] = RunStore(store, create=False).select([str(network)])
    if not isinstance(run, Run):
        raise InputError(f"networks: '{network}' are stored features; give a run's key")
    epochs = _of_run(run)
    return f"{run.spec.model} {run.key}", epochs


def _of_model(path: Path) -> list[Connections]:
    from ncselect.sparse.model_connections import connections_of
    from zoo.saved import load_safely

    try:
        return connections_of(load_safely(path, "networks"))
    except WeightsUnavailableError as error:
        raise InputError(str(error)) from error


def _of_run(run: Run) -> Epochs:
    if not run.is_readable:
        raise InputError(
            f"networks: '{run.folder}' holds no run that can be read; give one that 'ncselect "
            "runs' lists"
        )
    if not run.connections:
        raise InputError(
            f"networks: the run in '{run.folder}' has kept no connections; those of 'ncselect "
            "sparse' do, and dense ones do not"
        )
    return {epoch: read_connections(file) for epoch, file in run.connections.items()}


def table_rows(found: Sequence[Measured]) -> dict[str, list[dict[str, Any]]]:
    """Return network → a row per layer and measure, a column per epoch, and the last note."""
    return {network: _table(own) for network, own in _by_network(found).items()}


def _table(found: Sequence[Measured]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        column = "value" if one.epoch is None else f"epoch {one.epoch}"
        for row in one.measurements:
            place = {"layer": row.layer, "measure": row.measure}
            rows.setdefault((row.layer, row.measure), place)[column] = row.value
            rows[row.layer, row.measure]["note"] = row.note
    columns = list(dict.fromkeys(name for row in rows.values() for name in row if name != "note"))
    return [{name: row.get(name) for name in (*columns, "note")} for row in rows.values()]


def _by_network(found: Sequence[Measured]) -> dict[str, list[Measured]]:
    groups: dict[str, list[Measured]] = {}
    for one in found:
        groups.setdefault(one.network, []).append(one)
    return groups


def degree_figures(found: Sequence[Measured]) -> dict[str, AnyFigure]:
    """Return network → how its hidden units' degrees and strengths are distributed.

    A line is an epoch. Networks and epochs without such degrees are left out:
    :attr:`Measured.no_degrees` says why.
    """
    from ncselect.plots.courses import CourseFigure

    made: dict[str, AnyFigure] = {}
    for network, own in _by_network(found).items():
        lined = [one for one in own if not one.no_degrees]
        if lined:
            made[network] = CourseFigure(
                _panels(lined),
                "of a hidden unit",
                f"{_plain(network)}: shares of those that have connections.",
                logarithmic=True,
            )
    return made


def _panels(found: Sequence[Measured]) -> tuple[CoursePanel, ...]:
    from ncselect.plots.courses import CoursePanel, CourseSeries

    titles = {"degree": "Degree: units linked with", "strength": "Strength: sum of |w|"}
    lines: dict[str, list[CourseSeries]] = {name: [] for name in titles}
    for one in found:
        label = "network" if one.epoch is None else f"epoch {one.epoch}"
        for each in network_distributions(bipartite_network(one.connections)):
            some = each.values[each.values > 0]
            if each.layer == "hidden" and each.measure in lines and some.size:
                values, shares = survival(some)
                lines[each.measure].append(CourseSeries(label, tuple(values), tuple(shares)))
    return tuple(
        CoursePanel(titles[name], "share with at least so much", tuple(series))
        for name, series in lines.items()
        if series
    )


def course_figures(found: Sequence[Measured]) -> dict[str, AnyFigure]:
    """Return network → the measures of ``DRAWN`` epoch by epoch, of runs that kept several."""
    from ncselect.plots.courses import CourseFigure, CoursePanel, CourseSeries

    made: dict[str, AnyFigure] = {}
    for network, own in _by_network(found).items():
        panels = []
        for layer, measure, said in DRAWN:
            values = {
                one.epoch: row.value
                for one in own
                for row in one.measurements
                if (row.layer, row.measure) == (layer, measure)
            }
            points = [(e, v) for e, v in values.items() if e is not None and v is not None]
            if len(points) > 1:
                epochs, numbers = zip(*points, strict=True)
                panels.append(CoursePanel("", said, (CourseSeries("network", epochs, numbers),)))
        if panels:
            made[network] = CourseFigure(tuple(panels), "epoch", f"{_plain(network)}.")
    return made


def _plain(name: str) -> str:
    """Return a name that figures show as it is: they take what is between dollars for formulas."""
    return name.replace("$", r"\$")


def save_figures(found: Sequence[Measured], folder: Path) -> tuple[Path, ...]:
    """Write all figures as SVG and PNG; return their paths.

    They are ``degrees-…`` of :func:`degree_figures` and ``courses-…`` of :func:`course_figures`.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    slugs = _slugs([*_by_network(found)])
    kinds: Mapping[str, dict[str, AnyFigure]] = {
        "degrees": degree_figures(found),
        "courses": course_figures(found),
    }
    named = {
        f"{kind}-{slugs[network]}": values
        for kind, figures in kinds.items()
        for network, values in figures.items()
    }
    return write_answer(folder, {}, named)


def _slugs(names: Sequence[str]) -> dict[str, str]:
    """Return name → letters, digits and hyphens, of all names different ones."""
    made: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-80:]
        tried = (f"{stem}-{count}" for count in range(2, len(names) + 2))
        made[name] = next(slug for slug in (stem, *tried) if slug not in made.values())
    return made
