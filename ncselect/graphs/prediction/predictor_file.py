"""A fitted predictor as a file that strangers may send: it holds no code to run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ncselect.graphs.prediction.inputs import Inputs, Window
from ncselect.graphs.prediction.predictor import Lesson, Predictor
from zoo.errors import InputError

FORMAT = "ncselect predictor 1"
TOLERANCE = 1e-6


def save_predictor(path: str | Path, predictor: Predictor) -> None:
    """Write a predictor in the format of skops, without pickle.

    Parameters
    ----------
    path
        A file, by custom ending in ``.skops``.
    predictor
        As ``predictor.taught`` returns it.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    from skops import io

    document = {
        "format": FORMAT,
        "lesson": json.dumps(dataclasses.asdict(predictor.lesson)),
        "pipeline": predictor.pipeline,
        "witnesses": predictor.witnesses,
        "answers": predictor.answers(predictor.witnesses),
    }
    content = io.dumps(document)
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise InputError(
            f"predictor: cannot write '{path}' ({error}); name a file in a folder that exists"
        ) from error


def read_predictor(path: str | Path) -> Predictor:
    """Read a predictor; only types that skops trusts by itself are made, nothing is run.

    The file holds what the predictor answered to a few networks when it was saved. An installed
    scikit-learn that answers otherwise is refused.

    Parameters
    ----------
    path
        A file that :func:`save_predictor` wrote.

    Raises
    ------
    InputError
        If it is no such file, holds other types, or answers otherwise here.
    """
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        document = io.loads(Path(path).read_bytes(), trusted=[])
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"it is not of the format '{FORMAT}'")
        lesson = _lesson(json.loads(document["lesson"]))
        predictor = Predictor(lesson, document["pipeline"], document["witnesses"])
        answers, saved = predictor.answers(predictor.witnesses), document["answers"]
    except OSError as error:
        raise InputError(
            f"predictor: cannot read '{path}' ({error}); name a file that was saved"
        ) from error
    except UntrustedTypesFoundException as error:
        raise InputError(
            f"predictor: '{path}' holds more than a predictor ({error}); do not use it"
        ) from error
    except (BadZipFile, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"predictor: '{path}' is none ({error}); fit and save it anew") from error
    if not np.allclose(answers, saved, rtol=TOLERANCE, atol=TOLERANCE):
        raise InputError(
            f"predictor: '{path}' was fitted with scikit-learn "
            f"{predictor.lesson.versions['scikit-learn']} and answers otherwise with "
            f"{metadata.version('scikit-learn')}; install that version, or fit it anew"
        )
    return predictor


def _lesson(stored: Mapping[str, Any]) -> Lesson:
    inputs = {**stored["inputs"], "signals": tuple(stored["inputs"]["signals"])}
    return Lesson(
        **{
            **stored,
            "inputs": Inputs(**inputs),
            "window": Window(**stored["window"]),
            **{
                name: tuple(stored[name]) for name in ("runs", "architectures", "datasets", "seeds")
            },
        }
    )
