"""Small networks that are really trained, many at a time, and runs with signatures by decree."""

from __future__ import annotations

import numpy as np

from ncselect.graphs.prediction.inputs import signature_signals
from ncselect.graphs.signature import signature
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import Observation, RunRecord

WIDTHS = (64, 24, 10)
IMAGES = 600
BATCH = 60
DEGREE = signature_signals("degree")


def decreed_runs(signatures, accuracy, *, controls=None, dataset="digits", model="net", truth=True):
    """Return finished runs with given signatures.

    Signatures have shape (runs, epochs from 0, 5), accuracies (runs,); controls, where given,
    shape (runs, epochs) and are all three plain signals.
    """
    runs = []
    for number, (rows, final) in enumerate(zip(signatures, accuracy, strict=True)):
        plain = controls[number] if controls is not None else np.full(len(rows), 0.5)
        observations = tuple(
            Observation(
                epoch,
                {
                    **dict(zip(DEGREE, row.tolist(), strict=True)),
                    "validation-accuracy": float(plain[epoch]),
                    "validation-loss": float(plain[epoch]),
                    "training-loss": float(plain[epoch]),
                },
                1.0,
            )
            for epoch, row in enumerate(rows)
        )
        spec = RunSpec(model=model, dataset=dataset, candidate={"number": number, "source": model},
                       data={"classes": 10})  # fmt: skip
        known = {len(rows) - 1: float(final)} if truth else {}
        runs.append(RunRecord(spec, observations, "complete", truth=known))
    return runs


def trained_runs(count=60, *, epochs=12, seed=0, widths=WIDTHS, model="mlp", same_start=False):
    """Train perceptrons on scikit-learn's digits, each with its own learning rate and dropout.

    Plain gradient descent, all networks at once. Signatures are of the rolled graph, whose edges
    are the absolute weights; final accuracy is that on images not seen before.
    """
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(seed)
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(1234).permutation(len(images))
    images, labels = images[order] / 16.0, labels[order]
    train, validation, test = (slice(0, IMAGES), slice(600, 1100), slice(1100, None))
    rates = 10 ** rng.uniform(-4, 0, count)
    dropout = rng.choice(np.arange(10) / 10, count)
    W1 = rng.standard_normal((count, widths[0], widths[1])) * np.sqrt(2 / widths[0])
    W2 = rng.standard_normal((count, widths[1], widths[2])) * np.sqrt(1 / widths[1])
    if same_start:
        W1[:], W2[:] = W1[0], W2[0]
    b1, b2 = np.zeros((count, 1, widths[1])), np.zeros((count, 1, widths[2]))
    targets = np.eye(widths[2])[labels]
    step = rates[:, None, None]

    def probabilities(x):
        hidden = np.maximum(x @ W1 + b1, 0)
        logits = hidden @ W2 + b2
        logits -= logits.max(axis=2, keepdims=True)
        exponentials = np.exp(logits)
        return exponentials / exponentials.sum(axis=2, keepdims=True)

    def accuracy_and_loss(part):
        p = probabilities(images[part])
        right = p.argmax(axis=2) == labels[part]
        loss = -np.log(np.maximum(p[:, np.arange(len(labels[part])), labels[part]], 1e-12))
        return right.mean(axis=1), loss.mean(axis=1)

    def degrees():
        first, second = np.abs(W1), np.abs(W2)
        return np.concatenate(
            [first.sum(axis=2), first.sum(axis=1) + second.sum(axis=2), second.sum(axis=1)], axis=1
        )

    seen = []
    for epoch in range(epochs + 1):
        for _ in range(0, IMAGES if epoch else 0, BATCH):
            chosen = rng.permutation(IMAGES)[:BATCH]
            x, t = images[chosen], targets[chosen]
            kept = rng.random((count, BATCH, widths[1])) >= dropout[:, None, None]
            kept = kept / (1 - dropout[:, None, None])
            before = x @ W1 + b1
            hidden = np.maximum(before, 0) * kept
            logits = hidden @ W2 + b2
            logits -= logits.max(axis=2, keepdims=True)
            p = np.exp(logits)
            p /= p.sum(axis=2, keepdims=True)
            error = (p - t) / BATCH
            back = (error @ W2.transpose(0, 2, 1)) * kept * (before > 0)
            W2 -= step * (hidden.transpose(0, 2, 1) @ error)
            b2 -= step * error.sum(axis=1, keepdims=True)
            W1 -= step * (x.T @ back)
            b1 -= step * back.sum(axis=1, keepdims=True)
        accuracy, loss = accuracy_and_loss(validation)
        _, training_loss = accuracy_and_loss(train)
        seen.append((accuracy, loss, training_loss, [signature(one) for one in degrees()]))
    tested, _ = accuracy_and_loss(test)
    runs = []
    for number in range(count):
        observations = tuple(
            Observation(
                epoch,
                {
                    "validation-accuracy": float(accuracy[number]),
                    "validation-loss": float(loss[number]),
                    "training-loss": float(training_loss[number]),
                    **dict(zip(DEGREE, signatures[number].tolist(), strict=True)),
                },
                1.0,
            )
            for epoch, (accuracy, loss, training_loss, signatures) in enumerate(seen)
        )
        candidate = {
            "rate": float(rates[number]),
            "dropout": float(dropout[number]),
            "source": model,
        }
        spec = RunSpec(model=f"{model}-{number}", dataset="digits", candidate=candidate,
                       data={"classes": 10},
                       seed=seed if same_start else number)  # fmt: skip
        runs.append(
            RunRecord(spec, observations, "complete", truth={epochs: float(tested[number])})
        )
    return runs


def stored(folder, runs):
    """Write runs into a store as a training would; return the folder."""
    for record in runs:
        with RunStore(folder).run(record.spec).writer() as writer:
            for observation in record.observations:
                writer.append(observation, [])
            for epoch, accuracy in record.truth.items():
                writer.keep_truth(epoch, accuracy)
            if record.status == "complete":
                writer.complete(keep_checkpoint=False)
            elif record.status == "failed":
                writer.fail(record.error)
    return folder
