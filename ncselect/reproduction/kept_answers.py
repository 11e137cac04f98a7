"""Answers of slow methods on disk, a file each: a second call reads them, a stopped one goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

from ncselect.answers import Answer
from ncselect.methods.pool import ACCURACY
from ncselect.reproduction.libraries import library_versions
from ncselect.run import replace_text
from ncselect.types import Estimate, Estimates, RunRecord
from zoo.errors import InputError


@dataclasses.dataclass(frozen=True)
class KeptAnswers:
    """A folder of answers, each named by all that decides it.

    Attributes
    ----------
    folder
        Made when the first answer is kept.
    timed
        Whether their seconds count: then they are of this machine, in one process, and apart from
        those of which only the estimates do.
    """

    folder: Path
    timed: bool = False

    def key(self, method: str, run: RunRecord, *, epochs: int, horizon: int, turn: int = 0) -> str:
        """Return the name of an answer for one candidate by its own accuracy curve.

        Parameters
        ----------
        method
            With its options.
        run
            The candidate's; its key decides the seed of the sampler.
        epochs
            Those that the method sees.
        horizon
            The epoch that it predicts.
        turn
            Counts the answers to the same question, where each is timed.
        """
        asked = {
            "method": method,
            "run": run.spec.key,
            "curve": run.observed(epochs).curve(ACCURACY).tolist(),
            "horizon": horizon,
            "turn": turn,
            "versions": library_versions("ncselect", "numpy", "scipy", "emcee"),
            "code": _code(),
            **({"machine": platform.node()} if self.timed else {}),
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]

    def find(self, key: str) -> Answer | None:
        """Return a kept answer, or None.

        Raises
        ------
        InputError
            If its file cannot be read.
        """
        path = self._path(key)
        if not path.exists():
            return None
        try:
            held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            estimate = Estimate(**held["estimate"])
            return Answer(Estimates(held["method"], (estimate,), {}), float(held["seconds"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"output: the answer kept in '{path}' cannot be read ({error}); delete it"
            ) from error

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer for one candidate; a refusal is not kept, for it costs nothing."""
        if not answer.estimates.estimates:
            return
        (estimate,) = answer.estimates.estimates
        self.folder.mkdir(parents=True, exist_ok=True)
        held = {
            "method": answer.estimates.method,
            "estimate": dataclasses.asdict(estimate),
            "seconds": answer.seconds,
        }
        replace_text(self._path(key), json.dumps(held, indent=1))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


@cache
def _code() -> str:
    """Return a digest of the methods' source: between releases the version stands still."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(
        [*(package / "methods").rglob("*.py"), *(package / "numerics").rglob("*.py")]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()
