"""How large a reproduction is: every number of every scale, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ncselect.reproduction import paper
from zoo.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The size of a reproduction, in every dimension.

    What is no part of it is the same at every scale: batches of 64, learning rate 0.001 and the
    other defaults of ``ncselect.Settings``.

    Attributes
    ----------
    name
        What ``--scale`` takes.
    models
        Names, groups or pool files of the candidates.
    datasets
        What the candidates are fine-tuned on; targets of one dataset take the first.
    repeats
        Runs of every candidate on every dataset, with seeds 0, 1, ….
    horizon
        Epochs T of a run; the test accuracy after the last is the truth.
    image_size
        Side of the images in pixels; None takes the paper's own.
    train, validation, test
        Numbers of images; None takes what the paper took: 15,000 for validation, the rest to
        train on, the dataset's own test split.
    measure_whole
        Whether β_eff is measured on the whole training set, as in the paper, and read there;
        else on the probe subset.
    lengths
        Observed epochs of table 1; the first is that of the scatter plots and of table G.2.
    curve
        Observed epochs of the figures that show ρ against them.
    starts
        First epochs t0 of the observations of figure 3b.
    sizes
        Training images of figure 3c: the first so many of the training split.
    sizes_validation
        Images that validate there: the last so many of the training split.
    lc_steps
        Steps of the sampler of ``lc``, a fifth of them burnt in.
    """

    name: str
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    repeats: int
    horizon: int
    image_size: int | None
    train: int | None
    validation: int | None
    test: int | None
    measure_whole: bool
    lengths: tuple[int, ...]
    curve: tuple[int, ...]
    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    sizes_validation: int
    lc_steps: int

    @property
    def longest(self) -> int:
        """Epochs that the runs on fewer images are read for."""
        return max(self.curve)

    @property
    def shown_lengths(self) -> list[int]:
        """Lengths in the tables of figures 3b and 3c: the ends and the middle of the curve."""
        return sorted({self.curve[0], self.curve[len(self.curve) // 2], self.curve[-1]})

    @property
    def subset(self) -> str:
        """Which training images capacitance reads β_eff of, as its option of that name."""
        return "all" if self.measure_whole else "probe"

    def method(self, name: str) -> str:
        """Return a method with its options, as ``methods.parsed_method`` takes it."""
        match name:
            case "lc":
                return f"lc:steps={self.lc_steps},burn_in={self.lc_steps // 5}"
            case paper.OURS if self.measure_whole:
                return f"{name}:subset={self.subset}"
            case _:
                return name


_SCALES = (
    Scale(  # the published protocol; needs GPUs and a network connection
        name="paper",
        models=("paper",),
        datasets=("cifar10", "cifar100", "svhn", "fashion_mnist", "birds"),
        repeats=20,
        horizon=50,
        image_size=None,
        train=None,
        validation=None,
        test=None,
        measure_whole=True,
        lengths=(5, 10),
        curve=tuple(range(5, 16)),
        starts=(1, 3, 5, 7, 9),
        sizes=(10_000, 15_000, 20_000, 25_000, 30_000),
        sizes_validation=10_000,
        lc_steps=2_500,
    ),
    Scale(  # a tenth of the images; a night on two CPU cores, figure 3c longer
        name="small",
        models=("small",),
        datasets=("cifar10", "fashion_mnist"),
        repeats=3,
        horizon=30,
        image_size=32,
        train=3_500,
        validation=1_500,
        test=2_000,
        measure_whole=False,
        lengths=(5, 10),
        curve=tuple(range(5, 16)),
        starts=(1, 3, 5, 7, 9),
        sizes=(1_000, 1_500, 2_000, 2_500, 3_000),
        sizes_validation=1_000,
        lc_steps=1_000,
    ),
    # Bundled digits and untrained networks, to see that all of it works; minutes. Three models are
    # too few for bgrn, which learns from six others: it refuses, and tables and notebooks say so.
    Scale(
        name="tiny",
        models=(str(Path(__file__).with_name("tiny.toml")),),
        datasets=("digits",),
        repeats=2,
        horizon=8,
        image_size=32,
        train=512,
        validation=200,
        test=300,
        measure_whole=False,
        lengths=(3, 5),
        curve=(3, 4, 5),
        starts=(1, 2, 3),
        sizes=(192, 320),
        sizes_validation=200,
        lc_steps=100,
    ),
)

SCALES: Mapping[str, Scale] = MappingProxyType({scale.name: scale for scale in _SCALES})
"""Name → scale, the largest first."""


def scale_named(name: str) -> Scale:
    """Return a scale by name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in SCALES:
        raise UnknownNameError("scale", name, SCALES)
    return SCALES[name]
