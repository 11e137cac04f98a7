"""Fine-tune one candidate below a probe unit and observe it after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ncselect.batches import Batches
from ncselect.environment import peak_megabytes
from ncselect.graphs.recording import GraphRecorder
from ncselect.head import KERAS_MOMENTUM, logits
from ncselect.run import RunWriter
from ncselect.signals import Measurement
from ncselect.sparse.connections import Connections, connection_signals
from ncselect.sparse.course import Course, Evolving, PruningRounds, Unchanging
from ncselect.sparse.sparsification import sparsified
from ncselect.spec import RunSpec
from ncselect.types import Observation, best_epoch, has_ended_early
from zoo.datasets import Dataset
from zoo.models import Candidate, build

MEASURED_AT_ONCE = 64  # images per batch of validation and test
BLOW_UP = 1e6  # a loss beyond this is divergence, long before float32 overflows
OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}
Progress = Callable[[int, int, int], None]  # epoch, step, steps


class DivergedError(RuntimeError):
    """Training left the numbers: the loss is not finite, or beyond ``BLOW_UP``."""


def observe(
    spec: RunSpec,
    *,
    candidate: Candidate,
    dataset: Dataset,
    epochs: int,
    horizon: int | None = None,
    writer: RunWriter | None = None,
    progress: Progress | None = None,
) -> Iterator[Observation]:
    """Fine-tune a candidate and yield what is measured after each epoch, epoch 0 first.

    The neural capacitance paper's protocol (section 5, Algorithm 1): the base is fine-tuned
    under a frozen random probe unit with batches of 64 and learning rate 0.001. The order of
    the images in an epoch, dropout and augmentation follow from the seed, so the same spec
    gives the same observations, and so does a run that a writer's checkpoint continues.

    Parameters
    ----------
    spec
        What to run.
    candidate, dataset
        The network and the images that ``spec`` names.
    epochs
        How many epochs to observe, those already in the checkpoint included.
    horizon
        The epoch whose test accuracy is the truth: measured when it is reached, if ever, or when
        the settings end the run before.
    writer
        Where epochs are kept; without one nothing is written.
    progress
        Called with (epoch, step, steps) during an epoch.

    Yields
    ------
    Observation
        One per epoch that was not yet in the checkpoint, until the run ends.

    Raises
    ------
    DivergedError
        If a loss is not finite or blows up; the text names the epoch.
    """
    training = Training(spec, candidate, dataset)
    seen = [] if writer is None else list(writer.observations)
    if writer is not None and (kept := writer.variables()) is not None:
        training.restore(len(seen) - 1, kept)
    for epoch in range(len(seen), epochs + 1):
        if has_ended_early(seen, spec.settings):
            break
        observation = training.epoch(epoch, progress)
        seen.append(observation)
        if writer is not None:
            if epoch == 0:
                writer.add_facts({**training.facts, "absent_signals": training.absent_signals})
            if training.is_kept(epoch):
                writer.keep_connections(epoch, training.connections())
            if spec.settings.restore_best and best_epoch(seen) == epoch:
                writer.keep_best(epoch, training.weights())
            writer.append(observation, training.variables())
            if spec.settings.pruning is not None and spec.settings.pruning.ends_at(epoch):
                writer.keep_truth(epoch, training.test_accuracy())
        yield observation
    if writer is not None and writer.has_ended(horizon, spec.settings):
        last = writer.epochs - 1
        training.finish()
        if connections := training.connections():
            writer.keep_connections(last, connections)
        writer.add_facts(training.facts_at_end)
        writer.keep_truth(last, training.test_accuracy())
        if spec.settings.restore_best:
            best = best_epoch(seen)
            training.restore_weights(writer.best_variables())
            writer.keep_truth(best, training.test_accuracy())


class Training:
    """A candidate under its probe unit, with optimiser, data and measurement.

    Attributes
    ----------
    model
        uint8 images (n, h, w, 3) → logits (n, classes).
    facts
        What happened when it was built, JSON values.
    """

    def __init__(self, spec: RunSpec, candidate: Candidate, dataset: Dataset) -> None:
        settings = spec.settings
        self._spec, self._dataset = spec, dataset
        self._batch = min(settings.batch_size, dataset.count("train"))
        self._steps = dataset.count("train") // self._batch
        self._observed_steps = settings.observation_steps or self._steps
        adapted = settings.batch_norm_momentum == "steps"
        momentum = 0.01 ** (1 / self._steps) if adapted else KERAS_MOMENTUM

        keras.utils.set_random_seed(spec.seed)
        base = build(candidate, dataset.image_shape, seed=spec.seed)
        if adapted:
            for layer in base.model._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.momentum = min(layer.momentum, momentum)
        head = logits(
            base.model.output, len(dataset.classes), settings, seed=spec.seed, momentum=momentum
        )
        self.model = keras.Model(base.model.inputs, head, name=f"{base.model.name}_probed")
        if settings.sparse is not None:
            self.model = sparsified(self.model, seed=spec.seed, epsilon=settings.sparse.epsilon)
        momentum_of = {"momentum": settings.momentum} if settings.optimizer == "sgd" else {}
        self.model.compile(
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate, **momentum_of),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.model.optimizer.build(self.model.trainable_variables)
        positions = dataset.stratified("train", settings.probe_size, spec.seed)
        probed = dataset.images("train", positions), dataset.labels("train")[positions]
        self._course = _course(self.model, spec, probed)
        self._measurement = Measurement(
            self.model,
            probe_images=probed[0],
            probe_labels=probed[1],
            validation=lambda: self._batches("validation"),
            classes=len(dataset.classes),
            whole=(lambda: self._batches("train")) if settings.measure_whole else None,
            capacitance=settings.unit == "probe",
        )
        self._graphs = GraphRecorder(self.model, settings.graphs)
        self._numeric_libraries = ThreadpoolController()
        self.facts: dict[str, Any] = {
            **base.facts,
            "steps_per_epoch": self._steps,
            "steps_per_observation": self._observed_steps,
            "probe_batch_norm_momentum": momentum,
            "probe_images": len(positions),
            "trace_seconds": self._trace(),
        }

    def epoch(self, epoch: int, progress: Progress | None = None) -> Observation:
        """Train one epoch (none for epoch 0), or as many steps as count for one, and measure.

        Raises
        ------
        DivergedError
            If a loss is not finite or blows up.
        """
        started = time.perf_counter()
        if epoch > 0:
            self._course.before(epoch)
            self._fit(epoch, progress)
        self._course.after(epoch)
        trained = time.perf_counter()
        # NumPy's products are small here: a second thread would mostly wait, at full speed.
        with self._numeric_libraries.limit(limits=1, user_api="blas"):
            signals = self._measurement.on_training()
            seen = time.perf_counter()
            signals |= self._measurement.on_validation()
            for name in ("training-loss", "validation-loss"):
                _check(signals[name], name, epoch)
            signals |= self._graphs.measure()
            if connections := self._course.connections():
                signals |= connection_signals(connections)
        return Observation(
            epoch=epoch,
            signals=signals,
            seconds=trained - started if epoch > 0 else 0.0,
            measuring_seconds=time.perf_counter() - trained,
            beta_seconds=seen - trained,
        )

    def test_accuracy(self) -> float:
        """Return the accuracy on the test split: the truth, which no method sees."""
        return self._measurement.evaluate(self._batches("test"))[1]

    @property
    def absent_signals(self) -> dict[str, str]:
        """Signal → why this network cannot have it; known after the first measurement."""
        return {**self._measurement.absent, **self._graphs.absent}

    def is_kept(self, epoch: int) -> bool:
        """Tell whether the connections after an epoch are kept."""
        return self._course.is_kept(epoch)

    def connections(self) -> list[Connections]:
        """Return the connections of a sparse or pruned network, none of another."""
        return self._course.connections()

    def finish(self) -> None:
        """Do what a sparse network's rule does after the last epoch."""
        self._course.finish()

    @property
    def facts_at_end(self) -> dict[str, Any]:
        """What the trained network is, JSON values: ``trained_parameters`` and their like.

        Those that exist: weights whose connection does not are not counted.
        """
        whole = sum(int(np.prod(one.shape)) for one in self.model.trainable_variables)
        connections = self.connections()
        absent = sum(one.mask.size - one.count for one in connections)
        return {
            "trained_parameters": whole - absent,
            "trained_connections": sum(one.count for one in connections) or None,
            "peak_megabytes": peak_megabytes(),
        }

    def variables(self) -> list[NDArray[Any]]:
        """Return all model and optimiser variables by index, seed generators included.

        What is needed to go on with a pruned network follows them.
        """
        values = [np.asarray(variable.value) for variable in self._variables()]
        return [*values, *self._course.state()]

    def weights(self) -> list[NDArray[Any]]:
        """Return the model's own variables by index: all that is needed to use it."""
        return [np.asarray(variable.value) for variable in self.model.variables]

    def restore_weights(self, values: list[NDArray[Any]]) -> None:
        """Set the model's own variables by index, to use it as it was; pass over what follows.

        Raises
        ------
        ValueError
            If there are too few: the values belong to another network.
        """
        if len(values) < len(self.model.variables):
            raise ValueError(f"{len(values)} values for {len(self.model.variables)} variables")
        for variable, value in zip(self.model.variables, values, strict=False):
            variable.assign(value)

    def restore(self, epoch: int, values: list[NDArray[Any]]) -> None:
        """Go on after an epoch: set all variables by index.

        Raises
        ------
        ValueError
            If their number differs: the values belong to another network.
        """
        variables = self._variables()
        beyond = values[len(variables) :]
        if len(values) < len(variables) or (beyond and not self._course.state()):
            raise ValueError(f"{len(values)} values for {len(variables)} variables")
        self._course.restore(epoch, beyond)
        for variable, value in zip(variables, values, strict=False):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def _batches(self, split: str) -> Iterator[tuple[NDArray[np.uint8], NDArray[Any]]]:
        batches = Batches(self._dataset, split, MEASURED_AT_ONCE)
        return (batches[index] for index in range(len(batches)))

    def _fit(self, epoch: int, progress: Progress | None) -> None:
        batches = Batches(
            self._dataset,
            "train",
            self._batch,
            order=self._order(epoch),
            augmentation=self._spec.settings.augmentation,
            seeds=lambda index: self._augmentation_seeds(epoch, index),
        )
        callbacks = [_Report(epoch, self._observed_steps, progress)] if progress else []
        history = self.model.fit(
            batches,
            initial_epoch=epoch - 1,
            epochs=epoch,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        _check(history.history["loss"][-1], "loss of the training steps", epoch)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the positions of the images of an epoch, or of the steps that count for one.

        The images pass in the same order however often they are observed on the way.
        """
        first, last = ((epoch - 1) * self._observed_steps, epoch * self._observed_steps)
        parts = []
        for turn in range(first // self._steps, -(-last // self._steps)):
            order = np.random.default_rng([self._spec.seed, turn + 1]).permutation(
                self._dataset.count("train")
            )
            start = max(first - turn * self._steps, 0)
            stop = min(last - turn * self._steps, self._steps)
            parts.append(order[start * self._batch : stop * self._batch])
        return np.concatenate(parts)

    def _augmentation_seeds(self, epoch: int, index: int) -> tuple[int, int, int]:
        """Return the seeds of a step's augmentation: of its pass through the images, its place."""
        turn, place = divmod((epoch - 1) * self._observed_steps + index, self._steps)
        return self._spec.seed, turn + 1, place

    def _trace(self) -> float:
        """Compile the training step and put every variable back; return the seconds it took."""
        started = time.perf_counter()
        variables = self._variables()
        before = [np.asarray(variable.value) for variable in variables]
        batches = Batches(self._dataset, "train", self._batch, order=np.arange(self._batch))
        self.model.fit(batches, shuffle=False, verbose=0)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        return time.perf_counter() - started


def _course(model: Any, spec: RunSpec, images: tuple[NDArray[Any], NDArray[Any]]) -> Course:
    """Return what becomes of a compiled model's connections."""
    if spec.settings.sparse is not None:
        return Evolving(
            model,
            spec.settings.sparse,
            spec.seed,
            images=images[0],
            labels=images[1],
            batch_size=spec.settings.batch_size,
        )
    if spec.settings.pruning is not None:
        return PruningRounds(model, spec.settings.pruning, spec.seed)
    return Unchanging()


class _Report(keras.callbacks.Callback):
    """Tell how far an epoch has come, at most once a second."""

    def __init__(self, epoch: int, steps: int, progress: Progress) -> None:
        super().__init__()
        self._epoch, self._steps, self._progress = epoch, steps, progress
        self._told = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Report the finished step."""
        if time.monotonic() - self._told > 1:
            self._told = time.monotonic()
            self._progress(self._epoch, batch + 1, self._steps)


def _check(loss: float, name: str, epoch: int) -> None:
    if not math.isfinite(loss) or loss > BLOW_UP:
        raise DivergedError(
            f"diverged at epoch {epoch}: {name} is {loss:.3g}; a smaller learning rate may help"
        )
