"""Networks for images of 32 px that are trained from scratch, one family a file.

Source of the selection and of the widths: "Convolutional Neural Network Dynamics: A Graph
Perspective" (ICLR 2022 submission), appendix A.1 and Table 5. Every network takes

* ``dropout``, the rate, in [0, 1), of a dropout layer in front of every dense layer, that of the
  classifier included, which is put on top later: the residual networks have no other;
* ``width``, a factor on the channels and units of all layers but input and classifier, each
  rounded half up and at least 1.

Kernels start as He et al. (2015) draw them for rectified units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from zoo.small.alexnet import alexnet
from zoo.small.lenet import lenet
from zoo.small.resnet import cifar_resnet, resnet34, resnet50
from zoo.small.vgg import vgg

NETWORKS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "LeNet5": lenet,
        "AlexNetSmall": alexnet,
        "VGGSmall": vgg,
        "ResNet32": partial(cifar_resnet, blocks=5),
        "ResNet44": partial(cifar_resnet, blocks=7),
        "ResNet34": resnet34,
        "ResNet50Small": resnet50,
    }
)
"""By the name of their card: called with images, ``dropout`` and ``width``."""
