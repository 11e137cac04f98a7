"""What may be asked of stored trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ncselect.graphs.prediction.classes import labels
from ncselect.graphs.prediction.inputs import (
    ACCURACY,
    CONTROLS,
    Inputs,
    Window,
    control_inputs,
    signature_inputs,
)
from ncselect.graphs.prediction.judging import PAPER_CLASSIFIERS
from ncselect.graphs.prediction.published import network_threshold
from ncselect.graphs.prediction.trajectories import LEFT_OUT, Trajectories
from ncselect.graphs.temporal import TemporalForm
from ncselect.types import RunRecord
from zoo.errors import InputError

FIRST_EPOCHS = 10
WINDOWS = (Window(0, 2), Window(1, 3), Window(3, 5), Window(5, 7))
"""Those of the paper's Table 4."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of stored trainings.

    Attributes
    ----------
    features, kinds, forms
        Of the signatures, every combination: ``degree``, ``eigenvector``; keys of
        ``prediction.inputs.KINDS``; temporal forms of ``graphs.temporal``. A linear regression
        does not depend on the form.
    since_start
        Tell signatures as their change since epoch 0, which is not in the paper.
    classifiers
        Keys of ``prediction.learners.CLASSIFIERS``.
    threshold
        Final accuracy above which a network is high; ``median``, that of these networks; or
        ``paper``, that of the paper's Table 2 for this dataset and these networks.
    last_epochs
        Networks are classified by epochs 0 … each of these; by default 1, 2, … 10, as far as the
        runs go.
    windows
        The epochs of each regression.
    diverged
        ``left-out`` or ``low``, see ``prediction.trajectories.gathered``.
    seed
        Of samples, folds and learners.
    """

    features: tuple[str, ...] = ("degree", "eigenvector")
    kinds: tuple[str, ...] = ("rolled",)
    forms: tuple[TemporalForm, ...] = ("concatenated",)
    since_start: bool = False
    classifiers: tuple[str, ...] = PAPER_CLASSIFIERS
    threshold: float | Literal["median", "paper"] = "median"
    last_epochs: tuple[int, ...] | None = None
    windows: tuple[Window, ...] | None = None
    diverged: str = LEFT_OUT
    seed: int = 0

    def signatures(self, *forms: TemporalForm) -> tuple[Inputs, ...]:
        """Return the signatures in the given forms."""
        return tuple(
            signature_inputs(feature, kind, form=form, since_start=self.since_start)
            for kind in self.kinds
            for feature in self.features
            for form in forms
        )

    def inputs(self) -> tuple[Inputs, ...]:
        """Return the controls and the signatures in every form that is asked for."""
        return (*controls(), *self.signatures(*self.forms))

    def windows_from_start(self, records: Sequence[RunRecord]) -> tuple[Window, ...]:
        """Return the windows of the classifications, shortest first.

        Raises
        ------
        InputError
            If one ends after the longest run.
        """
        longest = _longest(records)
        lasts = self.last_epochs or range(1, min(FIRST_EPOCHS, longest) + 1)
        return tuple(
            _checked(Window(0, last), longest, "last epoch") for last in sorted(set(lasts))
        )

    def windows_of_regression(self, records: Sequence[RunRecord]) -> tuple[Window, ...]:
        """Return the windows of the regressions: of the paper's, those that the runs reach.

        Raises
        ------
        InputError
            If one that was asked for ends after the longest run.
        """
        longest = _longest(records)
        if self.windows is None:
            return tuple(window for window in WINDOWS if window.last <= longest)
        return tuple(_checked(window, longest, "window") for window in self.windows)

    def level(self, data: Trajectories) -> float:
        """Return the threshold as a number.

        Raises
        ------
        InputError
            If it is no accuracy, or that of the paper is not one for all of these networks.
        UnknownNameError
            If the paper has none for them.
        """
        if self.threshold != "paper":
            return labels(data, self.threshold)[0]
        levels = {
            network_threshold(dataset, architecture)
            for dataset, architecture in zip(data.datasets, data.architectures, strict=True)
        }
        if len(levels) > 1:
            raise InputError(
                f"threshold: the paper's are {', '.join(f'{one:g}' for one in sorted(levels))} for "
                "these networks; give one number, or choose an architecture with where"
            )
        return levels.pop() if levels else labels(data, "median")[0]


def controls() -> tuple[Inputs, ...]:
    """Return the controls: plain signals of the same epochs, and the last accuracy alone."""
    return (
        *(control_inputs(signal) for signal in CONTROLS),
        control_inputs(ACCURACY, last_only=True),
    )


def _longest(records: Sequence[RunRecord]) -> int:
    longest = max(record.epochs for record in records)
    if not longest:
        raise InputError("store: no run has finished an epoch; train them")
    return longest


def _checked(window: Window, longest: int, asked: str) -> Window:
    if window.last > longest:
        raise InputError(
            f"{asked}: {window.last} came, and the longest run has {longest} epochs; give earlier "
            "ones"
        )
    return window
