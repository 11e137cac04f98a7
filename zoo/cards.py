"""The facts about every network the zoo knows, as data: reading them needs no Keras.

Accuracies and depths are Keras's published table (https://keras.io/api/applications); what it
lacks is ``None``. Parameters, sizes and preprocessing are those of the installed
``keras.applications`` (3.15), counted on the headless base; ``bench/zoo_cards.py`` verifies
every row against a real build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Preprocessing = Literal["tf", "torch", "caffe", "included"]

PREPROCESSINGS: tuple[Preprocessing, ...] = ("tf", "torch", "caffe", "included")


@dataclass(frozen=True)
class Card:
    """What is known about a network before it is built.

    Attributes
    ----------
    name
        The Keras class name; look-ups ignore case.
    parameters
        Weights of the headless base at its default arguments, moving statistics included; at its
        default size, where dense layers behind the convolutions make it depend on that.
    multiply_adds
        Of one image's forward pass at the default size, in layers with kernels.
    depth
        Layers with weights and the like as Keras counts them, or None.
    top1, top5
        ImageNet validation accuracy in [0, 1] as Keras publishes it, or None.
    default_size, smallest_size
        Pixels a side: what it was designed for, and the least it can be built for.
    preprocessing
        ``tf``: x/127.5 − 1; ``torch``: x/255, minus mean, over standard deviation;
        ``caffe``: BGR minus mean; ``included``: the network's own layers do it.
    arguments
        Names of the arguments that change the headless base.
    application
        Attribute of ``keras.applications``, or None for a network that is built here.
    """

    name: str
    parameters: int
    multiply_adds: int
    depth: int | None
    top1: float | None
    top5: float | None
    default_size: int
    smallest_size: int
    preprocessing: Preprocessing
    arguments: tuple[str, ...] = ()
    application: str | None = None

    @property
    def megabytes(self) -> float:
        """Size of the headless base as float32, in 2^20 bytes."""
        return megabytes(self.parameters)


def megabytes(parameters: int) -> float:
    """Return the size of so many weights as float32, in 2^20 bytes."""
    return parameters * 4 / 2**20


def _application(
    name: str,
    parameters: int,
    multiply_adds: int,
    published: tuple[int | None, float | None, float | None],
    default_size: int,
    preprocessing: Preprocessing,
    *,
    smallest_size: int = 32,
    arguments: tuple[str, ...] = (),
) -> Card:
    """Return the card of a network of ``keras.applications``; published: depth, top-1, top-5."""
    depth, top1, top5 = published
    return Card(
        name=name,
        parameters=parameters,
        multiply_adds=multiply_adds,
        depth=depth,
        top1=top1,
        top5=top5,
        default_size=default_size,
        smallest_size=smallest_size,
        preprocessing=preprocessing,
        arguments=arguments,
        application=name,
    )


def _scratch(name: str, parameters: int, multiply_adds: int, smallest_size: int) -> Card:
    """Return the card of a network of :mod:`zoo.small`, which starts from random weights."""
    return Card(
        name=name,
        parameters=parameters,
        multiply_adds=multiply_adds,
        depth=None,
        top1=None,
        top5=None,
        default_size=32,
        smallest_size=smallest_size,
        preprocessing="tf",
        arguments=("dropout", "width"),
    )


_V1 = ("alpha", "depth_multiplier")
_V3 = ("alpha", "minimalistic")

# name, parameters (headless), (depth, top-1, top-5), default size, preprocessing
_CARDS: tuple[Card, ...] = (
    Card(
        name="AlexNet",
        parameters=3_747_200,
        multiply_adds=1_076_634_144,
        depth=None,
        top1=None,
        top5=None,
        default_size=227,
        smallest_size=67,
        preprocessing="caffe",
    ),
    _application("ConvNeXtBase", 87_566_464, 15_353_705_472, (None, 0.853, None), 224, "included"),
    _application(
        "ConvNeXtLarge", 196_230_336, 34_359_897_600, (None, 0.863, None), 224, "included"
    ),
    _application("ConvNeXtSmall", 49_454_688, 8_682_944_256, (None, 0.823, None), 224, "included"),
    _application("ConvNeXtTiny", 27_820_128, 4_454_763_264, (None, 0.813, None), 224, "included"),
    _application(
        "ConvNeXtXLarge", 348_147_968, 60_918_982_656, (None, 0.867, None), 224, "included"
    ),
    _application("DenseNet121", 7_037_504, 2_833_137_664, (242, 0.750, 0.923), 224, "torch"),
    _application("DenseNet169", 12_642_880, 3_358_179_328, (338, 0.762, 0.932), 224, "torch"),
    _application("DenseNet201", 18_321_984, 4_289_445_888, (402, 0.773, 0.936), 224, "torch"),
    _application("EfficientNetB0", 4_049_571, 384_534_752, (132, 0.771, 0.933), 224, "included"),
    _application("EfficientNetB1", 6_575_239, 685_522_832, (186, 0.791, 0.944), 240, "included"),
    _application("EfficientNetB2", 7_768_569, 992_153_872, (186, 0.801, 0.949), 260, "included"),
    _application("EfficientNetB3", 10_783_535, 1_825_605_392, (210, 0.816, 0.957), 300, "included"),
    _application("EfficientNetB4", 17_673_823, 4_391_979_024, (258, 0.829, 0.964), 380, "included"),
    _application(
        "EfficientNetB5", 28_513_527, 10_264_336_752, (312, 0.836, 0.967), 456, "included"
    ),
    _application(
        "EfficientNetB6", 40_960_143, 19_065_289_536, (360, 0.840, 0.968), 528, "included"
    ),
    _application(
        "EfficientNetB7", 64_097_687, 37_743_324_192, (438, 0.843, 0.970), 600, "included"
    ),
    _application("EfficientNetV2B0", 5_919_312, 716_806_176, (None, 0.787, 0.943), 224, "included"),
    _application(
        "EfficientNetV2B1", 6_931_124, 1_195_539_360, (None, 0.798, 0.950), 240, "included"
    ),
    _application(
        "EfficientNetV2B2", 8_769_374, 1_696_134_832, (None, 0.805, 0.951), 260, "included"
    ),
    _application(
        "EfficientNetV2B3", 12_930_622, 3_009_922_816, (None, 0.820, 0.958), 300, "included"
    ),
    _application(
        "EfficientNetV2L", 117_746_848, 56_078_419_008, (None, 0.857, 0.975), 480, "included"
    ),
    _application(
        "EfficientNetV2M", 53_150_388, 24_581_180_384, (None, 0.853, 0.974), 480, "included"
    ),
    _application(
        "EfficientNetV2S", 20_331_360, 8_364_337_152, (None, 0.839, 0.967), 384, "included"
    ),
    _application(
        "InceptionResNetV2",
        54_336_736,
        13_154_258_016,
        (449, 0.803, 0.953),
        299,
        "tf",
        smallest_size=75,
    ),
    _application(
        "InceptionV3", 21_802_784, 5_711_168_096, (189, 0.779, 0.937), 299, "tf", smallest_size=75
    ),
    _application("MobileNet", 3_228_864, 567_716_352, (55, 0.704, 0.895), 224, "tf", arguments=_V1),
    _application(
        "MobileNetV2", 2_257_984, 299_494_272, (105, 0.713, 0.901), 224, "tf", arguments=("alpha",)
    ),
    _application(
        "MobileNetV3Large",
        2_996_352,
        214_080_960,
        (None, None, None),
        224,
        "included",
        arguments=_V3,
    ),
    _application(
        "MobileNetV3Small", 939_120, 54_896_576, (None, None, None), 224, "included", arguments=_V3
    ),
    _application("NASNetLarge", 84_916_818, 23_779_382_658, (533, 0.825, 0.960), 331, "tf"),
    _application("NASNetMobile", 4_269_716, 562_582_816, (389, 0.744, 0.919), 224, "tf"),
    _application("ResNet101", 42_658_176, 7_568_146_432, (209, 0.764, 0.928), 224, "caffe"),
    _application("ResNet101V2", 42_626_560, 7_192_428_544, (205, 0.772, 0.938), 224, "tf"),
    _application("ResNet152", 58_370_944, 11_280_367_616, (311, 0.766, 0.931), 224, "caffe"),
    _application("ResNet152V2", 58_331_648, 10_904_649_728, (307, 0.780, 0.942), 224, "tf"),
    _application("ResNet50", 23_587_712, 3_855_925_248, (107, 0.749, 0.921), 224, "caffe"),
    _application("ResNet50V2", 23_564_800, 3_480_207_360, (103, 0.760, 0.930), 224, "tf"),
    _application("VGG16", 14_714_688, 15_346_630_656, (16, 0.713, 0.901), 224, "caffe"),
    _application("VGG19", 20_024_384, 19_508_428_800, (19, 0.713, 0.900), 224, "caffe"),
    _application(
        "Xception", 20_861_480, 8_355_355_496, (81, 0.790, 0.945), 299, "tf", smallest_size=71
    ),
)

# name, parameters (headless, at 32 px), multiply-adds, smallest size
_SCRATCH: tuple[Card, ...] = (
    _scratch("LeNet5", 61_156, 650_880, 16),
    _scratch("AlexNetSmall", 6_611_584, 64_033_568, 15),
    _scratch("VGGSmall", 2_436_352, 134_037_504, 16),
    _scratch("ResNet32", 465_776, 68_861_952, 4),
    _scratch("ResNet44", 661_104, 97_173_504, 4),
    _scratch("ResNet34", 21_294_016, 1_159_397_376, 8),
    _scratch("ResNet50Small", 23_553_472, 1_297_809_408, 8),
    _scratch("MLP300", 337_600, 337_200, 1),
    _scratch("MLP1000", 3_027_000, 3_024_000, 1),
    _scratch("MLP4000", 20_297_000, 20_288_000, 1),
    _scratch("ConvNet", 287_008, 38_633_472, 8),
)

MODELS: Mapping[str, Card] = MappingProxyType({card.name: card for card in (*_CARDS, *_SCRATCH)})

_SHARED = (
    "VGG16",
    "VGG19",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "MobileNet",
    "MobileNetV2",
    "InceptionV3",
    "InceptionResNetV2",
    "Xception",
)

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "paper": ("AlexNet", *_SHARED),
        "slides": ("NASNetMobile", *_SHARED),
        "small": (
            "MobileNetV3Small",
            "MobileNetV2",
            "MobileNetV3Large",
            "MobileNet",
            "EfficientNetB0",
            "NASNetMobile",
            "EfficientNetV2B0",
            "DenseNet121",
        ),
        "scratch": tuple(card.name for card in _SCRATCH),
        "all": tuple(card.name for card in _CARDS),
    }
)


def find_card(name: str) -> Card | None:
    """Return the card of that name, whatever its case, or None."""
    return _BY_FOLDED_NAME.get(name.casefold())


_BY_FOLDED_NAME = {name.casefold(): card for name, card in MODELS.items()}
