"""What is known of a candidate on a dataset before it is fine-tuned: the scores, as a table.

Every score is higher for candidates expected to be better. Scores of features or of a source
head's outputs are measured on ``Features``, those of cards are facts of the network alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from ncselect.numerics.transferability import Features
from ncselect.numerics.transferability.gbc import gbc
from ncselect.numerics.transferability.h_score import h_score
from ncselect.numerics.transferability.knn import knn_accuracy
from ncselect.numerics.transferability.leep import leep
from ncselect.numerics.transferability.linear_head import linear_head_accuracy
from ncselect.numerics.transferability.logme import logme
from ncselect.numerics.transferability.n_leep import n_leep
from ncselect.numerics.transferability.nce import negative_conditional_entropy
from ncselect.numerics.transferability.transrate import transrate
from zoo.cards import MODELS
from zoo.errors import InputError, UnknownNameError

__all__ = ["SCORES", "Features", "Score", "card_scores", "measured"]

Needs = Literal["features", "source", "card"]


@dataclass(frozen=True)
class Score:
    """An entry of the table of scores.

    Attributes
    ----------
    summary
        What it is, in a line.
    source
        Where it comes from.
    needs
        ``features`` of the base, its ``source`` head's outputs, or its ``card``.
    measure
        Measures it; None for scores of cards.
    """

    summary: str
    source: str
    needs: Needs
    measure: Callable[[Features], float] | None = None


def _of_features(estimator: Callable[[Any, Any], float]) -> Callable[[Features], float]:
    return lambda seen: estimator(seen.train, seen.train_labels)


def _of_both_splits(estimator: Callable[..., float]) -> Callable[[Features], float]:
    return lambda seen: estimator(
        seen.train, seen.train_labels, seen.validation, seen.validation_labels
    )


def _of_source(estimator: Callable[[Any, Any], float]) -> Callable[[Features], float]:
    return lambda seen: estimator(seen.source, seen.train_labels)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "imagenet-top1": Score(
            "published ImageNet accuracy of the network with Keras's weights",
            "Keras's published table; Kornblith et al., CVPR 2019",
            "card",
        ),
        "parameters": Score(
            "number of weights of the headless network",
            "the network's size: plain control",
            "card",
        ),
        "knn": Score(
            "accuracy of a vote among the nearest training images, frozen features",
            "Cover & Hart 1967; Sorkhei et al. 2025",
            "features",
            _of_both_splits(knn_accuracy),
        ),
        "linear-head": Score(
            "accuracy of logistic regression on frozen features",
            "Kornblith et al., CVPR 2019",
            "features",
            _of_both_splits(linear_head_accuracy),
        ),
        "leep": Score(
            "how well the source head's probabilities predict the classes",
            "LEEP: Nguyen et al., ICML 2020",
            "source",
            _of_source(leep),
        ),
        "nce": Score(
            "how certain the source head's choice makes the classes",
            "NCE: Tran et al., ICCV 2019",
            "source",
            _of_source(negative_conditional_entropy),
        ),
        "n-leep": Score(
            "LEEP with a Gaussian mixture on the features as the source head",
            "N-LEEP: Li et al., CVPR 2021",
            "features",
            _of_features(n_leep),
        ),
        "logme": Score(
            "evidence of a Bayesian linear model from features to classes",
            "LogME: You et al., ICML 2021",
            "features",
            _of_features(logme),
        ),
        "h-score": Score(
            "share of the features' spread that lies between the classes, shrunk",
            "H-score: Bao et al., ICIP 2019; shrinkage: Ibrahim et al., ECML PKDD 2022",
            "features",
            _of_features(h_score),
        ),
        "gbc": Score(
            "overlap of the classes as Gaussians of features, negative",
            "GBC: Pándy et al., CVPR 2022",
            "features",
            _of_features(gbc),
        ),
        "transrate": Score(
            "coding rate of all features less that within the classes",
            "TransRate: Huang et al., ICML 2022",
            "features",
            _of_features(transrate),
        ),
    }
)
"""Name → what it is; the order is that of lists."""


def measured(features: Features, names: Collection[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Measure scores of features and of source heads.

    Parameters
    ----------
    features
        What the candidate's base makes of the dataset.
    names
        Which, of ``SCORES``; those of cards are passed over.

    Returns
    -------
    tuple of dict
        Name → value, and name → why it cannot be had and the remedy.

    Raises
    ------
    UnknownNameError
        If a name is no score.
    """
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for name in names:
        if name not in SCORES:
            raise UnknownNameError("score", name, SCORES)
        score = SCORES[name]
        if score.measure is None:
            continue
        if score.needs == "source" and features.source is None:
            reasons[name] = features.no_source or (
                "no source head's outputs came; choose a score of features, such as n-leep"
            )
            continue
        try:
            value = score.measure(features)
        except InputError as unusable:
            reasons[name] = str(unusable)
            continue
        if math.isfinite(value):
            values[name] = value
        else:
            reasons[name] = (
                f"{name} is {value} for these features; check the candidate's weights and "
                "preprocessing"
            )
    return values, reasons


def card_scores(
    candidate: Mapping[str, Any], facts: Mapping[str, Any] = MappingProxyType({})
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the scores that need no image: ``imagenet-top1`` and ``parameters``.

    Parameters
    ----------
    candidate
        What the candidate is, see ``zoo.candidate.Candidate.identity``.
    facts
        What its run or its build told; ``parameters`` counts where it is there.

    Returns
    -------
    tuple of dict
        Name → value, and name → why it cannot be had and the remedy.
    """
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    card = (
        MODELS.get(str(candidate.get("source"))) if candidate.get("kind") == "application" else None
    )
    unlike = _unlike_the_published(candidate)
    if card is not None and unlike is None and card.top1 is not None:
        values["imagenet-top1"] = card.top1
    else:
        reasons["imagenet-top1"] = unlike or (
            f"no ImageNet accuracy is published for {candidate.get('source')}; "
            "choose a score of features, such as logme"
        )
    counted = facts.get("parameters")
    if counted is None and card is not None and not candidate.get("arguments", {}):
        counted = card.parameters
    if counted is None:
        reasons["parameters"] = (
            "its weights are counted when it is built and its card knows only the default "
            "arguments; run `ncselect rank` on it once with another method"
        )
    else:
        values["parameters"] = float(counted)
    return values, reasons


def _unlike_the_published(candidate: Mapping[str, Any]) -> str | None:
    """Say why the published accuracy is not this candidate's, and the remedy."""
    remedy = "choose a score of features, such as logme"
    if candidate.get("kind") != "application":
        what = candidate.get("kind", "network of another origin")
        return f"it is a {what}, and no ImageNet accuracy is published for it; {remedy}"
    if candidate.get("arguments", {}):
        stated = ", ".join(
            f"{name}={value}" for name, value in candidate.get("arguments", {}).items()
        )
        return (
            f"the accuracy published for {candidate.get('source')} is that of its default "
            f"arguments, not of {stated}; {remedy}"
        )
    if candidate.get("weights") != "imagenet":
        return (
            f"the accuracy published for {candidate.get('source')} is that of Keras's ImageNet "
            f"weights, not of its {_described(str(candidate.get('weights')))}; {remedy}"
        )
    card, preprocessing = MODELS.get(str(candidate.get("source"))), candidate.get("preprocessing")
    if card is not None and preprocessing != card.preprocessing:
        return (
            f"the accuracy published for {card.name} is that of its own preprocessing, "
            f"'{card.preprocessing}', not of '{preprocessing}'; {remedy}"
        )
    return None


def _described(weights: str) -> str:
    return "random weights" if weights == "random" else "own weights file"
