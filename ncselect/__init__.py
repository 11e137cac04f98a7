"""Pick the pre-trained network to fine-tune, after a handful of epochs.

>>> import ncselect
>>> ranking = ncselect.select("small", "digits", weights="random")  # doctest: +SKIP

``select`` is the main job; ``finetune`` trains the best to the end; ``pretrain`` makes a pool of
networks from a dataset of one's own; ``NeuralCapacitance`` is a Keras callback for any model's own
``fit``.
Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ncselect.callback import NeuralCapacitance
    from ncselect.fine_tuned import FineTuned
    from ncselect.finetuning import FineTuningError, finetune
    from ncselect.graphs.callback import GraphSignatures
    from ncselect.pretraining import pretrain
    from ncselect.ranking import Ranking
    from ncselect.selection import select
    from ncselect.source_pool import Pretrained
    from ncselect.spec import Settings
    from ncselect.sweeping import sweep
    from ncselect.swept import Swept
    from zoo.errors import InputError
    from zoo.standalone import class_names

__version__ = "0.1.0"
__all__ = [
    "FineTuned",
    "FineTuningError",
    "GraphSignatures",
    "InputError",
    "NeuralCapacitance",
    "Pretrained",
    "Ranking",
    "Settings",
    "Swept",
    "class_names",
    "finetune",
    "pretrain",
    "select",
    "sweep",
]

_HOMES = {
    "select": "ncselect.selection",
    "finetune": "ncselect.finetuning",
    "FineTuned": "ncselect.fine_tuned",
    "FineTuningError": "ncselect.finetuning",
    "class_names": "zoo.standalone",
    "pretrain": "ncselect.pretraining",
    "Pretrained": "ncselect.source_pool",
    "Ranking": "ncselect.ranking",
    "Settings": "ncselect.spec",
    "NeuralCapacitance": "ncselect.callback",
    "GraphSignatures": "ncselect.graphs.callback",
    "sweep": "ncselect.sweeping",
    "Swept": "ncselect.swept",
    "InputError": "zoo.errors",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ncselect' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
