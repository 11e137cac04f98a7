"""What a user may pass, checked before anything is read or trained."""

from __future__ import annotations

import math
from typing import Any

from ncselect.graphs.names import GRAPHS, RECORDED
from ncselect.sparse.erdos_renyi import check_epsilon
from ncselect.spec import Settings
from ncselect.structure import CRITERIA, GROWTHS, RULES, SCOPES
from zoo.errors import InputError, UnknownNameError

OPTIONS = {
    "optimizer": ("adam", "sgd", "rmsprop"),
    "augmentation": ("none", "flip", "flip-crop"),
    "batch_norm_momentum": ("steps", "keras"),
    "probe_order": ("bn-dense", "dense-bn"),
    "probe_statistics": ("batch", "inference"),
    "probe_head": ("frozen", "trained"),
    "probe_activation": ("relu", "linear"),
    "probe_initializer": ("he_normal", "he_normal_untruncated"),
    "unit": ("probe", "classifier"),
    "graphs": tuple(RECORDED),
}


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_whole(**counts: Any) -> None:
    """Raise for the first argument that is no whole number of at least 1."""
    for name, count in counts.items():
        if not is_whole(count) or count < 1:
            raise InputError(f"{name}: {count!r} came; give a whole number of at least 1")


def check_seed(seed: Any) -> None:
    """Raise unless a seed is one that numpy, Keras and its backends take."""
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise InputError(f"seed: {seed!r} came; give a whole number from 0 to 4294967295")


def check_recorded(method: str, signals: frozenset[str], settings: Settings) -> None:
    """Raise unless runs with these settings record the signals that a method needs."""
    beta = [name for name in signals if name.startswith("beta/")]
    if beta and settings.unit == "classifier":
        raise InputError(
            f"unit: below 'classifier' no β_eff is measured, and method '{method}' needs it; "
            "choose --unit probe or another method"
        )
    recorded = RECORDED[settings.graphs]
    for name in sorted(signals):
        if name.startswith("graph/") and name.split("/")[1] not in recorded:
            raise InputError(
                f"graphs: '{settings.graphs}' records no {GRAPHS[name.split('/')[1]]}, and method "
                f"'{method}' needs it; give graphs='rolled+unrolled' or another method"
            )
    if any(name.endswith("@all") for name in signals) and not settings.measure_whole:
        raise InputError(
            f"measure_whole: method '{method}' needs signals of all training images; give "
            "--measure-whole, or the method's option subset=probe"
        )


def check_sparse(settings: Settings) -> None:
    """Raise unless a sparse network can be trained by these settings, if one is asked for."""
    sparse = settings.sparse
    if sparse is None:
        return
    if sparse.rule not in RULES:
        raise UnknownNameError("rule", sparse.rule, RULES)
    if sparse.growth not in GROWTHS:
        raise UnknownNameError("growth", sparse.growth, GROWTHS)
    check_epsilon(sparse.epsilon)
    if not 0 < sparse.zeta < 1:
        raise InputError(f"zeta: {sparse.zeta!r} came; give the share to drop, in (0, 1)")
    if not is_whole(sparse.end) or sparse.end < (sparse.rule == "rigl"):
        raise InputError(
            f"end: {sparse.end!r} came; give the epoch from which on connections stay, 0 for none; "
            "'rigl' needs one"
        )
    _check_plain("sparse", settings)


def check_pruning(settings: Settings) -> None:
    """Raise unless a network can be pruned by these settings, if that is asked for."""
    pruning = settings.pruning
    if pruning is None:
        return
    check_whole(round_epochs=pruning.epochs)
    if not 0 < pruning.rate < 1:
        raise InputError(f"rate: {pruning.rate!r} came; give the share to cut, in (0, 1)")
    for name, known in (("scope", SCOPES), ("criterion", CRITERIA)):
        if getattr(pruning, name) not in known:
            raise UnknownNameError(name, getattr(pruning, name), known)
    if not is_whole(pruning.rewind_epoch) or not 0 <= pruning.rewind_epoch <= pruning.epochs:
        raise InputError(
            f"rewind_epoch: {pruning.rewind_epoch!r} came; give an epoch of the first round, 0 to "
            f"{pruning.epochs}"
        )
    if not 0 <= pruning.floor < 1:
        raise InputError(f"floor: {pruning.floor!r} came; give an accuracy in [0, 1)")
    _check_plain("pruning", settings)
    others = [name for name in ("patience", "restore_best", "sparse") if getattr(settings, name)]
    for other in others:
        raise InputError(f"pruning: it was asked for together with {other}; leave one of them out")


def _check_plain(name: str, settings: Settings) -> None:
    if settings.unit != "classifier":
        raise InputError(
            f"{name}: the probe unit of '{settings.unit}' has to stay as it is; give "
            "unit='classifier'"
        )


def check_settings(settings: Settings) -> None:
    """Raise for the first setting that cannot be used; the text names it and what it may be."""
    if not isinstance(settings, Settings):
        raise InputError(
            f"settings: {settings!r} came; give ncselect.Settings, such as "
            "ncselect.Settings(batch_size=32)"
        )
    for name, known in OPTIONS.items():
        got = getattr(settings, name)
        if got not in known:
            raise InputError(f"{name}: '{got}' is none of {', '.join(known)}")
    check_whole(batch_size=settings.batch_size, probe_size=settings.probe_size)
    steps = settings.observation_steps
    if not is_whole(steps) or steps < 0:
        raise InputError(
            f"observation_steps: {steps!r} came; give a whole number of training steps, "
            "0 for an observation after each epoch"
        )
    if not is_whole(settings.patience) or settings.patience < 0:
        raise InputError(
            f"patience: {settings.patience!r} came; give a whole number of epochs, 0 to train to "
            "the end"
        )
    if not isinstance(settings.momentum, int | float) or not 0 <= settings.momentum < 1:
        raise InputError(f"momentum: {settings.momentum!r} came; give a number in [0, 1)")
    for name in ("measure_whole", "restore_best"):
        if not isinstance(getattr(settings, name), bool):
            raise InputError(f"{name}: {getattr(settings, name)!r} came; give True or False")
    if not settings.probe_units:
        raise InputError("probe_units: no width came; give one per hidden layer, such as 256, 128")
    for width in settings.probe_units:
        check_whole(probe_units=width)
    check_sparse(settings)
    check_pruning(settings)
    rate = settings.learning_rate
    if not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise InputError(f"learning_rate: {rate!r} came; give a positive number")
    if not 0 <= settings.probe_dropout < 1:
        raise InputError(f"probe_dropout: {settings.probe_dropout} is not in [0, 1)")
