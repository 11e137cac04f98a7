"""LeNet-5 with rectified units and max pooling.

Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proceedings
of the IEEE 86, 1998, section II.B; every map of the second convolution sees all of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def lenet(
    images: Any, *, dropout: float = 0.0, width: float = 1.0, units: Sequence[int] = (120, 84)
) -> Any:
    """Return the headless LeNet-5: 5 × 5 convolutions of 6 and 16, two dense layers.

    Parameters
    ----------
    images
        Symbolic images (n, height, width, 3), at least 16 px a side.
    dropout, width
        See :mod:`zoo.small`.
    units
        Of the dense layers; Table 5's LeNet for 100 classes has (336, 252).

    Returns
    -------
    keras.Model
        From the inputs that ``images`` were computed from to features (n, units[-1]).

    Raises
    ------
    InputError
        If ``dropout`` or ``width`` is out of its range.
    """
    import keras

    from zoo.small.scaled import Scaled

    scaled = Scaled(width, dropout)
    x = images
    for number, channels in enumerate((6, 16), start=1):
        x = scaled.convolution(x, channels, 5, f"conv{number}", activation="relu")
        x = keras.layers.MaxPooling2D(name=f"pool{number}")(x)
    x = scaled.dense(keras.layers.Flatten(name="flatten")(x), units)
    return keras.Model(keras.utils.get_source_inputs(images)[0], x, name="lenet5")
