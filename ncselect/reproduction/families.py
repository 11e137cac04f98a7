"""Which family a network belongs to: the marks of figures 3a and F.4, the columns of figure 2."""

from __future__ import annotations

from ncselect.types import RunRecord

FAMILIES = (
    "AlexNet",
    "DenseNet",
    "Inception",
    "MobileNet",
    "ResNet",
    "VGG",
    "Xception",
    "EfficientNet",
    "NASNet",
    "ConvNeXt",
)
OTHER = "others"


def family(run: RunRecord) -> str:
    """Return the family of a run's network; ``others`` if its name tells none.

    InceptionResNetV2 is an Inception, as in the paper.
    """
    source = run.spec.candidate.get("source", "")
    names = (str(source), run.spec.model)
    found = (one for name in names for one in FAMILIES if name.lower().startswith(one.lower()))
    return next(found, OTHER)
