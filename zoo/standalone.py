"""A base with the classifier it was trained with, as a network that stands alone.

Saved as ``.keras`` it loads in Keras's safe mode where this package is not installed: it is made
of Keras's own layers and operations alone.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.base import build, free_name, resized
from zoo.candidate import DAMAGE, Candidate
from zoo.errors import InputError

HEAD = "source_classes"
"""Name of the classifier, a layer with softmax, where the base has none of that name."""

CLASSES = "classes.json"
"""Member of a saved network's archive: the names of its classes, a JSON list."""


def standalone(
    candidate: Candidate,
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    seed: int = 0,
    head: Callable[[Any], Any] | None = None,
    values: Sequence[NDArray[Any]] | None = None,
    resizes: bool = False,
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
    head
        From features to logits (n, K), as :func:`zoo.ncp.probe_unit`; its frozen layers stay
        frozen. None: one dense layer.
    values
        What its variables become: those of the base in the order of ``model.variables``, then
        the head's, of a dense layer its kernel (d, K) and bias (K,). What follows, as an
        optimiser's, is passed over. None leaves it untrained.
    resizes
        Take images of any size, and bring them to ``image_shape`` first.

    Returns
    -------
    keras.Model
        From images (n, height, width, 3), values 0 to 255, resized and preprocessed inside, to
        probabilities (n, K). Unless it ``resizes``, height and width are free where the candidate
        is resized to a size of its own, and where its layers also build on images of twice the
        size; elsewhere they are those of ``image_shape``. Batch norms of the base have the
        momentum of the architecture.

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
    name = base.model.name
    features = base.model.outputs[0]
    name_of_head = free_name(HEAD, {part.name for part in base.model.operations})
    dense = keras.layers.Dense(classes, activation="softmax", name=name_of_head)
    network = keras.Model(base.model.inputs[0], (head or dense)(features), name=name)
    if values is not None:
        _assign(network, values)
    network = _with_keras_layers_alone(network, candidate.name)
    if head is not None:
        softmax = keras.layers.Softmax(name=name_of_head)
        network = keras.Model(network.inputs[0], softmax(network.outputs[0]))
    frozen = {layer.name for layer in network.layers if not layer.trainable}
    images = keras.Input(image_shape, name="images")
    if any(isinstance(layer, keras.Model) for layer in network.layers):
        network = grafted(network, images, images)  # a network inside insists on its size
    own_size = base.facts["resized_to"] is not None or _takes_other_sizes(network, image_shape)
    if resizes or own_size:
        images = keras.Input((None, None, 3), name="images")
    whole = grafted(network, images, resized(images, image_shape[:2]) if resizes else images)
    for operation in whole.operations:
        if not isinstance(operation, keras.layers.Layer):
            # Keras numbers operations anew in each process: what is later put in front of the
            # network or behind it shall find these names free.
            operation.name = f"source_{operation.name}"
        elif operation.name in frozen:
            operation.trainable = False
    whole.name = name
    return whole


def keep_class_names(file: Path, names: Sequence[str]) -> None:
    """Put the names of its classes into a saved network, which loads as before.

    Parameters
    ----------
    file
        A ``.keras`` file without such names.
    names
        In the order of the outputs.
    """
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(CLASSES, json.dumps(list(names)))


def class_names(file: str | Path) -> tuple[str, ...]:
    """Return the names of a saved network's classes, in the order of its outputs.

    They lie in the file itself, as ``classes.json``: any program that opens zip archives can read
    them. Saved anew by Keras, a network is without them.

    Parameters
    ----------
    file
        A ``.keras`` file that ``ncselect finetune`` or ``ncselect pretrain`` has written.

    Raises
    ------
    InputError
        If there is no such file, or it has no names.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return tuple(json.loads(archive.read(CLASSES)))
    except (OSError, KeyError, *DAMAGE) as error:
        raise InputError(
            f"file: no class names can be read from '{file}' ({error}); give a .keras file that "
            "'ncselect finetune' has written"
        ) from error


def _assign(network: Any, values: Sequence[NDArray[Any]]) -> None:
    variables = network.variables
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [np.shape(value) for value in values[: len(shapes)]]:
        raise ValueError(f"the values are not those of the {len(shapes)} variables of {network}")
    for variable, value in zip(variables, values, strict=False):
        variable.assign(value)


def _with_keras_layers_alone(network: Any, name: str) -> Any:
    """Return a network with this package's own layers replaced by what Keras has for them.

    Those that it has nothing for are dissolved into the operations they make.
    """
    import keras

    from zoo.ncp import PREFIX, as_keras_layer
    from zoo.response_normalization import ResponseNormalization

    taken = {part.name for part in network.operations}

    def plain(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, ResponseNormalization):
            return layer.call(*args, **kwargs)
        if layer.name.startswith(PREFIX):
            own = free_name(f"ncp_{layer.name.removeprefix(PREFIX)}", taken)
            return as_keras_layer(layer, own)(*args, **kwargs)
        return layer(*args, **kwargs)

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
