"""Graph signatures in anyone's own ``fit``: a Keras callback."""

from __future__ import annotations

from typing import Any

import keras

from ncselect.graphs.names import RECORDED
from ncselect.graphs.recording import GraphRecorder
from zoo.errors import InputError, UnknownNameError


class GraphSignatures(keras.callbacks.Callback):
    """Writes the network's graph signatures into the logs after every epoch.

    Vahedian et al., "Convolutional Neural Network Dynamics: A Graph Perspective" (ICLR 2022
    submission), steps S1 and S2, without checkpoints on disk. Other callbacks and ``History`` see
    them like any metric, as ``graph/rolled/degree/mean`` and so on; nan, with a warning, where the
    weights of an epoch have none.

    Parameters
    ----------
    graphs
        ``rolled`` or ``rolled+unrolled``.

    Attributes
    ----------
    start
        The signatures before training; epoch 0 of a trajectory.

    Raises
    ------
    InputError
        When ``fit`` starts, for a model that has no such graph; the text says why.

    Examples
    --------
    >>> import ncselect
    >>> history = model.fit(x, y, callbacks=[ncselect.GraphSignatures()])  # doctest: +SKIP
    >>> history.history["graph/rolled/degree/mean"]  # doctest: +SKIP
    """

    def __init__(self, graphs: str = "rolled") -> None:
        super().__init__()
        wanted = [name for name, kinds in RECORDED.items() if kinds]
        if graphs not in wanted:
            raise UnknownNameError("graphs", graphs, wanted)
        self._graphs = graphs
        self._followed: Any = None
        self._recorder: GraphRecorder | None = None
        self.start: dict[str, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Follow the model's wiring, or say why it cannot be."""
        if self._recorder is None or self._followed is not self.model:
            recorder = GraphRecorder(self.model, self._graphs)
            for name, reason in recorder.absent.items():
                if name.split("/")[1] in RECORDED[self._graphs]:
                    raise InputError(f"model '{self.model.name}' has no such graph: {reason}")
            self._followed, self._recorder = self.model, recorder
        self.start = self._recorder.measure()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Measure and write the signatures into the logs."""
        if logs is not None and self._recorder is not None:
            logs |= self._recorder.measure()
