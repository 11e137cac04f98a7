"""``bench.boltzmann``: machines on images, and their means over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.boltzmann import binary, described, summed
from ncselect.sparse.boltzmann import BoltzmannMachine


def test_differences_are_of_one_seed():
    rng = np.random.default_rng(0)
    machines = [
        {
            "topology": topology,
            "seed": seed,
            "log_probability": 10.0 * seed + gain + 0.1 * float(rng.random()),
            "connections": 5,
            "of_a_middle_pixel": 2.0,
            "of_a_border_pixel": 1.0,
        }
        for seed in (2, 0, 1)
        for topology, gain in (("set", 4.0), ("dense", 0.0), ("fixed", 3.0))
    ]
    found = summed("set", machines)
    assert found["less_fixed"][0] == pytest.approx(1.0, abs=0.1)
    assert found["less_fixed"][1] > 0  # though seeds differ by 10
    assert found["less_dense"][0] == pytest.approx(4.0, abs=0.1)
    assert found["log_probability"][1] < 0 < found["log_probability"][2]
    assert found["connections"] == [5, 5, 5]


def test_a_machine_is_measured_in_the_middle_and_at_the_border():
    rng = np.random.default_rng(0)
    images = np.zeros((60, 28, 28), np.float32)
    images[:, 4:24, 4:24] = rng.random((60, 20, 20)) < 0.5
    machine = BoltzmannMachine(20, topology="set", epsilon=4, epochs=2).fit(images.reshape(60, -1))
    machine.mask_[:] = False
    machine.mask_.reshape(28, 28, 20)[4:24, 4:24, :3] = True  # 3 of each pixel in the middle
    machine.mask_.reshape(28, 28, 20)[0, 0, :] = True  # 20 of a corner
    found = described(machine, images.reshape(60, -1), 28, chains=2)
    assert found["connections"] == 400 * 3 + 20
    assert found["of_a_middle_pixel"] == 3
    assert found["of_a_border_pixel"] == pytest.approx(20 / 384, rel=1e-2)
    assert found["log_probability"] < 0


def test_images_are_black_and_white(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (760, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "noise.npz", x_train=images[:660], y_train=np.arange(660) % 2,
             x_test=images[660:], y_test=np.arange(100) % 2)  # fmt: skip
    train, test, side = binary(str(tmp_path / "noise.npz"), 100, 50)
    assert (train.shape, test.shape, side) == ((100, 784), (50, 784), 28)
    assert set(np.unique(train)) == {0.0, 1.0}
    black_and_white = {one.tobytes() for one in (images > 127).reshape(760, -1).astype(np.float32)}
    assert {one.tobytes() for one in (*train, *test)} <= black_and_white
