from __future__ import annotations

import pytest

from ncselect.arguments import check_recorded, check_settings
from ncselect.methods import method
from ncselect.spec import Settings
from ncselect.structure import Pruning
from zoo.errors import InputError


def test_a_method_is_refused_before_training_where_runs_do_not_record_what_it_needs():
    capacitance = method("capacitance")
    everywhere = method("capacitance", subset="all")
    with pytest.raises(InputError, match="below 'classifier' no β_eff is measured, and method"):
        check_recorded("capacitance", capacitance.signals, Settings(unit="classifier"))
    with pytest.raises(InputError, match="give --measure-whole, or the method's option subset"):
        check_recorded("capacitance", everywhere.signals, Settings())
    check_recorded("capacitance", capacitance.signals, Settings())
    check_recorded("capacitance", everywhere.signals, Settings(measure_whole=True))
    check_recorded("best-value", method("best-value").signals, Settings(unit="classifier"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"observation_steps": -1}, "observation_steps: -1 came; give a whole number of training"),
        ({"observation_steps": 1.5}, "observation_steps: 1.5 came"),
        ({"measure_whole": 1}, "measure_whole: 1 came; give True or False"),
        ({"restore_best": 1}, "restore_best: 1 came; give True or False"),
        (
            {"unit": "classifier", "restore_best": True, "pruning": Pruning(epochs=2)},
            "pruning: it was asked for together with restore_best",
        ),
        ({"unit": "head"}, "unit: 'head' is none of probe, classifier"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings, text):
    with pytest.raises(InputError, match=text):
        check_settings(Settings(**settings))
