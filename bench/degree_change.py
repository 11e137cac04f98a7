"""What a change of signatures goes with: the learning rate, or the accuracy that follows.

Spearman's ρ, over the networks of a sweep, of the size of each signature's change since the start
with the learning rate and with the last validation accuracy.

    python -m bench.degree_change STORE --epochs 5
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scipy.stats import spearmanr

from ncselect.store import RunStore


def main() -> None:
    """Print both for every signature of the rolled graph as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    runs = [
        run
        for run in RunStore(given.store, create=False).records()
        if run.status == "complete" and run.epochs >= given.epochs
    ]
    rates = [run.spec.settings.learning_rate for run in runs]
    finals = [run.observations[-1].signals["validation-accuracy"] for run in runs]
    found = {}
    for name in sorted(runs[0].observations[0].signals):
        if name.startswith("graph/rolled/"):
            pairs = [(run.observations[given.epochs], run.observations[0]) for run in runs]
            changes = [abs(late.signals[name] - early.signals[name]) for late, early in pairs]
            found[name] = {
                "learning rate": round(float(spearmanr(changes, rates)[0]), 2),
                "last accuracy": round(float(spearmanr(changes, finals)[0]), 2),
            }
    print(json.dumps({"networks": len(runs), "epochs": given.epochs, "rho": found}))


if __name__ == "__main__":
    main()
