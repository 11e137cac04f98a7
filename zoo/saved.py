"""Networks that a user saved: loaded without running their code, flattened, their head removed."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from zoo.candidate import DAMAGE, Candidate, content_digest
from zoo.errors import InputError, WeightsUnavailableError

_CLASSIFYING = ("softmax", "sigmoid", "linear")
_COUNTED_DIGITS = 5  # of the numbers that Keras can have reached by counting names


def save_once(model: Any, folder: Path) -> Path:
    """Save a Keras model under a name that its content decides, and return the path.

    Several threads and processes may save into one folder at once.

    Raises
    ------
    InputError
        If it is no graph of layers or Keras cannot save it.
    """
    check_graph(model, model.name)
    folder.mkdir(parents=True, exist_ok=True)
    # A folder for the draft, for a file of ``tempfile`` would be readable by its owner alone.
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as drafts:
        draft = Path(drafts, "model.keras")
        try:
            model.save(draft, include_optimizer=False)
        except (ValueError, TypeError, NotImplementedError, OSError) as error:
            raise InputError(
                f"model '{model.name}' cannot be saved: {_one_line(error)}. Build it of "
                "serialisable layers, or register its classes with "
                "keras.saving.register_keras_serializable."
            ) from error
        digest = content_digest(draft).removeprefix("sha256:")
        return draft.replace(folder / f"{model.name}-{digest[:16]}.keras").absolute()


def load_file(candidate: Candidate) -> Any:
    """Load a ``.keras`` file that can be ranked.

    Raises
    ------
    WeightsUnavailableError
        If there is no such file, or it is damaged.
    InputError
        If it cannot be loaded safely, or is no Functional or Sequential network.
    """
    model = load_safely(Path(candidate.source), candidate.name)
    check_graph(model, candidate.name)
    _keep_names_free(model)
    return model


def load_safely(path: Path, name: str) -> Any:
    """Load any ``.keras`` file in Keras's safe mode, uncompiled.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.

    Raises
    ------
    WeightsUnavailableError
        If there is no such file, or it is damaged.
    InputError
        If it carries code (a Lambda layer) or classes that are not registered.
    """
    import keras

    if not path.is_file():
        raise WeightsUnavailableError(f"{name}: no file {path}. Correct the path.")
    damage = _damage(path)
    if damage:
        raise WeightsUnavailableError(
            f"{name}: {path} is damaged or no .keras file: {damage}. "
            "Copy it again, or save the network anew with model.save."
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InputError(
            f"{name}: {path} cannot be loaded in safe mode: {_one_line(error)}. "
            "Code from a file is never run: rebuild the network of Keras's own layers, without "
            "Lambda, and save it with model.save."
        ) from error


def check_graph(model: Any, name: str) -> None:
    """Raise InputError unless the model is a graph from one batch of images to one output."""
    if not _is_graph(model):
        raise InputError(
            f"{name} is a {type(model).__name__} without a graph of layers. Rebuild it with "
            "keras.Model(inputs, outputs) or a Sequential that starts with keras.Input."
        )
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (1, 3):
        raise InputError(
            f"{name} takes inputs of shape {shapes}. Give a network with one input of images "
            "(height, width, 3), or 1 channel, which gets grey ones."
        )
    if len(model.outputs) != 1:
        raise InputError(f"{name} has {len(model.outputs)} outputs. Give a network with one.")


def grafted(network: Any, images: Any, pixels: Any) -> Any:
    """Return a copy of a network on top of other tensors, nested models dissolved.

    Parameters
    ----------
    network
        A Functional or Sequential network.
    images
        The symbolic input that the result shall have.
    pixels
        What was computed from ``images`` for the network to see.

    Returns
    -------
    keras.Model
        From ``images`` to the network's output, with its weights; every layer is trainable and
        called once for each call in the network.
    """
    import keras

    def dissolve(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return (layer.call if _is_graph(layer) else layer)(*args, **kwargs)

    def thawed(layer: Any) -> Any:
        return type(layer).from_config(_thawed(layer.get_config()))

    _separate_names(network, taken={step.name for step in keras.Model(images, pixels).operations})
    # Called itself, a network becomes one node; its method ``call`` runs through its layers.
    flat = keras.Model(images, network.call(pixels))
    while any(_is_graph(layer) for layer in flat.layers):
        flat = keras.models.clone_model(
            flat, clone_function=lambda layer: layer, call_function=dissolve
        )
    # The layers now belong to two graphs, and ``layer.output`` to the old one: make new layers.
    fresh = keras.models.clone_model(flat, clone_function=thawed)
    for layer in fresh.layers:
        source = flat.get_layer(layer.name)
        for variable, value in zip(layer.variables, source.variables, strict=True):
            variable.assign(value)
        for part in (layer, *layer._flatten_layers()):
            # Normalization computes with copies of its variables.
            if hasattr(part, "finalize_state"):
                part.finalize_state()
    return fresh


def headless(model: Any) -> tuple[Any, list[str]]:
    """Return the tensor in front of a classifier and the names of the layers behind it.

    A classifier is a last dense layer (or 1 × 1 convolution of a single position) with softmax,
    sigmoid or no activation, its own or a layer of its own; flattening and dropout beside it go
    with it. A network that ends otherwise, as in a dense layer with ReLU, has none.

    Parameters
    ----------
    model
        A Functional network whose layers are called once.

    Returns
    -------
    keras.KerasTensor
        The features.
    list of str
        Removed layers, last first.
    """
    import keras

    layers = keras.layers
    producers: dict[int, Any] = {id(node.output): node for node in model.operations}
    removed = []
    layer: Any = producers.get(id(model.outputs[0]))
    while isinstance(layer, (layers.Softmax, layers.Flatten, layers.Reshape, layers.Dropout)) or (
        isinstance(layer, layers.Activation) and _is_classifying(layer.activation)
    ):
        removed.append(layer)
        layer = producers.get(id(layer.input))
    if not _is_classifier(layer):
        return model.outputs[0], []
    removed.append(layer)
    while isinstance(dropout := producers.get(id(removed[-1].input)), layers.Dropout):
        removed.append(dropout)
    return removed[-1].input, [gone.name for gone in removed]


def _is_classifier(layer: Any) -> bool:
    import keras

    if not isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):
        return False
    single = len(layer.output.shape) == 2 or tuple(layer.output.shape[1:-1]) == (1, 1)
    return single and _is_classifying(layer.activation)


def _is_classifying(activation: Any) -> bool:
    """Say whether an activation, a function or a layer, is one that classifiers end in."""
    import keras

    if isinstance(activation, keras.layers.Softmax):
        return True
    return getattr(activation, "__name__", "") in _CLASSIFYING


def _damage(path: Path) -> str | None:
    """Return what is wrong with an archive's bytes, or None."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (*DAMAGE, OSError) as error:
        return _one_line(error)
    return member and f"{member} is not what was written"


