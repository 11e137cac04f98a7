from __future__ import annotations

import pytest

from ncselect.plan import is_cached, network_of


@pytest.mark.parametrize(
    ("file", "network"),
    [
        # Names under which Keras 3.15 keeps headless ImageNet weights.
        ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "VGG16"),
        ("resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "ResNet50"),
        ("resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "ResNet50V2"),
        ("mobilenet_1_0_224_tf_no_top.h5", "MobileNet"),
        ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "MobileNetV2"),
        ("weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5", "MobileNetV3Small"),
        ("nasnet_mobile_no_top.h5", "NASNetMobile"),
        ("efficientnetb0_notop.h5", "EfficientNetB0"),
        ("efficientnetv2-b0_notop.h5", "EfficientNetV2B0"),
        ("convnext_tiny_notop.h5", "ConvNeXtTiny"),
        ("inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "InceptionResNetV2"),
        ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", None),
        ("imagenet_class_index.json", None),
    ],
)
def test_a_file_in_the_cache_is_of_one_network(file, network):
    assert network_of(file) == network


def test_only_the_network_whose_file_is_there_is_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not is_cached("ResNet50V2")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert is_cached("ResNet50V2")
    assert not is_cached("ResNet50")


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", "VGG16"),
        ("mobilenet_1_0_224_tf.h5", "MobileNet"),
        ("weights_mobilenet_v3_small_224_1.0_float_v2.h5", "MobileNetV3Small"),
        ("efficientnetv2-b0.h5", "EfficientNetV2B0"),
        ("efficientnetb0_notop.h5", None),
        ("imagenet_class_index.json", None),
    ],
)
def test_files_with_the_classifier_are_told_from_headless_ones(file, network):
    assert network_of(file, headless=False) == network
