"""A candidate with the classifier it was pre-trained with: images to source probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from zoo.base import check_image_shape, resized, whole_network
from zoo.candidate import Candidate
from zoo.cards import Card

_GIVE_FILE = "Give the whole network, its classifier included, as a .keras file."


@dataclass(frozen=True)
class SourceHead:
    """A network up to the probabilities of the classes it was pre-trained on.

    Attributes
    ----------
    model
        ``keras.Model`` from images (n, height, width, 3), values 0 to 255, to float32
        probabilities (n, K).
    """

    model: Any


@dataclass(frozen=True)
class NoSourceHead:
    """Why a candidate gives no probabilities of source classes, and the remedy."""

    reason: str


def build_source_head(
    candidate: Candidate, image_shape: tuple[int, int, int]
) -> SourceHead | NoSourceHead:
    """Build a candidate with its own classifier for images of one shape.

    An application with ImageNet weights gets its ImageNet classifier and sees the images at its
    default size. Of a ``.keras`` file or a preset it is the classifier that ``zoo.base.build``
    cuts off (:func:`zoo.saved.headless`), softmaxed where it ends in logits.

    Parameters
    ----------
    candidate
        Whose classifier.
    image_shape
        Height, width and channels of the images; 3 channels.

    Returns
    -------
    SourceHead or NoSourceHead
        The network, or why there is none: headless or random weights, no classifier, or one
        whose outputs are no distribution over classes.

    Raises
    ------
    InputError
        If the network cannot be built or used so.
    WeightsUnavailableError
        If its weights cannot be had here and now. Nothing takes their place.
    """
    check_image_shape(image_shape)
    if candidate.card is None:
        return _own(candidate, image_shape)
    if candidate.weights == "random":
        return _none(candidate, "its weights are random", "Ask for weights 'imagenet'.")
    if candidate.weights != "imagenet":
        return _none(candidate, "its weights file holds the headless base alone")
    return _imagenet(candidate, candidate.card, image_shape)


def _imagenet(
    candidate: Candidate, card: Card, image_shape: tuple[int, int, int]
) -> SourceHead | NoSourceHead:
    import keras

    from zoo.application import classifier_on
    from zoo.preprocessing import preprocessed

    if card.application is None:
        return _none(candidate, f"Keras has no ImageNet weights for {card.name}")
    images = keras.Input(image_shape, name="images")
    pixels = resized(images, (card.default_size, card.default_size))
    pixels = preprocessed(pixels, candidate.preprocessing or card.preprocessing)
    network = classifier_on(pixels, candidate, card)
    return SourceHead(keras.Model(images, keras.ops.cast(network.outputs[0], "float32")))


def _own(candidate: Candidate, image_shape: tuple[int, int, int]) -> SourceHead | NoSourceHead:
    """Build the source head of a file or a preset."""
    import keras

    from zoo.saved import headless

    whole, _, _ = whole_network(candidate, image_shape)
    _, removed = headless(whole)
    if not removed:
        return _none(candidate, "it ends in no classifier")
    outputs = keras.ops.cast(whole.outputs[0], "float32")
    classes = math.prod(outputs.shape[1:])
    outputs = keras.ops.reshape(outputs, (-1, classes))
    match _activation([whole.get_layer(name) for name in removed]), classes:
        case "sigmoid", 1:
            outputs = keras.ops.concatenate([1.0 - outputs, outputs], axis=-1)
        case "sigmoid", _:
            why = f"its {classes} sigmoid outputs are no distribution over classes"
            return _none(
                candidate, why, "If its classes exclude each other, save it with a softmax."
            )
        case _, 1:
            why = "its one output is no distribution over classes"
            return _none(candidate, why, "Save it with a sigmoid if it tells two classes apart.")
        case "linear", _:
            outputs = keras.ops.softmax(outputs, axis=-1)
    return SourceHead(keras.Model(whole.inputs[0], outputs))


def _activation(head: list[Any]) -> str:
    """Return what a classifier's outputs went through last; its layers come last first."""
    import keras

    for layer in head:
        function = getattr(layer, "activation", layer)
        if isinstance(function, keras.layers.Softmax):
            return "softmax"
        name = getattr(function, "__name__", "linear")
        if name != "linear":
            return str(name)
    return "linear"


def _none(candidate: Candidate, why: str, remedy: str = _GIVE_FILE) -> NoSourceHead:
    return NoSourceHead(f"{candidate.name} has no source head: {why}. {remedy}")
