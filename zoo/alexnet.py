"""AlexNet, which ``keras.applications`` lacks: the convolutional features, in one tower.

Source: A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep
convolutional neural networks", NIPS 2012.
"""

from __future__ import annotations

from typing import Any


def alexnet(images: Any) -> Any:
    """Return the headless AlexNet: five convolutions up to the last max pooling.

    The two towers that shared two GPUs are one here, so that no convolution is split into
    groups (3,747,200 parameters instead of 2,334,080). Filters, strides, response normalisation
    and overlapping pooling follow sections 3.3 to 3.5, initial weights section 5. The paper
    states 224 px, its arithmetic needs 227.

    Parameters
    ----------
    images
        Symbolic images (n, height, width, 3), at least 67 px a side.

    Returns
    -------
    keras.Model
        From the inputs that ``images`` were computed from to features (n, h, w, 256); 6 × 6 at
        227 px.
    """
    import keras

    from zoo.response_normalization import ResponseNormalization

    def convolution(filters: int, size: int, name: str, bias: float, **options: Any) -> Any:
        return keras.layers.Conv2D(
            filters,
            size,
            activation="relu",
            # Section 5: "zero-mean Gaussian distribution with standard deviation 0.01",
            # biases one in the second, fourth and fifth convolution, zero elsewhere.
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
            **options,
        )

    x = convolution(96, 11, "conv1", 0.0, strides=4)(images)
    x = ResponseNormalization(name="norm1")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = convolution(256, 5, "conv2", 1.0, padding="same")(x)
    x = ResponseNormalization(name="norm2")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = convolution(384, 3, "conv3", 0.0, padding="same")(x)
    x = convolution(384, 3, "conv4", 1.0, padding="same")(x)
    x = convolution(256, 3, "conv5", 1.0, padding="same")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool5")(x)
    return keras.Model(keras.utils.get_source_inputs(images), x, name="alexnet")
