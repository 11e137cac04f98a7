"""Presets of keras-hub: backbones with the scaling of pixels that they were trained with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from zoo.candidate import Candidate
from zoo.errors import InputError, WeightsUnavailableError
from zoo.saved import check_graph


def locate_preset(name: str, folder: Path) -> str:
    """Return a preset's absolute path where it is a folder, relative to another one, or its name.

    Raises
    ------
    InputError
        If keras-hub is not installed.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise InputError(
            f"model 'hub:{name}' needs keras-hub, which is not installed. "
            "Run: pip install 'ncselect[hub]'"
        )
    path = (folder / Path(name).expanduser()).absolute()
    return str(path) if path.is_dir() else name


def load_preset(candidate: Candidate) -> tuple[Any, Any]:
    """Return a preset's backbone, and its rescaling layer or None if preprocessing is stated.

    Raises
    ------
    WeightsUnavailableError
        If keras-hub cannot get the preset; the text says why.
    InputError
        If it is no network of images.
    """
    import keras
    import keras_hub

    try:
        backbone = keras_hub.models.Backbone.from_preset(candidate.source)
    except Exception as error:  # downloads fail with the errors of three hosts' clients
        reason = " ".join(str(error).split())[:300]
        raise WeightsUnavailableError(
            f"{candidate.name}: keras-hub has no preset '{candidate.source}' here: {reason}. "
            "Correct the name, or give the folder of a downloaded preset."
        ) from error
    check_graph(backbone, candidate.name)
    if candidate.preprocessing is not None:
        return backbone, None
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(candidate.source)
    except (ValueError, OSError) as error:
        raise WeightsUnavailableError(
            f"{candidate.name}: preset '{candidate.source}' does not say how images are scaled: "
            f"{error}. State 'preprocessing' in a pool file."
        ) from error
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    return backbone, keras.layers.Rescaling(scale, offset, name="preset_rescaling")
