"""Tasks done in the test's own process, for tests of what runs come to and not of processes."""

from __future__ import annotations

import json

from ncselect.worker import _score, _train
from zoo.errors import InputError, WeightsUnavailableError


class InThisProcess:
    """Takes the place of ``ncselect.processes.LocalProcesses``: one task after the other."""

    def __init__(self, workers):
        self.workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def finish(self, due, begin, watch):
        for number in due:
            task = begin(number)
            yield number, None if task is None else self._reason(task, watch)

    def _reason(self, task, watch):
        def tell(event, **values):
            watch(task.model, json.loads(json.dumps({"event": event, **values})))

        job = json.loads(json.dumps(task.to_json()))
        try:
            if job["features"] is not None:
                _score(job, tell)
            error = None if job["run"] is None else _train(job, tell)
        except (InputError, WeightsUnavailableError) as refused:
            return str(refused)
        if error is None:
            tell("finished")
        return error
