from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.comparison import compare
from ncselect.curves import read_curves
from ncselect.history import curve_of, model_of
from ncselect.methods import method
from ncselect.numerics.agreement import MEASURES
from ncselect.numerics.decision import p_best
from ncselect.numerics.pool_mean import PoolDesign, models_variance
from ncselect.pools import compare_pools
from ncselect.types import Curve, Estimate, Estimates, Outcome
from zoo.errors import InputError, UnknownNameError

SIMPLE = {name: method(name) for name in ("last-value", "best-value")}
GIVEN = []  # what the methods below were given


def runs(models=12, each=3, epochs=8, dataset="here"):
    """Return runs of some models, several of each, that share their architecture's name."""
    rng = np.random.default_rng(len(dataset))
    made = []
    for model in range(models):
        level = rng.uniform(0.4, 0.8)
        for turn in range(each):
            final = float(np.clip(level + 0.05 * rng.normal(), 0.05, 0.95))
            curve = rising_curve(final, 0.4 + rng.random(), epochs, rng, 0.03)
            record = made_run(
                f"model-{model} #{turn}", curve, truth={epochs: float(curve[-1])}, dataset=dataset
            )
            spec = dataclasses.replace(
                record.spec, candidate={"architecture": f"model-{model}", "facts": {"lr": 0.1}}
            )
            made.append(dataclasses.replace(record, spec=spec))
    return made