def _thawed(config: Any) -> Any:
    """Return a configuration whose layers are all trainable, those inside wrappers too."""
    if isinstance(config, dict):
        return {
            key: True if key == "trainable" else _thawed(value) for key, value in config.items()
        }
    if isinstance(config, list):
        return [_thawed(value) for value in config]
    return config


def _is_graph(layer: Any) -> bool:
    import keras

    if isinstance(layer, keras.Sequential):
        return bool(layer.built)
    return isinstance(layer, keras.Model) and hasattr(layer, "operations")


def _separate_names(network: Any, taken: set[str]) -> None:
    """Rename what shares a name with another part of a network, or has one of those taken.

    Nested models may use the same names for their layers and operations; a flat graph may not.
    Names of a probe unit's layers are taken, too: where it begins is told by them.
    """
    from zoo.ncp import PREFIX

    seen = set(taken)

    def visit(model: Any, prefix: str) -> None:
        for part in _parts(model):
            while part.name in seen or part.name.startswith(PREFIX):
                part.name = f"{prefix or 'own_'}{part.name}"
            seen.add(part.name)
            if _is_graph(part):
                visit(part, f"{prefix}{part.name}_")

    visit(network, "")


def _keep_names_free(network: Any) -> None:
    """See to it that Keras names nothing from now on like a layer or operation of a network.

    Keras counts the names it gives anew in each process and does not count those that it reads
    from a file: what is then put in front of the network or behind it would be called the same.
    """
    import keras

    for part in _parts(network):
        if _is_graph(part):
            _keep_names_free(part)
        stem, _, number = part.name.rpartition("_")
        if not (stem and number.isdecimal() and len(number) <= _COUNTED_DIGITS):
            stem, number = part.name, "0"
        while keras.backend.get_uid(stem) <= int(number):
            pass  # each call counts one name of this stem


def _parts(model: Any) -> list[Any]:
    """Return the layers of a graph, nested graphs among them, and its plain operations.

    The tensors that it takes are none: what it is put on brings its own.
    """
    import keras

    operations = model.layers if isinstance(model, keras.Sequential) else model.operations
    return [part for part in operations if not isinstance(part, keras.layers.InputLayer)]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
