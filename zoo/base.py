"""A candidate, built: one network from raw pixels to a vector of features."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.application import network_on
from zoo.candidate import Candidate
from zoo.cards import Card, Preprocessing
from zoo.errors import InputError
from zoo.pool import check_arguments
from zoo.preprocessing import preprocessed


@dataclass(frozen=True)
class Base:
    """A headless network that takes images as they are.

    Attributes
    ----------
    model
        ``keras.Model`` from images (n, height, width, 3), values 0 to 255, to float32 features
        (n, d). Resizing, preprocessing, network and pooling lie in one flat graph, but for the
        nested blocks of ConvNeXt.
    facts
        JSON values: ``parameters``; ``features``, d; ``input_size``, what the network sees, and
        ``resized_to``, the same where it differs from the images, else None;
        ``preprocessing``; ``weights``; ``head_removed`` and ``pooling``, names of layers taken
        off and put on.
    """

    model: Any
    facts: Mapping[str, Any]


def build(candidate: Candidate, image_shape: tuple[int, int, int], *, seed: int) -> Base:
    """Build a candidate for images of one shape.

    Sets the seeds of Python, numpy and the backend for the whole process
    (``keras.utils.set_random_seed``), since Keras draws the seeds of initial weights and of
    dropout from there: the same seed gives the same weights on the same backend.

    Parameters
    ----------
    candidate
        What to build.
    image_shape
        Height, width and channels of the images; 3 channels. Images smaller than the network
        can take are resized to what it can.
    seed
        Decides random initial weights and the masks of the network's own dropout layers.

    Returns
    -------
    Base
        The network and what was done to get it.

    Raises
    ------
    InputError
        If the network cannot be built or used so; the text says what to change.
    WeightsUnavailableError
        If its weights cannot be had. Nothing takes their place.
    """
    import keras

    check_image_shape(image_shape)
    keras.utils.set_random_seed(seed)
    if candidate.card is not None:
        return _application(candidate, candidate.card, image_shape)
    return _saved(candidate, image_shape)


def check_image_shape(image_shape: tuple[int, int, int]) -> None:
    """Raise InputError unless images are RGB, channels last, as Keras is configured too."""
    import keras

    if len(image_shape) != 3 or image_shape[2] != 3 or min(image_shape) < 1:
        raise InputError(
            f"image_shape is {image_shape}. Give (height, width, 3): convert grey images to RGB."
        )
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            "Keras is configured for image_data_format 'channels_first'. "
            "Set 'channels_last' in ~/.keras/keras.json."
        )


def whole_network(
    candidate: Candidate, image_shape: tuple[int, int, int]
) -> tuple[Any, tuple[int, ...], Preprocessing]:
    """Build a file's or a preset's network on images of one shape, its head still on.

    Returns
    -------
    keras.Model
        From images (n, height, width, 3), values 0 to 255, to the network's own output.
    tuple of int
        Height and width that the network sees.
    Preprocessing
        What is done to the pixels in front of it.

    Raises
    ------
    InputError
        If the network cannot be used so; the text says what to change.
    WeightsUnavailableError
        If it cannot be had.
    """
    import keras

    from zoo.preset import load_preset
    from zoo.saved import grafted, load_file

    images = keras.Input(image_shape, name="images")
    preset = candidate.kind == "preset"
    network, scaling = load_preset(candidate) if preset else (load_file(candidate), None)
    expected = network.inputs[0]
    sides = zip(expected.shape[1:3], image_shape[:2], strict=True)
    size = tuple(fixed or max(free, candidate.smallest_size or 1) for fixed, free in sides)
    if candidate.smallest_size is not None and None not in expected.shape[1:3]:
        raise InputError(
            f"{candidate.name} states smallest_size {candidate.smallest_size}, and takes images "
            f"of {size[0]} x {size[1]} px alone. Remove smallest_size from the pool file."
        )
    mode = candidate.preprocessing or "included"
    pixels = preprocessed(resized(images, size), mode)
    if scaling is not None:
        pixels = scaling(pixels)
    if expected.shape[3] == 1:
        pixels = keras.ops.image.rgb_to_grayscale(pixels)
    if "int" in expected.dtype:
        pixels = keras.ops.round(pixels)
    if expected.dtype != pixels.dtype:
        pixels = keras.ops.cast(pixels, expected.dtype)
    try:
        return grafted(network, images, pixels), size, mode
    except ValueError as error:
        raise InputError(
            f"{candidate.name} cannot take images of {size[0]} x {size[1]} px: "
            f"{' '.join(str(error).split())[:300]}. State a larger image_size."
        ) from error


def resized(images: Any, size: tuple[int, ...]) -> Any:
    """Return images of another height and width, or the same where they fit already."""
    import keras

    if tuple(images.shape[1:3]) == size:
        return images
    # Not the layer Resizing: called without ``training`` it takes the whole model for training.
    return keras.ops.image.resize(images, size, interpolation="bilinear", antialias=True)


def _application(candidate: Candidate, card: Card, image_shape: tuple[int, int, int]) -> Base:
    import keras

    check_arguments(card, candidate.arguments, candidate.name)
    smallest = candidate.smallest_size or card.smallest_size
    size = tuple(max(side, smallest) for side in image_shape[:2])
    mode = candidate.preprocessing or card.preprocessing
    images = keras.Input(image_shape, name="images")
    pixels = preprocessed(resized(images, size), mode)
    network = network_on(pixels, candidate, card)
    model = keras.Model(network.inputs[0], network.outputs[0], name=_identifier(candidate.name))
    return Base(
        model,
        _facts(
            model,
            image_shape,
            size,
            preprocessing=mode,
            weights=_described_weights(candidate),
            head_removed=[],
            pooling="average" if _pools(model) else None,
        ),
    )


def _saved(candidate: Candidate, image_shape: tuple[int, int, int]) -> Base:
    """Build a file or a preset."""
    import keras

    from zoo.saved import headless

    whole, size, mode = whole_network(candidate, image_shape)
    features, head_removed = headless(whole)
    taken = {part.name for part in whole.operations}
    pooled, pooling = _pooled(features, candidate.name, taken)
    model = keras.Model(whole.inputs[0], pooled, name=_identifier(candidate.name))
    if not model.trainable_variables:
        raise InputError(
            f"{candidate.name} has no weights besides its classifier: nothing to fine-tune. "
            "Give a network with layers of its own."
        )
    return Base(
        model,
        _facts(
            model,
            image_shape,
            size,
            preprocessing=mode,
            weights=_described_weights(candidate),
            head_removed=head_removed,
            pooling=pooling,
        ),
    )


def _pools(model: Any) -> bool:
    """Tell whether feature maps are averaged; small networks end in dense layers instead."""
    import keras

    return any(isinstance(one, keras.layers.GlobalAveragePooling2D) for one in model.layers)


def _pooled(features: Any, name: str, taken: set[str]) -> tuple[Any, str | None]:
    """Return float32 features (n, d) and how maps or tokens were pooled to them.

    Names of the network's own layers are taken: another is given to what is put on.
    """
    import keras

    rank = len(features.shape)
    averages = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}
    if rank in averages:
        layer = averages[rank](name=free_name("pooling", taken), dtype="float32")
        return layer(features), "average"
    if rank == 2:
        return keras.ops.cast(features, "float32"), None
    raise InputError(
        f"{name} ends in a tensor of shape {tuple(features.shape)}. "
        "Give a network that ends in feature maps, tokens or one vector an image."
    )


def free_name(name: str, taken: set[str]) -> str:
    """Return a name, or the first of name_1, name_2, … that is not taken."""
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _identifier(name: str) -> str:
    """Return a name that Keras takes: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _described_weights(candidate: Candidate) -> str:
    if candidate.weights in ("imagenet", "random", "included"):
        return candidate.weights
    return f"file {Path(candidate.weights).name}"


def _facts(
    model: Any,
    image_shape: tuple[int, int, int],
    size: tuple[int, ...],
    *,
    preprocessing: Preprocessing,
    weights: str,
    head_removed: list[str],
    pooling: str | None,
) -> dict[str, Any]:
    return {
        "parameters": int(model.count_params()),
        "features": int(model.outputs[0].shape[-1]),
        "input_size": list(size),
        "resized_to": None if tuple(image_shape[:2]) == tuple(size) else list(size),
        "preprocessing": preprocessing,
        "weights": weights,
        "head_removed": head_removed,
        "pooling": pooling,
    }
