"""How far an accuracy measured on finitely many images may be off by chance."""

from __future__ import annotations


def sampling_variance(accuracy: float, images: int) -> float:
    """Return the binomial variance p(1 − p)/n of an accuracy measured on n images.

    p is the rule of succession (n·accuracy + 1)/(n + 2) rather than the accuracy itself, so that
    no number of images makes an accuracy of exactly 0 or 1 certain.

    Parameters
    ----------
    accuracy
        Share of the images classified correctly, in [0, 1].
    images
        Number of images, at least 1.

    Returns
    -------
    float
        Variance, in squared units of accuracy; always positive.

    References
    ----------
    Laplace, Essai philosophique sur les probabilités (1814), the rule of succession.

    Examples
    --------
    >>> round(sampling_variance(0.5, 98), 6)
    0.002551
    """
    succeeding = (images * accuracy + 1) / (images + 2)
    return succeeding * (1 - succeeding) / images
