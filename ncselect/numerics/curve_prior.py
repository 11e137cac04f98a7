"""The hyperparameters of the model of unfinished curves, and those that come with the package."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.errors import InputError

PROVENANCE = "provenance"


@dataclass(frozen=True, kw_only=True)
class CurvePrior:
    """What finished curves teach about unfinished ones: the hyperparameters of the model.

    With t = log(horizon / epochs), f = min(1, t / log 2), l = log(epochs) − 2, g a candidate's
    distance from the pool's top, c = 1 − exp(−g / exp(reach)) and v the speed of the pool (median
    log-odds gained since half the epochs), r a candidate's roughness and w its own speed:

    - index u = log-odds of the best value + f · ``momentum`` · (best − mean of the best value so
      far, epoch e weighing e);
    - pace = t^``power`` · v · exp(``catch_up_epochs``·l);
    - centre = u + f·(``shift`` + ``shift_epochs``·l) + ``rise``·t
      + min(``catch_up``·pace, 0.9·exp(``reach``))·c + f·``own``·c·(w − v);
    - noise = exp(``noise``)·(t + 0.02)^``noise_horizon``·r^``noise_rough``·epochs^``noise_epochs``;
    - width = noise + exp(``spread``)·pace·c + 0.02.

    Attributes
    ----------
    momentum
        Log-odds per unit of accuracy by which the best value lately rose.
    shift, shift_epochs, rise, catch_up, catch_up_epochs, power, reach, own
        Where the ordinary course leads.
    noise, noise_horizon, noise_rough, noise_epochs, spread
        How far from there it ends.
    tail, tail_behind, tail_centre, tail_width
        Log-weight of the tail against the ordinary course and its slope in c; its centre in
        widths; its log-width in widths.
    stay, stay_stuck, stay_horizon, stay_width
        Log-weight of staying, its slopes in stuckness and t − 2; log-width.
    start, start_stuck, start_horizon, start_reach, start_width
        The same of starting late, which leads ``start_reach`` of the way to the top.
    shared
        Correlation between the errors of two candidates of a pool.
    """

    momentum: float = 6.0
    shift: float = -0.1
    shift_epochs: float = 0.0
    rise: float = 0.1
    catch_up: float = 0.9
    catch_up_epochs: float = 0.0
    power: float = 1.2
    reach: float = 0.0
    own: float = 0.5
    noise: float = -1.2
    noise_horizon: float = 0.5
    noise_rough: float = 0.2
    noise_epochs: float = -0.3
    spread: float = -0.5
    tail: float = -0.5
    tail_behind: float = 0.0
    tail_centre: float = -0.8
    tail_width: float = 0.7
    stay: float = -3.0
    stay_stuck: float = 3.0
    stay_horizon: float = -0.5
    stay_width: float = -3.0
    start: float = -4.0
    start_stuck: float = 3.0
    start_horizon: float = 0.5
    start_reach: float = 0.7
    start_width: float = -1.0
    shared: float = 0.1
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the prior as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> CurvePrior:
        """Rebuild a prior from :meth:`to_json`'s value."""
        return cls(**document)

    @classmethod
    def read(cls, path: str) -> CurvePrior:
        """Read a prior from a JSON file.

        Raises
        ------
        InputError
            If the file cannot be read, or holds anything else.
        """
        try:
            document = json.loads(Path(path).expanduser().read_text("utf-8"))
            numbers = {name: float(value) for name, value in document.items() if name != PROVENANCE}
            return cls.from_json({**numbers, PROVENANCE: dict(document.get(PROVENANCE, {}))})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"hyperparameters is '{path}', which cannot be read as those of a curve model "
                f"({error}); give a file made by 'python -m bench.learn_curve_prior'"
            ) from error

    @classmethod
    def shipped(cls, *, pretrained: bool) -> CurvePrior:
        """Return a prior that comes with the package, see its ``provenance``.

        Parameters
        ----------
        pretrained
            Whether the curves are of networks that were pre-trained and are fine-tuned: these
            level off early, where networks trained from scratch go on to rise.
        """
        name = "curve_prior_pretrained.json" if pretrained else "curve_prior_scratch.json"
        text = resources.files("ncselect").joinpath("data", name).read_text("utf-8")
        return cls.from_json(json.loads(text))
