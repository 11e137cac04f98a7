"""Classification, regression and transfer of stored trainings, asked and answered at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncselect.answer_files import write_answer
from ncselect.graph_evaluation.chosen import Chosen, chosen_runs
from ncselect.graph_evaluation.question import Question, controls
from ncselect.graphs.prediction.classification import Classification, classification
from ncselect.graphs.prediction.importance import (
    ClassTrajectory,
    Importance,
    class_trajectories,
    importances,
)
from ncselect.graphs.prediction.inputs import Inputs, Window
from ncselect.graphs.prediction.judging import check_classifiers
from ncselect.graphs.prediction.regression import Regression, regression
from ncselect.graphs.prediction.trajectories import (
    Trajectories,
    architecture_of,
    gathered,
    of_architecture,
    run_name,
    shared_starts,
)
from ncselect.graphs.prediction.transfer import Transfer, transfer
from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ncselect.plots import AnyFigure

Watch = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Explanation:
    """What a classification by a signature rests on.

    Attributes
    ----------
    inputs
        Its name; epochs concatenated.
    first, last
        Epochs of the window, both included.
    importances
        By statistic.
    trajectories
        By statistic and class.
    """

    inputs: str
    first: int
    last: int
    importances: tuple[Importance, ...]
    trajectories: tuple[ClassTrajectory, ...]


@dataclass(frozen=True)
class Evaluation:
    """How well signatures tell the accuracy of stored networks, controls beside them.

    Attributes
    ----------
    dataset
        Of the networks that are learnt from.
    question
        What was asked; ``threshold`` is a number.
    classifications
        A window each, from epoch 0 on.
    regressions
        A window each.
    transfers
        For each architecture that was judged by what others taught, a window each.
    unjudged
        Architecture → why it was not judged.
    explanations
        A signature each, at the longest window.
    notes
        What a reader should know.
    """

    dataset: str
    question: Question
    classifications: tuple[Classification, ...]
    regressions: tuple[Regression, ...]
    transfers: tuple[Transfer, ...]
    unjudged: Mapping[str, str]
    explanations: tuple[Explanation, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: all of it, and as ``rows`` what the tables show."""
        return {**dataclasses.asdict(self), "rows": self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per measure, with the difference to the best control."""
        from ncselect.graph_evaluation.table import rows

        return rows(self)

    def figures(self) -> dict[str, AnyFigure]:
        """Return name → figure; ``ncselect.plots.drawn`` draws one."""
        from ncselect.graph_evaluation.figures import figures

        return figures(self)

    def save(self, folder: str | Path, *, command: str = "") -> tuple[Path, ...]:
        """Write ``evaluation.json`` and every figure as SVG and PNG; return their paths.

        Parameters
        ----------
        folder
            Made if it is not there.
        command
            What was typed to make them.

        Raises
        ------
        InputError
            If nothing can be written there.
        """
        document = {"command": command, **self.to_dict()}
        return write_answer(Path(folder), {"evaluation": document}, self.figures())

    def __rich__(self) -> RenderableType:
        """Return the tables for a terminal."""
        from ncselect.graph_evaluation.table import tables

        return tables(self)


def evaluated(
    stores: Sequence[str | Path],
    question: Question | None = None,
    *,
    judge_on: Sequence[str | Path] = (),
    where: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Ask how well graph signatures tell the final accuracy of stored networks.

    Nothing is trained but the predictors. Every signature has beside it the same predictor on
    validation accuracy, on its last value alone, and on the losses of the same epochs.

    Parameters
    ----------
    stores
        Folders of the runs.
    question
        What is asked.
    judge_on
        Folders of runs, other than those that are learnt from, which are classified too by what
        those have taught: an architecture at a time.
    where
        Dotted name → value, of the specs of the runs in ``stores``.
    watch
        Called with what is counted, how much is done, and how much there is.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If the stores hold too few networks, or not what is asked for.
    UnknownNameError
        If there is no such feature, kind, form, classifier or name in ``where``.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), sections
    4.1, 4.2 and appendices A.2 to A.4.

    Examples
    --------
    >>> from ncselect.graph_evaluation import Question, evaluated
    >>> found = evaluated(["runs"], Question(threshold=0.4))  # doctest: +SKIP
    >>> found.save("evaluated")  # doctest: +SKIP
    """
    asked = question or Question()
    check_classifiers(asked.classifiers, 1)
    runs = chosen_runs(stores, where)
    others = chosen_runs(judge_on, besides=runs.records) if judge_on else None
    windows = asked.windows_from_start(runs.records)
    regressed = asked.windows_of_regression(runs.records)
    first = _gathered(runs, asked.inputs(), windows[0], asked)
    level = asked.level(first)
    asked = dataclasses.replace(
        asked,
        threshold=level,
        last_epochs=tuple(window.last for window in windows),
        windows=regressed,
    )
    step = _counted(watch, len(windows) * (2 if others else 1) + len(regressed) + 1)
    regressions = []
    for window in regressed:
        data = _gathered(runs, (*controls(), *asked.signatures("concatenated")), window, asked)
        regressions.append(regression(data, threshold=level, seed=asked.seed))
        step()
    classifications: list[Classification] = []
    transfers: list[Transfer] = []
    unjudged: dict[str, str] = {}
    for window in windows:
        data = _gathered(runs, asked.inputs(), window, asked)
        if others is not None:
            judged = _gathered(others, asked.inputs(), window, asked)
            transfers += _transfers(data, judged, level, asked, unjudged)
            unjudged |= _untold(others, judged)
            step()
        classifications.append(
            classification(data, threshold=level, classifiers=asked.classifiers, seed=asked.seed)
        )
        step()
    longest = _gathered(runs, asked.signatures("concatenated"), windows[-1], asked)
    explanations = tuple(
        Explanation(
            one.name,
            longest.window.first,
            longest.window.last,
            importances(longest, one.name, threshold=level, seed=asked.seed),
            class_trajectories(longest, one.name, threshold=level),
        )
        for one in longest.inputs
    )
    step()
    return Evaluation(
        runs.dataset,
        asked,
        tuple(classifications),
        tuple(regressions),
        tuple(transfers),
        unjudged,
        explanations,
        _notes(asked, first, runs, others, classifications),
    )


def _gathered(
    runs: Chosen, inputs: Sequence[Inputs], window: Window, asked: Question
) -> Trajectories:
    return gathered(runs.records, inputs, window, diverged=asked.diverged)


def _transfers(
    data: Trajectories,
    judged: Trajectories,
    level: float,
    asked: Question,
    unjudged: dict[str, str],
) -> list[Transfer]:
    """Judge each architecture by what the others taught; say in ``unjudged`` where that fails."""
    found = []
    for architecture in sorted(set(judged.architectures)):
        try:
            found.append(
                transfer(
                    data,
                    of_architecture(judged, architecture),
                    threshold=level,
                    classifiers=asked.classifiers,
                    seed=asked.seed,
                )
            )
        except InputError as reason:
            unjudged[architecture] = str(reason)
    return found


def _untold(others: Chosen, judged: Trajectories) -> dict[str, str]:
    """Return the architectures of which no network has shown what is to be told, and why."""
    reasons: dict[str, str] = {}
    for record in others.records:
        reason = judged.left_out.get(run_name(record))
        if reason and architecture_of(record) not in judged.architectures:
            reasons.setdefault(architecture_of(record), f"none of its networks: {reason}")
    return reasons


def _notes(
    asked: Question,
    data: Trajectories,
    runs: Chosen,
    others: Chosen | None,
    classifications: Sequence[Classification],
) -> tuple[str, ...]:
    notes = [*runs.notes]
    if runs.unfinished:
        notes.append(f"{runs.unfinished} runs have not ended; they are absent here.")
    if shared := shared_starts(data):
        notes.append(
            f"Networks of {', '.join(shared)} share their initial weights with others: what their "
            "signatures tell need not hold for networks that begin with other weights."
        )
    if repeats := len(data.points) - len(set(data.points)):
        notes.append(
            f"{repeats} networks repeat another with another seed: none is judged by what its "
            "repeats taught."
        )
    if others is not None:
        notes += others.notes
        if others.unfinished:
            notes.append(f"{others.unfinished} runs to be judged have not ended.")
        if others.dataset != runs.dataset:
            notes.append(
                f"Judged are networks on {others.dataset}, learnt from were those on "
                f"{runs.dataset}; the threshold is the same."
            )
    fits = sum(score.unconverged for one in classifications for score in one.scores)
    if fits:
        notes.append(f"The iterations of {fits} fits ran out; their answers were used.")
    if asked.since_start:
        notes.append("Signatures are told as their change since epoch 0, which the paper does not.")
    return tuple(notes)


def _counted(watch: Watch | None, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if watch is not None:
            watch("predictors", done, total)

    return step
