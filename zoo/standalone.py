"""A base with the classifier it was trained with, as a network that stands alone.

Saved as ``.keras`` it loads in Keras's safe mode where this package is not installed: it is made
of Keras's own layers and operations alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.base import build, free_name
from zoo.candidate import Candidate
from zoo.errors import InputError

HEAD = "source_classes"
"""Name of the classifier, a dense layer with softmax, where the base has none of that name."""


def standalone(
    candidate: Candidate,
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    seed: int = 0,
    values: Sequence[NDArray[Any]] | None = None,
) -> Any:
    """Build a candidate's base with a softmax classifier over the classes of its source.

    Parameters
    ----------
    candidate
        Whose base, as :func:`zoo.base.build` makes it.
    image_shape
        Height, width and channels of the images it was, or will be, trained on; 3 channels.
    classes
        Number of classes K of the source dataset.
    seed
        Decides random initial weights.
    values
        What its variables become: those of the base in the order of ``model.variables``, then
        the classifier's kernel (d, K) and bias (K,). What follows, as an optimiser's, is passed
        over. None leaves it untrained.

    Returns
    -------
    keras.Model
        From images (n, height, width, 3), values 0 to 255, resized and preprocessed inside, to
        probabilities (n, K). Height and width are free where the candidate is resized to a size
        of its own, and where its layers also build on images of twice the size; elsewhere they
        are those of ``image_shape``. Batch norms have the momentum of the architecture.

    Raises
    ------
    InputError
        If the candidate cannot be built, or has layers that are not Keras's own.
    WeightsUnavailableError
        If its weights cannot be had.
    ValueError
        If ``values`` are those of another network.
    """
    import keras

    from zoo.saved import grafted

    base = build(candidate, image_shape, seed=seed)
    taken = {part.name for part in base.model.operations}
    head = keras.layers.Dense(classes, activation="softmax", name=free_name(HEAD, taken))
    name = base.model.name
    network = keras.Model(base.model.inputs[0], head(base.model.outputs[0]), name=name)
    if values is not None:
        _assign(network, values)
    network = _with_keras_layers_alone(network, candidate.name)
    images = keras.Input(image_shape, name="images")
    if any(isinstance(layer, keras.Model) for layer in network.layers):
        network = grafted(network, images, images)  # a network inside insists on its size
    if base.facts["resized_to"] is not None or _takes_other_sizes(network, image_shape):
        images = keras.Input((None, None, 3), name="images")
    whole = grafted(network, images, images)
    for operation in whole.operations:
        if not isinstance(operation, keras.layers.Layer):
            # Keras numbers operations anew in each process: what is later put in front of the
            # network or behind it shall find these names free.
            operation.name = f"source_{operation.name}"
    whole.name = name
    return whole


def _assign(network: Any, values: Sequence[NDArray[Any]]) -> None:
    variables = network.variables
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [np.shape(value) for value in values[: len(shapes)]]:
        raise ValueError(f"the values are not those of the {len(shapes)} variables of {network}")
    for variable, value in zip(variables, values, strict=False):
        variable.assign(value)


def _with_keras_layers_alone(network: Any, name: str) -> Any:
    """Return a network with this package's own layers dissolved into the operations they make."""
    import keras

    from zoo.response_normalization import ResponseNormalization

    def plain(layer: Any, *args: Any, **kwargs: Any) -> Any:
        own = isinstance(layer, ResponseNormalization)
        return (layer.call if own else layer)(*args, **kwargs)

    network = keras.models.clone_model(
        network, clone_function=lambda layer: layer, call_function=plain
    )
    for layer in network._flatten_layers():
        home = type(layer).__module__.split(".")[0]
        if home != "keras":
            raise InputError(
                f"{name} has a layer of {home}, {type(layer).__name__}: a saved copy would not "
                "load without it. Give a network of Keras's own layers."
            )
    return network


def _takes_other_sizes(network: Any, image_shape: tuple[int, int, int]) -> bool:
    """Tell whether a network's layers build on images of free size, and of twice the size."""
    import keras

    height, width, channels = image_shape
    try:
        for size in ((None, None), (2 * height, 2 * width)):
            network.call(keras.Input((*size, channels)))
    except ValueError:
        return False
    return True
