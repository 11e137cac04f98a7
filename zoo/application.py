"""Networks of ``keras.applications``, and those built here, with the weights asked for."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from zoo.candidate import Candidate
from zoo.cards import Card
from zoo.errors import InputError, WeightsUnavailableError

# EfficientNetB0 to B7 divide by the standard deviation where they should by its square root;
# Keras repairs it after normalisation for weights="imagenet", and only then:
# https://github.com/tensorflow/tensorflow/issues/49930
_UNREPAIRED = re.compile(r"EfficientNetB[0-7]")
_REPAIR = tuple(deviation**-0.5 for deviation in (0.229, 0.224, 0.225))


def network_on(pixels: Any, candidate: Candidate, card: Card) -> Any:
    """Build a network of the zoo, without its classifier, on top of preprocessed images.

    Parameters
    ----------
    pixels
        Symbolic images as the network expects them, shape (n, height, width, 3).
    candidate
        Its arguments and weights.
    card
        The candidate's card.

    Returns
    -------
    keras.Model
        From what ``pixels`` were computed from to pooled features (n, d).

    Raises
    ------
    InputError
        If the arguments make no network.
    WeightsUnavailableError
        If the weights cannot be had or do not fit. Nothing takes their place.
    """
    if card.application is None:
        return _built_here(candidate, card, pixels)
    if candidate.weights == "imagenet":
        return _with_imagenet(candidate, card, pixels)
    try:
        network = _constructed(candidate, card, pixels, None)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{candidate.name}: {card.name} cannot be built with arguments "
            f"{dict(candidate.arguments)}: {_reason(error)}. Correct the arguments."
        ) from error
    if candidate.weights == "random":
        return network
    if _UNREPAIRED.fullmatch(card.name):
        network = _repaired(network)
    _load_weights(network, candidate)
    return network


def classifier_on(pixels: Any, candidate: Candidate, card: Card) -> Any:
    """Build an application with its ImageNet classifier on top of preprocessed images.

    Parameters
    ----------
    pixels
        Symbolic images as the network expects them, of its default size.
    candidate
        Its arguments.
    card
        The candidate's card, of an application.

    Returns
    -------
    keras.Model
        From what ``pixels`` were computed from to probabilities (n, 1000).

    Raises
    ------
    WeightsUnavailableError
        If the weights cannot be had. Nothing takes their place.
    """
    return _with_imagenet(candidate, card, pixels, include_top=True)


def _constructed(
    candidate: Candidate, card: Card, pixels: Any, weights: str | None, *, include_top: bool = False
) -> Any:
    import keras

    return getattr(keras.applications, str(card.application))(
        include_top=include_top,
        weights=weights,
        input_tensor=pixels,
        input_shape=pixels.shape[1:],
        pooling="avg",
        **candidate.arguments,
    )


def _built_here(candidate: Candidate, card: Card, pixels: Any) -> Any:
    """Build a network that ``keras.applications`` lacks."""
    import keras

    from zoo.alexnet import alexnet
    from zoo.small import NETWORKS

    if candidate.weights == "imagenet":
        raise WeightsUnavailableError(
            f"{candidate.name}: Keras has no ImageNet weights for {card.name}. Give the path of a "
            "weights file of this package's network, or ask for weights 'random'."
        )
    try:
        network = {"AlexNet": alexnet, **NETWORKS}[card.name](pixels, **candidate.arguments)
    except ValueError as error:
        raise InputError(
            f"{candidate.name}: {card.name} cannot be built with arguments "
            f"{dict(candidate.arguments)}: {_reason(error)} Correct the arguments."
        ) from error
    if candidate.weights != "random":
        _load_weights(network, candidate)
    if len(network.output_shape) == 2:
        return network
    pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(network.outputs[0])
    return keras.Model(network.inputs[0], pooled)


def _with_imagenet(
    candidate: Candidate, card: Card, pixels: Any, *, include_top: bool = False
) -> Any:
    try:
        # Keras prints the download to stdout, which belongs to the ranking, and warns that it
        # loads weights trained at 224 px for other sizes.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            return _constructed(candidate, card, pixels, "imagenet", include_top=include_top)
    except Exception as error:  # Keras raises the class Exception itself on a failed download
        what = "ImageNet classifier" if include_top else "ImageNet weights"
        home = Path(os.environ.get("KERAS_HOME", "~/.keras"))
        others = "." if include_top else ", give a weights path, or ask for weights 'random'."
        raise WeightsUnavailableError(
            f"{candidate.name}: no {what}: {_reason(error)}. Put the file into "
            f"{home / 'models'}{others}"
        ) from error


def _repaired(network: Any) -> Any:
    """Return an EfficientNet with the rescaling that Keras adds for ``imagenet`` alone."""
    import keras

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            return keras.layers.Rescaling(list(_REPAIR), name="imagenet_rescaling")(outputs)
        return outputs

    return keras.models.clone_model(network, call_function=call)


def _load_weights(network: Any, candidate: Candidate) -> None:
    path = Path(candidate.weights)
    if not path.is_file():
        raise WeightsUnavailableError(
            f"{candidate.name}: no weights file {path}. Correct the path, or ask for weights "
            "'imagenet' or 'random'."
        )
    try:
        with warnings.catch_warnings():
            # Keras only warns that layers "will retain their freshly-initialized weights".
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            network.load_weights(path)
    except (ValueError, OSError, KeyError, TypeError, UserWarning) as error:
        raise WeightsUnavailableError(
            f"{candidate.name}: weights file {path} does not fit: {_reason(error)}. Give weights "
            "of the same network and arguments, saved without its classifier."
        ) from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
