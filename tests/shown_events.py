"""TensorBoard's event files as TensorBoard itself reads them, for the tests of who writes them."""

from __future__ import annotations

import numpy as np

from ncselect.tensorboard import FILE, TAGS


def steps_of(folder):
    """Return what TensorBoard reads of a run: tag → (step, value, wall time) of each event."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = {}
    for event in EventFileLoader(str(folder / FILE)).Load():
        for value in event.summary.value:
            (number,) = value.tensor.float_val
            found.setdefault(value.tag, []).append((event.step, number, event.wall_time))
    return found


def check_shows(folder, run):
    """Check that a run's file shows every observation once, and nothing else."""
    found = steps_of(folder / run.folder.name)
    observations = run.record().observations
    assert {name for name, tag in TAGS.items() if tag in found} <= observations[0].signals.keys()
    assert len(found) == len(observations[0].signals)
    for signal_, shown in ((name, found[TAGS.get(name, name)]) for name in observations[0].signals):
        values = np.float32([one.signals[signal_] for one in observations])
        expected = 1 - values if signal_ == "training-error" else values
        assert [step for step, *_ in shown] == [one.epoch for one in observations]
        np.testing.assert_allclose([value for _, value, _ in shown], expected, atol=1e-6)
        spent = np.diff([time for *_, time in shown])
        taken = [one.seconds + one.measuring_seconds for one in observations[1:]]
        np.testing.assert_allclose(spent, taken, atol=1e-5)