def row(comparison, label, epochs):
    (found,) = [one for one in comparison.rows if (one.method, one.epochs) == (label, epochs)]
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """Keeps what it is given, and predicts the last value."""

    name = "recording"
    summary = "keeps what it is given"
    signals = frozenset({"validation-accuracy"})
    scores = frozenset()
    least_epochs = 1

    pooled: bool = True
    horizon: int = 50
    history: tuple = ()
    experience: tuple = ()

    def estimate(self, records):
        GIVEN.append((self, tuple(records)))
        return method("last-value").estimate(records)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Draws round the last value; the draws of every call begin with the same numbers."""

    name = "drawing"
    signals = frozenset({"validation-accuracy"})
    pooled: bool = True
    refuses: tuple = ()
    vague: frozenset = frozenset()
    """Models whose spread it does not know, nor draws of any pool they are in."""

    def estimate(self, records):
        kept = [one for one in records if one.spec.model not in self.refuses]
        last = np.array([one.curve("validation-accuracy")[-1] for one in kept])
        draws = last + 0.05 * np.random.default_rng(0).normal(size=(300, len(last)))
        known = not self.vague & {one.spec.model for one in kept}
        return Estimates(
            "drawing",
            tuple(
                Estimate(one.spec.model, float(mean), float(sd) if known else math.nan)
                for one, mean, sd in zip(kept, draws.mean(axis=0), draws.std(axis=0), strict=True)
            ),
            {one: "no luck" for one in self.refuses if one in [r.spec.model for r in records]},
            ("a note",),
            draws if known else None,
        )


@pytest.fixture
def given():
    GIVEN.clear()
    return GIVEN


def test_means_over_pools_are_those_of_the_pools_compared_one_by_one():
    records, size, pools = runs(), 6, 15
    methods = {**SIMPLE, "drawing": Drawing()}
    found = compare_pools(records, methods=methods, epochs=[3], pools=pools, size=size, resamples=5)
    rng = np.random.default_rng(0)
    alone = [
        compare(
            [records[place] for place in rng.choice(len(records), size, replace=False)],
            methods=methods, epochs=[3], resamples=1,
        )
        for _ in range(pools)
    ]  # fmt: skip
    for label in methods:
        agreement = row(found, label, 3).agreement
        of_pools = [row(one, label, 3).agreement for one in alone]
        for name in set(MEASURES) - {"rmse_points", "calibration_error"}:
            values = [getattr(one, name).value for one in of_pools]
            drawn = name == "brier" and label != "drawing"  # P(best) of other random numbers
            np.testing.assert_allclose(
                getattr(agreement, name).value,
                np.mean(values),
                atol=0.005 if drawn else 1e-12,
                err_msg=name,
            )
        squares = [one.rmse_points.value**2 for one in of_pools]
        assert agreement.rmse_points.value == pytest.approx(math.sqrt(np.mean(squares)))
    assert not math.isnan(row(found, "drawing", 3).agreement.brier.value)
    for one in found.differences:
        of, reference = (row(found, label, 3).agreement for label in (one.method, one.reference))
        for name in MEASURES:
            np.testing.assert_allclose(
                getattr(one.agreement, name).value,
                getattr(of, name).value - getattr(reference, name).value,
                atol=1e-12,
            )


def test_the_calibration_error_is_that_of_the_candidates_of_all_pools():
    records, size, pools = runs(), 6, 25
    found = compare_pools(
        records, methods={"drawing": Drawing()}, epochs=[3], pools=pools, size=size, references=()
    )
    rng = np.random.default_rng(0)
    drawn = [rng.choice(len(records), size, replace=False) for _ in range(pools)]
    expected = calibration(records, drawn)
    assert row(found, "drawing", 3).agreement.calibration_error.value == pytest.approx(expected)


def calibration(records, drawn):
    """Return the calibration error of what ``Drawing`` says of the candidates of all pools."""
    said, came = [], []
    for places in drawn:
        pool = [records[place] for place in places]
        said.append(p_best(Drawing().estimate([one.observed(3) for one in pool]).draws))
        truth = np.array([one.truth[8] for one in pool])
        came.append(truth == truth.max())
    said, came = np.concatenate(said), np.concatenate(came)
    bins = np.minimum((10 * said).astype(int), 9)
    return sum(abs((said - came)[bins == one].sum()) for one in range(10)) / len(said)


def test_intervals_over_pools_are_quantiles_of_resampled_pools():
    values = np.array([0.2, 0.5, np.nan, 0.9, 0.4])
    counts = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), size=500)
    members = np.random.default_rng(1).multinomial(3, np.full(4, 0.25), size=5)
    found = PoolDesign(members, np.full(4, 5), counts, 0.9).interval(values)
    means = [np.nanmean(np.repeat(values, copies)) for copies in counts]
    np.testing.assert_allclose([found.low, found.high], np.quantile(means, [0.05, 0.95]))
    assert found.value == pytest.approx(0.5)
    assert found.dropped == 1


def clustered(rng, groups):
    """Return the group of each model, and values that groups share in part."""
    group = np.repeat(np.arange(groups), rng.integers(1, 8, groups))
    return group, rng.normal(size=groups)[group] + rng.normal(size=len(group))


def many_pools(rng, group, values, of, pools=1500, size=12):
    drawn = np.array([rng.choice(len(group), size, replace=False) for _ in range(pools)])
    members = np.array([np.bincount(group[pool], minlength=group.max() + 1) for pool in drawn])
    return of(values[drawn]), members


def test_the_variance_over_models_of_a_mean_is_the_cluster_robust_one():
    rng = np.random.default_rng(0)
    group, values = clustered(rng, 60)
    of_pools, members = many_pools(rng, group, values, lambda x: x.mean(axis=1), pools=20_000)
    deviations = np.bincount(group, values - values.mean())
    expected = 60 / 59 * (deviations**2).sum() / len(values) ** 2
    expected += of_pools.var() / len(of_pools)
    found = models_variance(of_pools, members, np.bincount(group))
    assert found == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(
    ("of", "truth"),
    [(lambda x: x.mean(axis=1), 0.0), (lambda x: (x**2).mean(axis=1), 2.0),
     (lambda x: (x.max(axis=1) > 2).astype(float), None)],
)  # fmt: skip
def test_the_interval_over_models_covers_what_other_models_would_give(of, truth):
    if truth is None:  # of models of one architecture each, so that it has a closed form
        from scipy import stats

        truth = 1 - stats.norm.cdf(2 / math.sqrt(2)) ** 12
    covered = narrow = 0
    for turn in range(100):
        rng = np.random.default_rng(turn)
        group, values = clustered(rng, 80)
        if truth not in (0.0, 2.0):
            group = np.arange(len(group))
            values = rng.normal(scale=math.sqrt(2), size=len(group))
        of_pools, members = many_pools(rng, group, values, of, pools=600)
        spread = math.sqrt(models_variance(of_pools, members, np.bincount(group)))
        away = abs(of_pools.mean() - truth)
        covered += away <= 1.96 * spread
        narrow += away <= 1.96 * of_pools.std() / math.sqrt(len(of_pools))
    assert covered >= 85
    assert narrow < 75


@pytest.mark.parametrize("pooled", [True, False])
def test_a_method_sees_no_judged_curve_and_no_other_curve_of_a_judged_model(given, pooled):
    here = runs()
    elsewhere = runs(dataset="there")
    history = tuple(curve_of(one) for one in (*here, *elsewhere))
    methods = {"recording": Recording(history=history, pooled=pooled)}
    compare_pools(here, methods=methods, epochs=[3], pools=10, size=5, references=())
    assert len(given) == 10
    for told, records in given:
        assert len(records) == 5
        models = {model_of(one) for one in records}
        assert not models & {one.model for one in told.history}
        others = {f"model-{turn}" for turn in range(12)} - models
        assert {(one.dataset, one.model) for one in told.history} == {
            (dataset, model) for dataset in ("here", "there") for model in others
        }
        assert told.horizon == 8
        assert all(one.truth == {} and one.epochs == 3 for one in records)


def test_with_other_datasets_alone_a_method_is_asked_once_for_each_model(given):
    history = tuple(curve_of(one) for one in runs(dataset="there"))
    here = runs()
    methods = {"recording": Recording(history=history, pooled=False)}
    compare_pools(here, methods=methods, epochs=[3, 5], pools=10, size=5, references=())
    assert len(given) == 2 * 12
    for told, records in given:
        (model,) = {model_of(one) for one in records}
        assert len(records) == 3
        assert {one.model for one in told.history} == {f"model-{n}" for n in range(12)} - {model}
        assert {one.dataset for one in told.history} == {"there"}


def test_a_history_on_the_judged_dataset_by_another_name_is_one_on_it(given):
    history = tuple(curve_of(one) for one in runs(dataset="HERE"))
    methods = {"recording": Recording(history=history, pooled=False)}
    compare_pools(runs(), methods=methods, epochs=[3], pools=10, size=5, references=())
    assert [len(records) for _, records in given] == [5] * 10
    for told, records in given:
        assert not {model_of(one) for one in records} & {one.model for one in told.history}


def test_what_a_method_knows_of_the_judged_dataset_from_elsewhere_is_not_told(given):
    experience = (
        Outcome("x", "here", 0.5), Outcome("x", "there", 0.5), Outcome("x", "tfds:Here", 0.5),
    )  # fmt: skip
    compare_pools(
        runs(), methods={"recording": Recording(experience=experience)}, epochs=[3], pools=2,
        size=5, references=(),
    )  # fmt: skip
    assert all(told.experience == experience[1:2] for told, _ in given)


@pytest.mark.parametrize("pooled", [True, False])
def test_leave_one_out_tells_each_candidate_the_others_whole_curves(given, pooled):
    here = runs(models=4, each=2)
    own = (Curve("there", "model-1", np.ones(8)), Curve("there", "stranger", np.ones(8)))
    compare(
        here, methods={"recording": Recording(history=own, pooled=pooled)}, epochs=[3],
        references=(), leave_one_out=True, resamples=2,
    )  # fmt: skip
    assert len(given) == 8
    whole = {(one.spec.model): curve_of(one) for one in here}
    for turn, (told, records) in enumerate(given):
        judged = here[turn]
        assert len(records) == (8 if pooled else 1)
        assert {one.model for one in told.history} == {
            "stranger", *({f"model-{n}" for n in range(4)} - {model_of(judged)}),
        }  # fmt: skip
        traces = [one.accuracy.tolist() for one in told.history if one.dataset == "here"]
        assert len(traces) == 6
        assert whole[judged.spec.model].accuracy.tolist() not in traces
        assert all(len(trace) == 8 for trace in traces)


def test_workers_change_nothing_but_the_time():
    records = runs()
    methods = {**SIMPLE, "drawing": Drawing(), "apart": Drawing(pooled=False)}
    one, two = (
        compare_pools(
            records, methods=methods, epochs=[3, 5], pools=6, size=5, resamples=20, workers=workers
        )
        for workers in (1, 2)
    )
    assert one == two


def test_the_seed_decides_the_pools():
    records = runs()
    one, again, other = (
        compare_pools(
            records, methods={**SIMPLE, "drawing": Drawing()}, epochs=[3], pools=8, size=5,
            seed=seed, resamples=20,
        )
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert one == again
    assert one != other


def test_equal_methods_do_not_differ_and_are_named_with_what_they_cost():
    told = []
    twins = {"one": Drawing(), "two": Drawing(pooled=False)}
    found = compare_pools(
        runs(), methods={"one": Drawing(), "again": Drawing(), **SIMPLE}, epochs=[3], pools=8,
        size=5, references=("one",), watch=lambda *how_far: told.append(how_far),
    )  # fmt: skip
    (difference,) = [one for one in found.differences if one.method == "again"]
    for name in MEASURES:
        interval = getattr(difference.agreement, name)
        assert [interval.value, *interval.bounds, interval.low] == pytest.approx([0] * 4, abs=1e-12)
    assert ("pools", 8, 8) in told
    assert row(found, "one", 3).notes == ("a note",)
    assert row(found, "one", 3).seconds > 0
    assert row(found, "one", 3).n == 5
    apart = compare_pools(runs(), methods=twins, epochs=[3], pools=40, size=5, references=())
    said = [row(apart, label, 3).agreement.brier.value for label in twins]
    assert said[0] == pytest.approx(said[1], abs=0.02)  # joined draws stay independent


def test_what_a_method_refuses_is_scored_for_none_and_named():
    records = runs(models=4, each=2)
    refusing = Drawing(refuses=("model-1 #0",))
    found = compare_pools(
        records, methods={**SIMPLE, "drawing": refusing}, epochs=[3], pools=30, size=6
    )
    assert row(found, "drawing", 3).refused == {"model-1 #0": "no luck"}
    assert row(found, "drawing", 3).pools == 30
    rng = np.random.default_rng(0)
    n = [6 - (2 in rng.choice(8, 6, replace=False)) for _ in range(30)]  # the refused is third
    for label in ("drawing", "last-value"):
        assert row(found, label, 3).mean_n == pytest.approx(np.mean(n))
    assert (row(found, "drawing", 3).left_out, row(found, "last-value", 3).left_out) == (1, 0)
    everyone = Drawing(refuses=tuple(one.spec.model for one in records))
    found = compare_pools(
        records, methods={**SIMPLE, "drawing": everyone}, epochs=[3], pools=5, size=6
    )
    refused = row(found, "drawing", 3)
    assert (refused.agreement, refused.reason, refused.pools) == (None, "no luck", 0)
    assert (refused.mean_n, refused.left_out) == (0, 0)
    assert row(found, "last-value", 3).mean_n == 6
    assert row(found, "last-value", 3).agreement is not None
    assert [one.method for one in found.differences] == ["last-value"]


def test_a_pool_without_p_best_costs_the_calibration_error_that_pool_alone():
    """The error of the others is that of their candidates together, and so are differences."""
    records, size, pools = runs(), 6, 25
    vague = frozenset({records[4].spec.model})
    methods = {"vague": Drawing(vague=vague), "drawing": Drawing(), "twin": Drawing()}
    found = compare_pools(
        records, methods=methods, epochs=[3], pools=pools, size=size, references=["drawing"],
        resamples=50,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    drawn = [rng.choice(len(records), size, replace=False) for _ in range(pools)]
    kept = [pool for pool in drawn if 4 not in pool]
    assert 0 < len(kept) < pools
    error = calibration(records, kept)
    interval = row(found, "vague", 3).agreement.calibration_error
    assert interval.value == pytest.approx(error)
    assert interval.dropped == pools - len(kept)
    assert interval.low <= interval.value <= interval.high
    assert row(found, "drawing", 3).agreement.calibration_error.value == pytest.approx(
        calibration(records, drawn)
    )
    of = {one.method: one.agreement.calibration_error for one in found.differences}
    assert of["vague"].value == pytest.approx(0, abs=1e-12)  # the same said in the same pools
    assert of["vague"].dropped == pools - len(kept)
    assert not math.isnan(row(found, "vague", 3).agreement.brier.value)


def test_unusable_runs_are_in_no_pool():
    records = [
        *runs(), made_run("failed", [0.1] * 8, status="failed", error="nan", dataset="here"),
        made_run("short", [0.1] * 4, truth={8: 0.5}, dataset="here"),
        made_run("truthless", [0.1] * 8, dataset="here"),
    ]  # fmt: skip
    found = compare_pools(records, methods=SIMPLE, epochs=[3, 5], pools=4, size=36)
    assert set(found.excluded) == {"failed", "short", "truthless"}
    assert (found.runs, found.models) == (36, 12)
    assert math.isnan(row(found, "best-value", 3).agreement.rho.bounds[0])  # pools are the whole
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["rows"][0]["agreement"]["rho"]["low_models"] is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pools": 1}, "pools is 1; give 2 or more"),
        ({"size": 1}, "pool size is 1"),
        ({"size": 37}, "pool size is 37, and 36 runs can be scored; give smaller pools"),
        ({"resamples": 0}, "resamples is 0"),
        ({"seed": -1}, "seed is -1; give"),
        ({"epochs": [9]}, "epochs holds 9"),
        ({"methods": {}}, "methods is empty"),
    ],
)
def test_bad_input_is_named(change, text):
    given = {"methods": SIMPLE, "epochs": [3], "pools": 4, "size": 5, **change}
    with pytest.raises(InputError, match=text):
        compare_pools(runs(), **given)


def test_an_unknown_reference_is_named():
    with pytest.raises(UnknownNameError, match="unknown reference 'best'"):
        compare_pools(runs(), methods=SIMPLE, epochs=[3], references=["best"])


def test_last_and_best_value_on_real_curves(real_data):
    """The data's own notes give, over random pools of 17 of one dataset, after 5 epochs, a mean ρ
    of .856 for the last value and .861 for the best, among the better half .647 and .664.
    """  # fmt: skip
    records = read_curves(real_data / "curves" / "lemur_50_epochs.jsonl.gz")
    found = [
        compare_pools(
            [one for one in records if one.spec.dataset == dataset], methods=SIMPLE, epochs=[5],
            pools=400,
        )
        for dataset in ("cifar-10", "mnist", "celeba-gender")
    ]  # fmt: skip
    for label, rho, half in (("last-value", 0.856, 0.647), ("best-value", 0.861, 0.664)):
        agreements = [row(one, label, 5).agreement for one in found]
        assert np.mean([one.rho.value for one in agreements]) == pytest.approx(rho, abs=0.012)
        better = np.mean([one.rho_better_half.value for one in agreements])
        assert better == pytest.approx(half, abs=0.025)
        for one in agreements:
            low, high = one.rho.bounds
            assert low < one.rho.low < one.rho.value < one.rho.high < high
