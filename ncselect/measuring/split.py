"""A network with a probe unit, cut where measuring needs it: front, tail, probe.

The front ends below the base's last layer with a kernel, the tail ends in the features, the
probe in the logits. All three run the very layers that are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from zoo.errors import InputError
from zoo.ncp import PREFIX


@dataclass(frozen=True)
class Above:
    """What lies between a base's last layer with a kernel and the features.

    Attributes
    ----------
    part
        That layer's output, then some of the frontier → features.
    layer_input, beside
        Positions in the frontier of the layer's input and of what else ``part`` takes.
    """

    part: Any
    layer_input: int
    beside: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """The parts of a network.

    Attributes
    ----------
    front
        Images → the frontier, a list of tensors (several where connections skip).
    tail
        The frontier → features of shape (n, d).
    kernel
        The last kernel of the tail's first layer: layer 1 of ``base``.
    layer
        The tail's first layer; it holds the kernel.
    above
        The rest of the tail; None if the layer is used more than once.
    probe
        The probe unit's layers, first to last.
    front_variables, tail_variables
        What front and tail read, in a fixed order.
    """

    front: Any
    tail: Any
    kernel: Any
    layer: Any
    above: Above | None
    probe: tuple[Any, ...]
    front_variables: tuple[Any, ...]
    tail_variables: tuple[Any, ...]


class Inference(keras.layers.Layer):
    """Runs a part of a functional network as in inference: no dropout, no augmentation.

    Parameters
    ----------
    inputs, outputs
        Keras tensors of the network; outputs follow from inputs.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        super().__init__(trainable=False, autocast=False)
        self.part = keras.Function(inputs, outputs)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Return the part's outputs; ``training`` reaches its layers through Keras's context."""
        return self.part(inputs)

    def run(self, inputs: Any) -> Any:
        """Return the part's outputs in inference."""
        return self(inputs, training=False)


def split(model: Any) -> Split:
    """Cut a functional network that ends in a probe unit.

    Parameters
    ----------
    model
        Keras functional model, images → logits, its probe unit from ``zoo.ncp.probe_unit``.

    Raises
    ------
    InputError
        If there is no probe unit on top, or no layer with a kernel below it.
    """
    logits = model.outputs[0]
    probe: list[Any] = []
    features = logits
    while (node := _node(features)).operation.name.startswith(PREFIX):
        probe.insert(0, node.operation)
        features = node.input_tensors[0]
    if not probe:
        raise InputError(
            f"model ends in layer '{node.operation.name}', not in a probe unit; "
            "put one on top with zoo.ncp.probe_unit"
        )
    nodes = _ancestors(features)
    last = next((node for node in reversed(nodes) if _kernels(node.operation)), None)
    if last is None:
        raise InputError("model has no layer with a kernel below its probe unit; give a base")
    uses = [node for node in nodes if node.operation is last.operation]
    tail_nodes = _downstream(nodes, uses)
    frontier = _entering(tail_nodes)
    position = {id(tensor): at for at, tensor in enumerate(frontier)}
    above: Above | None = None
    if len(uses) == 1 and len(last.outputs) == 1:
        made = last.outputs[0]
        rest = [node for node in tail_nodes if node is not last]
        others = [tensor for tensor in _entering(rest) if tensor is not made]
        above = Above(
            Inference([made, *others], features),
            position[id(last.input_tensors[0])],
            tuple(position[id(tensor)] for tensor in others),
        )
    return Split(
        front=Inference(model.inputs[0], frontier),
        tail=Inference(frontier, features),
        kernel=_kernels(last.operation)[-1],
        layer=last.operation,
        above=above,
        probe=tuple(probe),
        front_variables=_variables(_ancestors(*frontier)),
        tail_variables=_variables(tail_nodes),
    )


def kernels_in_order(output: Any) -> list[Any]:
    """Return the kernels that an output of a network depends on, each once, inputs first."""
    found = {
        id(kernel): kernel for node in _ancestors(output) for kernel in _kernels(node.operation)
    }
    return list(found.values())


def _downstream(nodes: Sequence[Any], first: Sequence[Any]) -> list[Any]:
    """Return ``first`` and every node that follows from it, of nodes in topological order."""
    made: set[int] = set()
    part: list[Any] = []
    for node in nodes:
        if node in first or any(id(tensor) in made for tensor in node.input_tensors):
            part.append(node)
            made.update(id(tensor) for tensor in node.outputs)
    return part


def _entering(part: Sequence[Any]) -> list[Any]:
    """Return the tensors that a part's nodes read and none of them makes, each once, in order."""
    made = {id(tensor) for node in part for tensor in node.outputs}
    read = {id(tensor): tensor for node in part for tensor in node.input_tensors}
    return [tensor for key, tensor in read.items() if key not in made]


def _node(tensor: Any) -> Any:
    """Return the graph node that makes a Keras tensor."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _ancestors(*tensors: Any) -> list[Any]:
    """Return the nodes that tensors follow from, inputs first, depth first, branches in order."""
    order: list[Any] = []
    visited: set[int] = set()
    stack = [(_node(tensor), False) for tensor in reversed(tensors)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in visited:
            visited.add(id(node))
            stack.append((node, True))
            stack.extend((_node(tensor), False) for tensor in reversed(node.input_tensors))
    return order


def _kernels(operation: Any) -> list[Any]:
    """Return the kernels an operation holds, those of nested layers included, in order."""
    return [
        weight
        for weight in getattr(operation, "weights", [])
        if weight.name.endswith("kernel") and len(weight.shape) > 1
    ]


def _variables(nodes: Sequence[Any]) -> tuple[Any, ...]:
    """Return the variables that the nodes' operations read, each once."""
    found = {
        id(variable): variable
        for node in nodes
        for variable in getattr(node.operation, "variables", [])
    }
    return tuple(found.values())
