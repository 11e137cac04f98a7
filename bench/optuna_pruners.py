"""What Optuna's pruners make of a pool of candidates: one trial after the other."""

from __future__ import annotations

from collections.abc import Mapping

from ncselect.elimination.replay import Replay
from ncselect.types import RunRecord


def pruned(
    pool: Mapping[str, RunRecord], shown: Replay, horizon: int
) -> dict[str, tuple[float, str]]:
    """Return Optuna's pruner → what it costs and which model it picks.

    Parameters
    ----------
    pool
        Model → its whole run.
    shown
        What their starts and epochs cost.
    horizon
        Epochs of a trial that is not pruned.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruners = {
        "optuna median": optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
        "optuna successive halving": optuna.pruners.SuccessiveHalvingPruner(),
        "optuna hyperband": optuna.pruners.HyperbandPruner(max_resource=horizon),
    }
    found = {}
    for name, pruner in pruners.items():
        study = optuna.create_study(study_name=name, direction="maximize", pruner=pruner)
        cost, best, pick = 0.0, -1.0, next(iter(pool))
        for model, run in pool.items():
            trial = study.ask()
            cost += shown.starts[model]
            curve = run.curve("validation-accuracy")[:horizon]
            for epoch, accuracy in enumerate(curve.tolist(), start=1):
                cost += shown.prices[model]
                trial.report(accuracy, epoch)
                if accuracy > best:
                    best, pick = accuracy, model
                if epoch < len(curve) and trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    break
            else:
                study.tell(trial, float(curve[-1]))
        found[name] = (cost, pick)
    return found
