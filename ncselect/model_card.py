"""What a person should know of a fine-tuned network before using it, as Markdown."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from ncselect.pretrained import PretrainedNetwork, facts_file
from ncselect.spec import Settings
from zoo.standalone import CLASSES

_MANY = 50  # classes beyond which the card names the first ones only
_SPLITS = {"train": "to train", "validation": "to validate", "test": "to test"}
_HEADS = {
    "probe": "the frozen random probe unit below which it was ranked, kept in the file",
    "classifier": "one dense layer with softmax, trained together with the network",
}


def model_card(network: PretrainedNetwork) -> str:
    """Return the card of a network: use, accuracy, data, training, the ranking it came from.

    Every fact in it is in the JSON beside the network, too.

    Parameters
    ----------
    network
        Saved; with ``ranking`` as ``ncselect.finetuning`` gives it.
    """
    sections = [_use(network), _accuracy(network), _data(network), _training(network)]
    sections += [_ranking(network.ranking)] if network.ranking else []
    heading = f"# {_plain(network.file.name)}\n\n{_plain(network.spec.model)}, fine-tuned on "
    heading += f"{_plain(network.spec.dataset)} ({len(network.classes)} classes)."
    facts = f"All of this as JSON: `{facts_file(network.file).name}`."
    return "\n\n".join([heading, *sections, facts]) + "\n"


def _use(network: PretrainedNetwork) -> str:
    name = json.dumps(network.file.name)
    height, width, _ = network.spec.data["image_shape"]
    return (
        "## Use\n\n```python\nimport json, zipfile\n\nimport keras\n\n"
        f"model = keras.models.load_model({name})\n"
        "probabilities = model.predict(images)  # uint8, shape (n, height, width, 3)\n"
        f'classes = json.loads(zipfile.ZipFile({name}).read("{CLASSES}"))\n```\n\n'
        f"It takes RGB images of any size, values 0 to 255, and resizes them to {height} × {width} "
        "px, the size it was trained on, without keeping their aspect; all preprocessing is "
        "inside. It gives a probability for each class, in the order of `classes`."
    )


def _accuracy(network: PretrainedNetwork) -> str:
    low, high = network.test_interval
    return (
        f"## Accuracy\n\nTest accuracy {network.test_accuracy:.4f}, 95% interval {low:.4f} to "
        f"{high:.4f} (Wilson, {network.test_images:,} images that neither training nor the choice "
        f"of the epoch saw). Validation accuracy {network.validation_accuracy:.4f}.\n\n"
        "The interval says how far other images of the same origin would move the figure. Images "
        "of another origin may be recognised worse, and probabilities were not calibrated."
    )


def _data(network: PretrainedNetwork) -> str:
    data = network.spec.data
    counts = ", ".join(f"{data['counts'][name]:,} {use}" for name, use in _SPLITS.items())
    named = [_plain(name) for name in network.classes[:_MANY]]
    named += [f"… {len(network.classes) - _MANY} more"] if len(network.classes) > _MANY else []
    rows = {
        "dataset": network.spec.dataset,
        "images": counts,
        "classes": ", ".join(named),
        "pixels and labels (SHA-256)": data.get("fingerprint", "–"),
    }
    return _table("Data", rows | ({"notes": " ".join(network.notes)} if network.notes else {}))


def _training(network: PretrainedNetwork) -> str:
    spec = network.spec
    settings = spec.settings.deciding
    told: dict[str, Any] = {
        "network": f"{spec.model}, {network.parameters:,} parameters, {network.weights} weights",
        "head": _HEADS[settings.unit],
        "epochs": network.epochs,
        "weights of epoch": network.best_epoch or network.epochs,
        "ended by early stopping": "yes" if network.has_stopped else "no",
        "seed": spec.seed,
    }
    told |= {
        name.replace("_", " "): value
        for name, value in dataclasses.asdict(settings).items()
        if value is not None and not _is_idle(name, settings)
    }
    told |= spec.environment
    return _table("Training", told)


def _is_idle(name: str, settings: Settings) -> bool:
    """Tell whether a setting decides nothing here, or only what was recorded."""
    if name in ("unit", "graphs", "measure_whole", "probe_size"):
        return True
    if name.startswith("probe_") and name != "probe_initializer":
        return settings.unit != "probe"
    return name == "momentum" and settings.optimizer != "sgd"


def _ranking(ranking: Any) -> str:
    predicted = _figure(ranking["accuracy"])
    if ranking["sd"] is not None:
        predicted += f" ± {_figure(ranking['sd'])}"
    return _table(
        "Ranking it came from",
        {
            "ranking": f"{ranking['name']}, {ranking['made']}",
            "place": f"{ranking['rank'] or '–'} of {ranking['candidates']} candidates",
            "method": f"{ranking['method']}, after {ranking['epochs'] or 0} epochs",
            f"predicted accuracy at epoch {ranking['horizon']}": predicted,
            "P(best)": _figure(ranking["p_best"]),
            "command": ranking["command"] or "–",
        },
    )


def _figure(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _table(heading: str, rows: dict[str, Any]) -> str:
    lines = [f"| {_plain(name)} | {_plain(value)} |" for name, value in rows.items()]
    return f"## {heading}\n\n| | |\n|---|---|\n" + "\n".join(lines)


def _plain(value: Any) -> str:
    """Return text that Markdown shows as it is, on one line."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return "".join(f"\\{sign}" if sign in r"\`*|<>[]" else sign for sign in text)
