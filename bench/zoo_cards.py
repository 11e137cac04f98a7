"""Whether the zoo's cards are true: every one against a real build by the installed Keras.

Builds all networks headless with random weights at their smallest legal input, in one process
(five minutes, 3 GB), and compares parameters, multiply-adds,
preprocessing and the smallest input itself.
Exit code 1 names what differs.

    python -m bench.zoo_cards
"""

from __future__ import annotations

import math
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> int:
    """Print one line a network and return the exit code."""
    import keras

    from zoo.models import MODELS

    wrong = 0
    for card in MODELS.values():
        differences = compared(card)
        print(f"{card.name:20s} {card.parameters:12,d}  {'; '.join(differences) or 'as stated'}")
        wrong += bool(differences)
        keras.backend.clear_session()
    return int(wrong > 0)


def compared(card):  # type: ignore[no-untyped-def]
    """Return what a real build of the card's network contradicts, as text."""
    import keras
    import numpy as np

    from zoo.models import Candidate, build
    from zoo.preprocessing import preprocessed

    # The weights of dense layers behind convolutions depend on the size.
    size = card.smallest_size if card.application else card.default_size
    candidate = Candidate(card.name, "application", card.name, {}, "random")
    base = build(candidate, (size, size, 3), seed=0)
    images = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype("float32")
    differences = []
    if base.facts["parameters"] != card.parameters:
        differences.append(f"parameters {base.facts['parameters']}")
    if base.facts["resized_to"] is not None:
        differences.append(f"resized from {size}")
    if not np.isfinite(np.asarray(base.model(images, training=False))).all():
        differences.append("features not finite")
    if (counted := multiply_adds(card)) != card.multiply_adds:
        differences.append(f"multiply-adds {counted}")
    if card.application is None:
        return differences
    function = getattr(keras.applications, card.application)
    expected = sys.modules[function.__module__].preprocess_input(images.copy())
    if not np.allclose(np.asarray(preprocessed(images, card.preprocessing)), expected, atol=1e-4):
        differences.append("preprocessing")
    try:
        function(include_top=False, weights=None, input_shape=(size - 1, size - 1, 3))
    except ValueError:
        return differences
    return [*differences, f"takes {size - 1} px too"]


def multiply_adds(card):  # type: ignore[no-untyped-def]
    """Return the multiply-adds of one image's forward pass at the card's default size."""
    import keras

    from zoo.models import Candidate, build

    size = card.default_size
    candidate = Candidate(card.name, "application", card.name, {}, "random")
    model = build(candidate, (size, size, 3), seed=0).model
    return sum(
        math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model._flatten_layers()
        if not isinstance(layer, keras.Model)
        for weight in layer.weights
        if weight.name.endswith("kernel") and len(weight.shape) > 1
    )


if __name__ == "__main__":
    sys.exit(main())
