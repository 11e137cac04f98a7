"""Predictions of final accuracy held against truths that are known: noise, laws, closed forms."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from made_dynamics import DEGREE, decreed_runs, trained_runs
from scipy import stats
from sklearn.model_selection import KFold, StratifiedKFold

from ncselect.graphs.prediction import learners
from ncselect.graphs.prediction.classes import labels
from ncselect.graphs.prediction.classification import balanced_folds, classification
from ncselect.graphs.prediction.importance import class_trajectories, importances
from ncselect.graphs.prediction.inputs import (
    ACCURACY,
    CONTROLS,
    Window,
    control_inputs,
    signature_inputs,
)
from ncselect.graphs.prediction.published import REGRESSION, THRESHOLDS, high_threshold
from ncselect.graphs.prediction.regression import regression
from ncselect.graphs.prediction.resampling import (
    accuracy_difference,
    balanced_accuracy,
    balanced_sample,
    determination,
    mean_absolute_error,
)
from ncselect.graphs.prediction.trajectories import gathered
from ncselect.graphs.prediction.transfer import transfer
from zoo.errors import InputError, UnknownNameError

DEGREES = signature_inputs("degree")
CONTROL = control_inputs(ACCURACY)


def made(count, *, seed=0, law=0.0, noise=0.1, epochs=2, model="net", told=0.0):
    """Return networks: accuracy = 0.5 + law · mean degree at epoch 1 + noise.

    Signatures are standard normal; the control is noise, of which ``told`` tells the accuracy.
    """
    rng = np.random.default_rng([seed, *model.encode()])
    signatures = rng.standard_normal((count, epochs + 1, 5))
    accuracy = 0.5 + law * signatures[:, 1, 1] + noise * rng.standard_normal(count)
    accuracy = np.clip(accuracy, 0, 1)
    controls = rng.random((count, epochs + 1)) + told * accuracy[:, None]
    return decreed_runs(signatures, accuracy, controls=controls, model=model)


def table(runs, last=2, inputs=(DEGREES, CONTROL), first=0):
    return gathered(runs, inputs, Window(first, last))


def stopped_after_two(run):
    """Return a run that a patience of one epoch ended after its second."""
    first, last = (
        dataclasses.replace(one, signals={**one.signals, ACCURACY: accuracy})
        for one, accuracy in zip(run.observations[1:3], (0.6, 0.5), strict=True)
    )
    settings = dataclasses.replace(run.spec.settings, patience=1)
    spec = dataclasses.replace(run.spec, settings=settings)
    return dataclasses.replace(run, spec=spec, observations=(run.observations[0], first, last))


def score(result, inputs, classifier="svm"):
    (one,) = [
        one for one in result.scores
        if one.inputs == inputs and getattr(one, "classifier", classifier) == classifier
    ]  # fmt: skip
    return one


def test_noise_is_no_better_than_chance_and_the_interval_says_so():
    covered, accuracies = [], []
    for seed in range(40):
        data = table(made(40, seed=seed), inputs=(DEGREES,))
        found = classification(data, threshold="median", classifiers=("svm",), repeats=3, seed=seed)
        one = score(found, "rolled degree").accuracy
        covered.append(one.low <= 0.5 <= one.high)
        accuracies.append(one.value)
    assert stats.binomtest(sum(covered), 40, 0.95).pvalue > 0.01
    assert abs(np.mean(accuracies) - 0.5) < 3 * math.sqrt(0.25 / 40 / 40)


@pytest.mark.parametrize("classifier", learners.CLASSIFIERS)
def test_a_law_is_learnt_and_the_control_that_knows_nothing_is_beaten(classifier):
    data = table(made(100, law=0.12, noise=0.0))
    found = classification(data, threshold="median", classifiers=(classifier,), repeats=2)
    degrees = score(found, "rolled degree", classifier)
    control = score(found, "validation accuracy", classifier)
    assert degrees.accuracy.value > 0.8
    assert degrees.over["validation accuracy"].low > 0.1
    assert degrees.over["validation accuracy"].value == pytest.approx(
        degrees.accuracy.value - control.accuracy.value
    )
    assert control.accuracy.low < 0.5 < control.accuracy.high
    assert control.over == {}
    assert degrees.accuracy.value == pytest.approx(np.mean(degrees.repeats))


def test_where_the_control_knows_more_the_difference_is_below_zero():
    found = classification(
        table(made(80, told=20.0)), threshold="median", classifiers=("svm",), repeats=2
    )
    assert score(found, "rolled degree").over["validation accuracy"].high < -0.2


def test_classification_is_that_of_a_plain_loop():
    data = table(made(50, law=0.05))
    _, high = labels(data, "median")
    found = classification(data, threshold="median", classifiers=("svm",), repeats=3, seed=7)
    right = []
    for fit in balanced_folds(high, 25, data.points, folds=5, repeats=3, seed=7):
        mean, sd = (f(data.tables["rolled degree"][fit.learnt], axis=0) for f in (np.mean, np.std))
        told = (data.tables["rolled degree"] - mean) / sd
        from sklearn.svm import SVC

        machine = SVC(gamma=1 / 15).fit(told[fit.learnt], high[fit.learnt])
        right += (machine.predict(told[fit.judged]) == high[fit.judged]).tolist()
    assert len(right) == 150
    assert score(found, "rolled degree").accuracy.value == pytest.approx(np.mean(right))


def test_folds_part_balanced_samples_without_overlap():
    high = np.arange(50) < 15
    fits = list(balanced_folds(high, 12, range(50), folds=4, repeats=3, seed=0))
    assert len(fits) == 12
    samples = []
    for repeat in range(3):
        mine = [fit for fit in fits if fit.repeat == repeat]
        judged = np.concatenate([fit.judged for fit in mine])
        assert len(set(judged)) == len(judged) == 24
        assert high[judged].sum() == 12
        for fit in mine:
            assert not set(fit.learnt) & set(fit.judged)
            assert set(fit.learnt) | set(fit.judged) == set(judged)
            assert high[fit.judged].sum() == 3
        samples.append(frozenset(judged))
    assert len(set(samples)) == 3


def test_balanced_samples_are_drawn_from_all():
    high = np.arange(30) < 10
    rng = np.random.default_rng(0)
    drawn = [balanced_sample(high, 8, rng) for _ in range(200)]
    assert all(len(set(one)) == 16 and high[one].sum() == 8 for one in drawn)
    shares = np.bincount(np.concatenate(drawn), minlength=30) / 200
    np.testing.assert_allclose(shares[:10], 0.8, atol=0.1)
    np.testing.assert_allclose(shares[10:], 0.4, atol=0.12)


def test_a_class_that_is_rare_does_not_make_chance_better():
    runs = made(120, seed=3)
    data = table(runs, inputs=(DEGREES,))
    level = float(np.quantile(data.accuracy, 0.75))
    found = classification(data, threshold=level, classifiers=("svm",))
    assert (found.population.high, found.population.low, found.sampled) == (30, 90, 60)
    one = score(found, "rolled degree").accuracy
    assert one.low < 0.5 < one.high


def test_the_interval_of_single_judgements_is_that_of_jeffreys():
    high = np.arange(50) < 30
    right = np.array([1.0] * 27 + [0.0] * 3 + [1.0] * 12 + [0.0] * 8)
    found = balanced_accuracy(right, np.ones(50, dtype=int), high, seed=0)
    assert found.value == pytest.approx((27 / 30 + 12 / 20) / 2)
    rng = np.random.default_rng(1)
    drawn = (rng.beta(27.5, 3.5, 200_000) + rng.beta(12.5, 8.5, 200_000)) / 2
    np.testing.assert_allclose(
        [found.low, found.high], np.quantile(drawn, [0.025, 0.975]), atol=0.008
    )


def test_an_interval_has_a_width_where_all_is_right_and_where_two_always_agree():
    ones, judged, high = np.ones(40), np.ones(40, dtype=int), np.arange(40) < 20
    perfect = balanced_accuracy(ones, judged, high, seed=0)
    assert perfect.value == 1
    assert 0.9 < perfect.low < 0.99
    none = np.zeros(40)
    same = accuracy_difference(none, none, judged, high, seed=0)
    assert same.value == 0
    assert -0.1 < same.low < 0 < same.high < 0.1


def test_the_interval_of_a_difference_is_that_of_discordant_pairs():
    """Both classes alike, 10 of 40 judged rightly by the first alone and 4 by the other alone."""
    high = np.arange(80) < 40
    first = np.tile([1.0] * 10 + [0.0] * 30, 2)
    other = np.tile([0.0] * 10 + [1.0] * 4 + [0.0] * 26, 2)
    found = accuracy_difference(first, other, np.ones(80, dtype=int), high, seed=0)
    assert found.value == pytest.approx(6 / 40)
    drawn = np.random.default_rng(1).dirichlet([10.5, 4.5, 26], (200_000, 2))
    differences = (drawn[..., 0] - drawn[..., 1]).mean(axis=1)
    np.testing.assert_allclose(
        [found.low, found.high], np.quantile(differences, [0.025, 0.975]), atol=0.01
    )


def test_networks_that_are_judged_more_often_are_not_counted_as_more_networks():
    rng = np.random.default_rng(0)
    right, high = (rng.random(60) < 0.7).astype(float), np.arange(60) < 30
    once = balanced_accuracy(right, np.ones(60, dtype=int), high, seed=0)
    often = balanced_accuracy(5 * right, np.full(60, 5), high, seed=0)
    assert dataclasses.astuple(once) == pytest.approx(dataclasses.astuple(often))


def test_regression_finds_the_share_of_variance_that_is_lawful():
    law, noise, count = 0.08, 0.06, 800
    found = regression(table(made(count, law=law, noise=noise), first=1, last=1), repeats=2)
    one = score(found, "rolled degree")
    inflated = noise * math.sqrt(1 + 6 / (0.8 * count))  # six coefficients are estimated
    assert one.r2.value == pytest.approx(1 - inflated**2 / (law**2 + noise**2), abs=0.04)
    assert one.mae.value == pytest.approx(100 * inflated * math.sqrt(2 / math.pi), rel=0.06)
    assert one.r2.low < law**2 / (law**2 + noise**2) < one.r2.high
    assert one.over["validation accuracy"].high < 0
    assert score(found, "validation accuracy").r2.value == pytest.approx(0, abs=0.02)
    assert found.splits == 10


def test_regression_is_that_of_a_plain_loop():
    data = table(made(40, law=0.08))
    seed, repeats = 4, 2
    per_split, squares = [], np.zeros(40)
    for repeat in range(repeats):
        split = KFold(5, shuffle=True, random_state=int(
            np.random.default_rng([seed, repeat]).integers(2**31)
        ))  # fmt: skip
        for seen, unseen in split.split(data.accuracy):
            design = np.column_stack([np.ones(40), data.tables["rolled degree"]])
            weights = np.linalg.lstsq(design[seen], data.accuracy[seen], rcond=None)[0]
            errors = design[unseen] @ weights - data.accuracy[unseen]
            per_split.append(100 * np.abs(errors).mean())
            squares[unseen] += errors**2 / repeats
    one = score(regression(data, repeats=repeats, seed=seed), "rolled degree")
    assert one.mae.value == pytest.approx(np.mean(per_split))
    assert one.mae_of_splits.value == pytest.approx(np.mean(per_split))
    assert one.mae_of_splits.low == pytest.approx(np.quantile(per_split, 0.025))
    assert one.r2.value == pytest.approx(1 - squares.sum() / (40 * np.var(data.accuracy)))


def test_intervals_of_errors_cover_the_truth():
    """MAE of N(0, 1) is √(2/π); R² of errors of variance ¼ of a truth of variance 1 is ¾."""
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(100):
        errors = rng.standard_normal(80)
        mae = mean_absolute_error(np.abs(errors), np.ones(80, dtype=int), seed=seed)
        truth = rng.standard_normal(80)
        r2 = determination((0.5 * errors) ** 2, truth, np.ones(80, dtype=int), seed=seed)
        covered.append((mae.low <= math.sqrt(2 / math.pi) <= mae.high, r2.low <= 0.75 <= r2.high))
    shares = np.mean(covered, axis=0)
    assert np.all(shares >= 0.87), shares


def test_the_r2_of_few_networks_that_hardly_differ_has_no_interval():
    """All of 20 but one have one accuracy: draws that leave it out divide by next to nothing."""
    squares, truth = np.full(20, 0.01), np.append(np.full(19, 0.5), 0.52)
    judged = np.ones(20, dtype=int)
    enough = determination(squares, truth, judged, seed=0)
    assert enough.low < -1000 < enough.value < enough.high
    judged[0] = 0
    few = determination(squares, truth, judged, seed=0)
    assert (few.low, few.high) == (None, None)
    assert few.value == pytest.approx(1 - 0.01 / np.var(truth[1:]))


def repeated(count, times):
    """Return networks of ``count`` points, each with several seeds, whose inputs are noise.

    Repeats are all but equal, in their signatures and in their accuracy, which follow no law.
    """
    rng = np.random.default_rng(0)
    signatures = np.repeat(rng.standard_normal((count, 3, 5)), times, axis=0)
    signatures += 1e-3 * rng.standard_normal(signatures.shape)
    accuracy = np.repeat(rng.random(count), times)
    runs = decreed_runs(signatures, accuracy)
    return [
        dataclasses.replace(
            run,
            spec=dataclasses.replace(
                run.spec, candidate={"source": "net", "point": place // times}, seed=place
            ),
        )
        for place, run in enumerate(runs)
    ]


def test_a_copy_with_another_seed_is_not_learnt_from():
    data = table(repeated(40, 3), inputs=(DEGREES,))
    _, high = labels(data, "median")
    points = np.array(data.points)
    fits = list(balanced_folds(high, 60, data.points, folds=5, repeats=2, seed=0))
    for fit in fits:
        assert not set(points[fit.learnt]) & set(points[fit.judged])
        assert 0.35 < high[fit.judged].mean() < 0.65
    judged = np.concatenate([fit.judged for fit in fits if fit.repeat == 1])
    np.testing.assert_array_equal(np.sort(judged), np.arange(120))
    # Noise repeated is still noise; folds that part repeats would find them again.
    found = classification(data, threshold="median", classifiers=("svm",), repeats=2)
    assert score(found, "rolled degree").accuracy.value < 0.65
    parted = dataclasses.replace(data, points=data.runs)
    leaking = classification(parted, threshold="median", classifiers=("svm",), repeats=2)
    assert score(leaking, "rolled degree").accuracy.value > 0.75
    apart = score(regression(data, repeats=2), "rolled degree").r2.value
    assert apart < score(regression(parted, repeats=2), "rolled degree").r2.value


def test_folds_of_different_points_are_plain_stratified_folds():
    high = np.arange(30) % 3 > 0
    points = [str(place) for place in range(30)]
    rng = np.random.default_rng([5, 0])
    sample = balanced_sample(high, 10, rng)
    plain = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**31)))
    for fit, (seen, unseen) in zip(
        balanced_folds(high, 10, points, folds=5, repeats=1, seed=5),
        plain.split(sample, high[sample]),
        strict=True,
    ):
        np.testing.assert_array_equal(fit.learnt, sample[seen])
        np.testing.assert_array_equal(fit.judged, sample[unseen])


def test_too_few_points_are_refused_however_many_seeds_they_have():
    data = table(repeated(4, 10), inputs=(DEGREES,))
    with pytest.raises(InputError, match=r"20 networks are of 2 points alone, .* where 5 points"):
        classification(data, threshold="median", classifiers=("svm",))
    with pytest.raises(InputError, match=r"40 networks are of 4 points alone, .* train more"):
        regression(data)


def test_least_squares_does_not_depend_on_the_temporal_form():
    inputs = [
        signature_inputs("degree", form=form, alpha=0.3)
        for form in ("concatenated", "linear", "exponential")
    ]
    found = regression(table(made(60, law=0.1), inputs=inputs), repeats=1)
    first, *others = [one.mae.value for one in found.scores]
    assert others == pytest.approx([first, first])


def test_regression_on_balanced_networks():
    data = table(made(100))
    level = float(np.quantile(data.accuracy, 0.8))
    found = regression(data, threshold=level, balanced=True)
    assert found.sampled == 40
    assert regression(data, threshold=level).sampled == 100
    assert json.dumps(dataclasses.asdict(found), allow_nan=False)


def test_a_law_that_others_share_is_transferred_and_its_reverse_misleads():
    learnt = table(made(120, law=0.12, noise=0.0, model="small"))
    same = table(made(90, law=0.12, noise=0.0, model="large"))
    reverse = table(made(90, law=-0.12, noise=0.0, model="odd"))
    good = transfer(learnt, same, threshold=0.5, classifiers=("svm",))
    bad = transfer(learnt, reverse, threshold=0.5, classifiers=("svm",))
    assert score(good, "rolled degree").accuracy.low > 0.7
    assert score(bad, "rolled degree").accuracy.high < 0.3
    assert score(good, "rolled degree").over["validation accuracy"].low > 0.1
    assert good.learnt.architectures == {"small": 120}
    assert good.judged.networks == 90
    assert json.dumps(dataclasses.asdict(good), allow_nan=False)


def test_transfer_between_what_is_not_alike_is_refused():
    runs, others = made(20), made(20, model="other")
    with pytest.raises(InputError, match=r"net \[\w+\] is in both; judge others than were learnt"):
        transfer(table(runs), table(runs), threshold=0.5)
    with pytest.raises(InputError, match="other inputs or another window; gather both alike"):
        transfer(table(runs), table(others, last=1), threshold=0.5)
    with pytest.raises(InputError, match="0 networks are above the threshold 1 and 20 are not"):
        transfer(table(runs), table(others), threshold=1.0)


def test_the_same_seed_gives_the_same_answer_and_scores_do_not_depend_on_other_inputs():
    runs = made(40, law=0.05)
    several = (DEGREES, CONTROL)
    asked = {"threshold": "median", "folds": 3, "repeats": 1, "seed": 3}
    both = classification(table(runs, inputs=several), **asked)
    assert both == classification(table(runs, inputs=several), **asked)
    alone = classification(table(runs, inputs=(DEGREES,)), **asked)
    assert [one.accuracy for one in both.scores if one.inputs == "rolled degree"] == [
        one.accuracy for one in alone.scores
    ]
    other = classification(table(runs, inputs=several), **{**asked, "seed": 4})
    assert other.scores != both.scores


def test_a_classification_is_json_and_tells_who_was_in_it():
    runs = made(30, epochs=3)
    runs[0] = dataclasses.replace(runs[0], status="failed", error="loss is nan at epoch 1")
    runs[1] = stopped_after_two(runs[1])
    runs[2] = dataclasses.replace(runs[2], truth={})
    found = classification(table(runs, last=3), threshold="median", classifiers=("svm",), repeats=1)
    document = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
    people = document["population"]
    assert people["networks"] == people["high"] + people["low"] == 29
    assert people["held"] == 1
    assert people["judged_by"] == {
        "test accuracy": 28, "validation accuracy after the last epoch": 1,
    }  # fmt: skip
    assert list(people["left_out"].values()) == ["the run failed: loss is nan at epoch 1"]
    assert people["architectures"] == {"net": 29}
    assert people["seeds"] == 1


def test_importances_are_those_of_the_signal_that_decides():
    data = table(made(160, law=0.12, noise=0.02))
    found = importances(data, "rolled degree", threshold="median", repeats=2)
    assert [one.signal for one in found] == list(DEGREE)
    assert sum(one.weight.value for one in found) == pytest.approx(1)
    decisive = next(one for one in found if one.signal.endswith("/mean"))
    others = [one for one in found if one is not decisive]
    assert decisive.weight.low > max(one.weight.high for one in others)
    assert decisive.loss.value > 0.2
    assert all(abs(one.loss.value) < 0.08 for one in others)


def test_class_trajectories_by_hand():
    signatures = np.zeros((4, 3, 5))
    signatures[:, :, 1] = [[1, 2, 3], [1, 4, 5], [0, 0, 0], [0, 0, 2]]
    data = table(decreed_runs(signatures, [0.9, 0.8, 0.2, 0.1]))
    found = class_trajectories(data, "rolled degree", threshold=0.5)
    assert len(found) == 10
    high, low = [one for one in found if one.signal.endswith("/mean")]
    assert (high.high, low.high) == (True, False)
    assert high.epochs == (0, 1, 2)
    assert high.mean == (1, 3, 4)
    assert low.mean == (0, 0, 1)
    assert high.curves == ((1, 2, 3), (1, 4, 5))
    assert (low.lower[2], low.upper[2]) == (0.5, 1.5)
    averages = signature_inputs("degree", form="linear")
    with pytest.raises(InputError, match="do not hold a value of each epoch; gather them concat"):
        class_trajectories(table(made(20), inputs=(averages,)), averages.name, threshold=0.5)


def test_trained_networks_are_told_apart_early():
    runs = trained_runs(60, epochs=12)
    inputs = (DEGREES, *(control_inputs(one) for one in CONTROLS))
    found = classification(
        gathered(runs, inputs, Window(0, 5)), threshold="median", classifiers=("mlp",), repeats=1
    )
    for one in found.scores:
        assert one.accuracy.low > 0.5, one
    early = classification(
        gathered(runs, inputs, Window(0, 0)), threshold="median", classifiers=("svm",), repeats=1
    )
    for one in early.scores:
        assert one.accuracy.low < 0.55, one  # before training nothing is known of it


def test_where_networks_begin_alike_signatures_tell_more():
    """One start: the signature is what training did; many: it is also where they began."""
    inputs = (DEGREES, signature_inputs("degree", since_start=True))
    found = {}
    for same_start in (True, False):
        runs = trained_runs(80, epochs=12, same_start=same_start)
        data = gathered(runs, inputs, Window(0, 1))
        result = classification(data, threshold="median", classifiers=("svm",), repeats=3)
        assert result.population.seeds == (1 if same_start else 80)
        found[same_start] = [score(result, one.name).accuracy.value for one in inputs]
    assert found[True][0] == pytest.approx(found[True][1])
    assert found[True][0] > found[False][0] + 0.2
    assert found[False][1] > found[False][0] + 0.1


@pytest.mark.parametrize("name", [*learners.CLASSIFIERS, "linear-regression"])
def test_rounding_is_not_learnt_from(name):
    """A column that rounding alone varies says nothing, however it comes out elsewhere."""
    rng = np.random.default_rng(0)
    told = rng.standard_normal((60, 4)) + 20.0
    told[:, 3] = 7.0 * (1 + 1e-11 * rng.standard_normal(60))
    targets = told[:, 0] if name == "linear-regression" else told[:, 0] > 20
    made = (
        learners.linear_regression() if name == "linear-regression"
        else learners.classifier(name, 0)
    )  # fmt: skip
    made, _ = learners.fitted(made, told, targets)
    elsewhere = told.copy()
    elsewhere[:, 3] = 7.0 * (1 + 1e-9)
    if name == "linear-regression":
        np.testing.assert_allclose(made.predict(elsewhere), targets, atol=1e-6)
    else:
        np.testing.assert_array_equal(made.predict(elsewhere), made.predict(told))
        assert np.mean(made.predict(told) == targets) > 0.9


def test_fits_that_do_not_converge_are_counted(monkeypatch):
    monkeypatch.setattr(learners, "MLP_ITERATIONS", 2)
    data = table(made(30), inputs=(DEGREES,))
    found = classification(data, threshold="median", repeats=1)
    assert score(found, "rolled degree", "mlp").unconverged == 5
    assert score(found, "rolled degree", "svm").unconverged == 0
    logarithms = classification(
        data, threshold="median", classifiers=("mlp-log", "svm-log"), repeats=1
    )
    assert score(logarithms, "rolled degree", "mlp-log").unconverged == 5
    assert score(logarithms, "rolled degree", "svm-log").unconverged == 0


def test_a_law_below_outliers_is_learnt_on_logarithms():
    """Thrice in a hundred an input is 10,000 times as large; the law is that of the others."""
    rng = np.random.default_rng(0)
    told = rng.standard_normal((400, 3))
    high = told[:, 0] > 0
    told[rng.random((400, 3)) < 0.03] *= 1e4
    seen, judged = slice(0, 200), slice(200, 400)
    rights = {}
    for name in learners.CLASSIFIERS:
        made, _ = learners.fitted(learners.classifier(name, 0), told[seen], high[seen])
        rights[name] = np.mean(made.predict(told[judged]) == high[judged])
    assert min(rights["svm-log"], rights["mlp-log"]) > 0.9
    assert rights["svm"] < 0.7


def test_the_published_numbers():
    assert high_threshold("cifar10", "lenet") == 0.40
    assert high_threshold("imagenet", "resnet50") == 0.25
    assert {len(one) for one in THRESHOLDS.values()} == {5, 3}
    assert REGRESSION["cifar10"]["vgg"]["5-7"].r2 == 0.94
    assert REGRESSION["imagenet"]["alexnet"]["7-9"].mae == 2.70
    with pytest.raises(UnknownNameError, match=r"unknown dataset of Table 2 'mnist'.*'median'"):
        high_threshold("mnist", "lenet")
    with pytest.raises(UnknownNameError, match="architecture of Table 2 on cifar10 'resnet50'"):
        high_threshold("cifar10", "resnet50")


def test_what_cannot_be_asked_is_refused_with_the_remedy():
    data = table(made(20))
    with pytest.raises(InputError, match="20 are not, where 5 of each are needed; choose another"):
        classification(data, threshold=1.0)
    with pytest.raises(InputError, match="where 99 of each are needed"):
        classification(data, threshold="median", per_class=99)
    with pytest.raises(UnknownNameError, match=r"unknown classifier 'smv'\. Did you mean svm"):
        classification(data, threshold="median", classifiers=("smv",))
    with pytest.raises(InputError, match="threshold is 'mean'; give an accuracy"):
        classification(data, threshold="mean")
    with pytest.raises(InputError, match="threshold is 40; give an accuracy in"):
        classification(data, threshold=40)
    with pytest.raises(InputError, match="folds is 1; give 2 or more"):
        classification(data, threshold="median", folds=1)
    with pytest.raises(InputError, match="1 classifiers and 0 repeats came; give some"):
        classification(data, threshold="median", classifiers=("svm",), repeats=0)
    with pytest.raises(InputError, match="R² needs 10 networks or more that differ"):
        regression(table(made(9)))
    with pytest.raises(InputError, match="no network can be used: there are no runs; name a store"):
        classification(table([]), threshold="median")
    lost = [dataclasses.replace(one, status="failed", error="it broke") for one in made(2)]
    with pytest.raises(
        InputError, match=r"can be used of 2; net \[\w+\]: the run failed: it broke"
    ):
        regression(table(lost))
    with pytest.raises(UnknownNameError, match=r"inputs 'degree'\. Did you mean rolled degree"):
        importances(data, "degree", threshold="median")
