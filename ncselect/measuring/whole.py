"""Neural capacitance of every kernel of a small network: the text's full β_eff."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from ncselect.measuring.split import kernels_in_order
from ncselect.numerics import autodiff
from ncselect.numerics.capacitance import Capacitance, beta_eff
from zoo.errors import InputError

TINY = float(np.finfo(np.float32).tiny)  # the least probability that is told from 0


class WholeNetwork:
    """Measures ``all/exact`` of a classifier as it stands; compiled at the first measurement.

    Every kernel, in the order of the network's graph, is a layer; biases and batch norms are no
    nodes. Dropout is off and batch norms run as in inference. All images pass at once.

    Parameters
    ----------
    model
        A built functional or sequential Keras classifier, its output of shape (n, classes).
    images, labels
        What it was trained on or a part of it: its input, and integers of shape (n,).
    probabilities
        Whether its output are probabilities (softmax) rather than logits.
    limit
        Largest number of kernel entries.

    Raises
    ------
    InputError
        If the network has no graph, not one output of shape (n, classes), fewer than four
        kernels (β_eff is then identically 0, paper Appendix B) or too many entries.
    """

    def __init__(
        self,
        model: Any,
        images: NDArray[Any],
        labels: NDArray[Any],
        *,
        probabilities: bool,
        limit: int = 2_000_000,
    ) -> None:
        outputs = getattr(model, "outputs", None)
        if not outputs:
            raise InputError(
                f"model '{model.name}' has no graph of layers; build a sequential or a "
                "functional model"
            )
        if len(outputs) != 1 or len(outputs[0].shape) != 2:
            shapes = ", ".join(str(tuple(output.shape)) for output in outputs)
            raise InputError(
                f"model '{model.name}' has outputs of shapes {shapes}; "
                "give a classifier with one output (batch, classes)"
            )
        kernels = kernels_in_order(outputs[0])
        if len(kernels) < 4:
            raise InputError(
                f"model '{model.name}' has {len(kernels)} layers with a kernel; neural "
                "capacitance is identically 0 with fewer than 4: give a deeper network"
            )
        entries = sum(int(np.prod(kernel.shape)) for kernel in kernels)
        if entries > limit:
            raise InputError(
                f"model '{model.name}' has {entries:,} kernel entries, more than the limit of "
                f"{limit:,}; put a probe unit on top and measure that, or raise limit"
            )
        classes = int(outputs[0].shape[1])
        self._labels = np.asarray(labels).astype(np.int64)
        if self._labels.shape != (len(images),) or not (
            self._labels.min() >= 0 and self._labels.max() < classes
        ):
            raise InputError(
                f"labels has shape {self._labels.shape} for {len(images)} images; "
                f"give one integer from 0 to {classes - 1} for each"
            )
        self._images = ops.convert_to_tensor(images)
        self._variables = tuple(model.variables)
        places = [autodiff.position(self._variables, kernel) for kernel in kernels]
        run = autodiff.pure(lambda x: model(x, training=False), self._variables)

        def loss(groups: Any, values: Any, images: Any, labels: Any) -> Any:
            whole = list(values)
            for (kernel,), place in zip(groups, places, strict=True):
                whole[place] = kernel
            output = run(whole, images)
            if probabilities:  # a softmax that has reached 0 has no gradient to give
                output = ops.log(ops.maximum(output, TINY))
            chosen = ops.one_hot(labels, classes, dtype=output.dtype)
            return -ops.mean(ops.sum(chosen * ops.log_softmax(output), axis=-1))

        def degrees(values: Any, images: Any, labels: Any) -> Any:
            groups = [[values[place]] for place in places]
            return autodiff.degrees(loss, groups, values, images, labels)

        self._degrees = autodiff.compiled(degrees)

    def measure(self) -> Capacitance:
        """Return the neural capacitance, definition ``all/exact``."""
        values = autodiff.values(self._variables)
        sides = self._degrees(values, self._images, self._labels)
        received, sent = ([ops.convert_to_numpy(weight) for (weight,) in side] for side in sides)
        return beta_eff(received, sent)
