"""β_eff of a whole network against that of a probe unit on top of it (paper, figure I.7).

A dozen LeNet-like networks from random weights. Option 1: trained with their own head, β of all
their kernels. Option 2: the last layer replaced by the frozen probe unit, β of the unit and the
kernel below it; and, on the very same network, β of all kernels of base and unit.

    python -m bench.full_network [--fashion-mnist FOLDER] [--seeds 1] > results/full-network.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from bench.spread import resampled_rho, rho, rounded, spread
from ncselect.spec import RunSpec
from ncselect.types import Observation, RunRecord

HORIZON, WATCHED, BUDGETS = 30, 10, (5, 10)
MEASURED_IMAGES = 256
BATCH = 64
SPLITS = {"digits": (900, 300, 597), "fashion-mnist": (2000, 1000, 2000)}
ALL, BASE, BASE_EXACT, NORM = (
    f"beta/{name}/signed" for name in ("all/exact", "base/held", "base/exact", "norm/exact")
)


@dataclass(frozen=True)
class Network:
    """A candidate: LeNet-5 with ReLU, its channels times ``width``, and how fast it learns."""

    width: float
    convolutions: int
    learning_rate: float

    @property
    def name(self) -> str:
        """Return its name."""
        return f"lenet x{self.width:g}, {self.convolutions} conv, rate {self.learning_rate:g}"


NETWORKS = tuple(
    Network(*point) for point in itertools.product((0.5, 1.0, 2.0), (2, 3), (1e-3, 3e-4))
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how the two options agree as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion-mnist", help="folder of its four idx files")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args(arguments)
    sources = {"digits": "digits"}
    if given.fashion_mnist:
        sources["fashion-mnist"] = given.fashion_mnist
    document = {
        "protocol": f"{len(NETWORKS)} networks: {', '.join(one.name for one in NETWORKS)}; "
        f"Adam, batch {BATCH}, {HORIZON} epochs, β after epochs 0…{WATCHED} on {MEASURED_IMAGES} "
        "training images; truth: test accuracy at the last epoch. 95% intervals of ρ resample "
        "the networks; several seeds: each seed apart",
        "images": {name: SPLITS[name] for name in sources},
        "datasets": {
            name: [judged(*trained(name, source, seed)) for seed in range(given.seeds)]
            for name, source in sources.items()
        },
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def trained(name: str, source: str, seed: int) -> tuple[list[RunRecord], list[RunRecord]]:
    """Return the runs with their own head and those below the probe unit."""
    from zoo.datasets import prepare

    train, validation, test = SPLITS[name]
    data = prepare(source, train_size=train, validation_size=validation, test_size=test)
    pools: tuple[list[RunRecord], list[RunRecord]] = ([], [])
    for network in NETWORKS:
        for probed, pool in zip((False, True), pools, strict=True):
            started = time.perf_counter()
            pool.append(run(network, data, name, seed, probed=probed))
            taken = time.perf_counter() - started
            print(f"{name} {network.name} probed={probed}: {taken:.0f} s", file=sys.stderr)
    return pools


def run(network: Network, data, name: str, seed: int, *, probed: bool) -> RunRecord:
    """Train a network and measure it after every epoch that a method may see."""
    import keras

    from ncselect.measuring.whole import WholeNetwork
    from ncselect.signals import Measurement

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    classes = len(data.classes)
    steps = data.count("train") // BATCH
    model = built(network, data.image_shape, classes, seed, steps=steps, probed=probed)
    model.compile(
        optimizer=keras.optimizers.Adam(network.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    arrays = {s: (data.images(s), data.labels(s)) for s in ("train", "validation", "test")}
    chosen = data.stratified("train", MEASURED_IMAGES, seed)
    images, labels = (values[chosen] for values in arrays["train"])
    whole = WholeNetwork(model, images, labels, probabilities=False)
    unit = Measurement(
        model, probe_images=images, probe_labels=labels, validation=tuple, classes=classes
    ) if probed else None  # fmt: skip
    observations = []
    for epoch in range(WATCHED + 1):
        if epoch:
            model.fit(*arrays["train"], batch_size=BATCH, verbose=0)
        signals = {ALL: whole.measure().value} | (unit.on_probe_subset() if unit else {})
        _, accuracy = model.evaluate(*arrays["validation"], batch_size=500, verbose=0)
        signals["validation-accuracy"] = float(accuracy)
        observations.append(Observation(epoch, signals, 0.0))
    model.fit(*arrays["train"], batch_size=BATCH, epochs=HORIZON - WATCHED, verbose=0)
    truth = float(model.evaluate(*arrays["test"], batch_size=500, verbose=0)[1])
    spec = RunSpec(
        model=network.name,
        dataset=name,
        candidate={"network": network.name, "probed": probed},
        data={"counts": {"validation": len(arrays["validation"][0])}},
        seed=seed,
    )
    return RunRecord(spec, tuple(observations), truth={HORIZON: truth})


def built(network: Network, shape, classes: int, seed: int, *, steps: int, probed: bool):
    """Return a model, images → logits, its last layer its own or the probe unit's.

    The unit's batch norms remember an epoch of so many steps, as in every run of the product.
    """
    import keras

    from zoo.ncp import probe_unit

    def width(channels: int) -> int:
        return round(channels * network.width)

    images = x = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(x)
    for channels in (6, 16, 32)[: network.convolutions]:
        x = keras.layers.Conv2D(width(channels), 5, padding="same", activation="relu")(x)
        if x.shape[1] > 2:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for units in (120, 84):
        x = keras.layers.Dense(width(units), activation="relu")(x)
    if probed:
        logits = probe_unit(x, classes, momentum=0.01 ** (1 / steps), seed=seed)
    else:
        logits = keras.layers.Dense(classes)(x)
    return keras.Model(images, logits, name="network")


def judged(own: list[RunRecord], probed: list[RunRecord]) -> dict[str, object]:
    """Return rank agreements of β and of what is predicted from it, with the truths."""
    truths = [np.array([run.truth[HORIZON] for run in pool]) for pool in (own, probed)]
    found: dict[str, object] = {
        "accuracy_own_head": spread(truths[0]),
        "accuracy_probe_unit": spread(truths[1]),
        "rho_of_the_two_truths": resampled_rho(*truths),
        "beta": {
            "all, own head | base/held, probe unit": beta_agreement(own, ALL, probed, BASE),
            "all, base and unit | base/held, same network": beta_agreement(
                probed, ALL, probed, BASE
            ),
            "all, base and unit | base/exact, same network": beta_agreement(
                probed, ALL, probed, BASE_EXACT
            ),
            "all, base and unit | norm/exact, same network": beta_agreement(
                probed, ALL, probed, NORM
            ),
            "all, own head | all, base and unit": beta_agreement(own, ALL, probed, ALL),
        },
    }
    for budget in BUDGETS:
        full, below = predicted(own, ALL, budget), predicted(probed, BASE, budget)
        same = predicted(probed, ALL, budget)
        found[f"predictions, E = {budget}"] = {
            "option 1 | option 2": resampled_rho(full, below),
            "all | base/held, same network": resampled_rho(same, below),
            "option 1 | accuracy with own head": resampled_rho(full, truths[0]),
            "option 2 | accuracy below the unit": resampled_rho(below, truths[1]),
            "option 2 | accuracy with own head": resampled_rho(below, truths[0]),
            "all, base and unit | accuracy below the unit": resampled_rho(same, truths[1]),
            "last value | accuracy with own head": resampled_rho(last(own, budget), truths[0]),
            "last value | accuracy below the unit": resampled_rho(last(probed, budget), truths[1]),
            "mean_absolute_error_points": {
                "option 1": error(full, truths[0]),
                "option 2": error(below, truths[1]),
                "last value, own head": error(last(own, budget), truths[0]),
                "last value, probe unit": error(last(probed, budget), truths[1]),
            },
        }
    return found


def beta_agreement(
    pool: list[RunRecord], signal: str, other_pool: list[RunRecord], other_signal: str
) -> dict[str, object]:
    """Return how two β agree: in rank across networks at each epoch, along epochs, in sign."""
    one, other = (
        np.array([record.curve(name) for record in records])
        for records, name in ((pool, signal), (other_pool, other_signal))
    )
    chosen = np.random.default_rng(0).integers(0, len(one), (1000, len(one)))
    across = {}
    for label, part in (("signed", np.asarray), ("absolute", np.abs)):
        a, b = part(one), part(other)
        draws = np.nanmean(rho(a.T[:, chosen], b.T[:, chosen]), axis=0)
        across[f"rho_across_networks_{label}"] = {
            "mean_over_epochs": rounded(rho(a.T, b.T).mean()),
            "interval_95": [rounded(q) for q in np.nanquantile(draws, [0.025, 0.975])],
            "n": len(a),
        }
    return {
        **across,
        "rho_along_epochs_absolute": spread(
            [rho(np.abs(a), np.abs(b)) for a, b in zip(one, other, strict=True)]
        ),
        "same_sign": rounded(np.mean(np.sign(one) == np.sign(other))),
    }


def predicted(pool: list[RunRecord], signal: str, budget: int) -> np.ndarray:
    """Return each network's predicted accuracy h(0), not clipped."""
    from ncselect.methods import method

    definition = signal.removeprefix("beta/")
    answer = method("capacitance", definition=definition).estimate(
        [record.observed(budget) for record in pool]
    )
    by_model = {one.model: one.score for one in answer.estimates}
    return np.array([by_model[record.spec.model] for record in pool])


def last(pool: list[RunRecord], budget: int) -> np.ndarray:
    """Return the validation accuracy after the last observed epoch."""
    return np.array([record.curve("validation-accuracy")[budget - 1] for record in pool])


def error(predictions: np.ndarray, truth: np.ndarray) -> float | None:
    """Return the mean absolute error in points, predictions clipped to [0, 1]."""
    return rounded(100 * np.abs(np.clip(predictions, 0, 1) - truth).mean())


if __name__ == "__main__":
    sys.exit(main())
