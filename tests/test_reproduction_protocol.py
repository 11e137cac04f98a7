"""In what runs differ from the paper's protocol."""

from __future__ import annotations

import dataclasses

import pytest
from made_pools import made_pool, with_data, with_spec

from ncselect.reproduction import Pool, Repeat
from ncselect.reproduction.protocol import deviations, open_choices
from ncselect.spec import Settings


def test_every_setting_that_the_paper_states_is_compared():
    settings = Settings(
        probe_units=(64, 32), probe_dropout=0.1, observation_steps=20, measure_whole=True
    )
    runs = [Repeat(one.seed, tuple(with_spec(one.runs, settings=settings)))
            for one in made_pool().repeats]  # fmt: skip
    lines = deviations([Pool("cifar10", 16, tuple(runs))], all_datasets=False)
    for said in ("64 and 32 (paper: 256 and 128)", "Dropout 0.1 (paper: 0.4)",
                 "every 20 training steps"):  # fmt: skip
        assert any(said in line for line in lines), said
    assert not any("β_eff is measured" in line for line in lines)
    plain = deviations([made_pool()], all_datasets=False)
    assert any("β_eff is measured on 512 of 1,000 training images" in line for line in plain)
    assert not any("Dropout" in line or "Probe unit" in line for line in plain)
    assert "probe_size" not in open_choices(settings)


def test_networks_that_see_larger_images_are_named():
    made = made_pool(models=3, repeats=1)
    runs = (dataclasses.replace(made.runs[0], facts={"resized_to": [75, 75]}), *made.runs[1:])
    lines = deviations([Pool("cifar10", 16, (Repeat(0, runs),))], all_datasets=False)
    assert any("take no others: Net0 75 px" in line for line in lines)


@pytest.mark.parametrize(("classes", "caltech"), [(200, True), (400, False)])
def test_caltechs_birds_are_told_by_their_number_of_classes(classes, caltech):
    made = made_pool("birds")
    runs = [Repeat(one.seed, tuple(with_data(one.runs, classes=classes))) for one in made.repeats]
    lines = deviations([Pool("birds", 16, tuple(runs))], all_datasets=True)
    assert any("Caltech" in line for line in lines) == caltech
