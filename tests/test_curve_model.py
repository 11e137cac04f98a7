"""The joint predictive distribution of final accuracies: algebra, edges, learning, real curves."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import integrate, stats

from bench.learn_curve_prior import grouped, learned_prior
from ncselect.numerics.curve_learning import (
    Lesson,
    fitted,
    learned,
    momentum_weight,
    random_lessons,
)
from ncselect.numerics.curve_model import (
    accuracy_of,
    joint_final,
    log_odds,
    mixture,
    momentum,
    value_at,
    view,
)
from ncselect.numerics.curve_prior import CurvePrior
from ncselect.numerics.normal_mixture import NormalMixture
from zoo.errors import InputError

PRIOR = CurvePrior.shipped(pretrained=False)


def rng(seed=0):
    return np.random.default_rng(seed)


def made_curves(n, length, seed=0):
    """Rising power laws with noise that mostly goes down."""
    random = rng(seed)
    end, drop = random.uniform(0.5, 0.97, n), random.uniform(0.2, 0.45, n)
    power = random.uniform(0.3, 1.2, n)
    t = np.arange(1, length + 1)
    clean = end[:, None] - drop[:, None] * t ** -power[:, None]
    return np.clip(clean - 0.02 * random.exponential(size=(n, length)), 0, 1)


def predicted(accuracy, horizon=50, seed=0, prior=PRIOR, **options):
    return joint_final(np.asarray(accuracy, float), horizon, prior, rng=rng(seed), **options)


MIXTURE = NormalMixture(
    np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]]),
    np.array([[-1.0, 0.0, 2.0], [0.5, 9.0, 9.0]]),
    np.array([[0.1, 1.0, 0.5], [2.0, 1.0, 1.0]]),
)


def test_a_mixture_has_the_moments_and_density_of_its_definition():
    def density(x):
        return sum(
            w * stats.norm.pdf(x, m, s)
            for w, m, s in zip(MIXTURE.weights[0], MIXTURE.means[0], MIXTURE.sds[0], strict=True)
        )

    def expected(f):
        return integrate.quad(lambda x: f(x) * density(x), -9, 9, points=[-1, 0, 2])[0]

    mean = expected(lambda x: x)
    assert MIXTURE.mean[0] == pytest.approx(mean, abs=1e-7)
    assert MIXTURE.variance[0] == pytest.approx(expected(lambda x: (x - mean) ** 2), abs=1e-7)
    assert MIXTURE.log_density(np.array([0.3, 0.3]))[0] == pytest.approx(np.log(density(0.3)))
    assert MIXTURE.log_density(np.array([0.3, 0.3]))[1] == pytest.approx(
        stats.norm.logpdf(0.3, 0.5, 2.0)
    )


def test_quantiles_invert_the_chance_below():
    chances = np.array([1e-6, 0.025, 0.4, 0.5, 0.975])
    quantiles = MIXTURE.quantiles(chances)
    np.testing.assert_allclose(MIXTURE.chance_below(quantiles), np.tile(chances, (2, 1)), atol=1e-9)
    np.testing.assert_allclose(quantiles[1], stats.norm.ppf(chances, 0.5, 2.0), atol=1e-8)


def test_log_odds_and_accuracy_undo_each_other_and_stay_finite():
    values = np.array([0.0, 0.1, 0.5, 0.999, 1.0])
    np.testing.assert_allclose(accuracy_of(log_odds(values)), values, atol=1e-12)
    assert accuracy_of(np.array([-1e3, 1e3])).tolist() == [0.0, 1.0]


def test_momentum_is_worked_by_hand():
    # best so far .2 .4 .4 .6, weights 1 2 3 4 over 10: mean .46
    curves = np.array([[0.2, 0.4, 0.3, 0.6], [0.5, 0.5, 0.5, 0.5], [0.5, 0.4, 0.3, 0.2]])
    np.testing.assert_allclose(momentum(curves), [0.14, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(value_at(curves, 2.5), [0.35, 0.5, 0.35])
    np.testing.assert_allclose(value_at(curves, 0.5), [0.2, 0.5, 0.5])


def test_the_centre_of_the_ordinary_course_is_the_documented_one():
    curves = made_curves(6, 8)
    seen, p = view(curves, 50, PRIOR.momentum), PRIOR
    for k in range(6):
        t, late = np.log(50 / 8), np.log(8) - 2
        index = seen.best[k] + p.momentum * momentum(curves)[k]
        c = 1 - np.exp(-max(np.quantile(seen.index, 0.9) - index, 0) / np.exp(p.reach))
        pull = t**p.power * seen.speed[k] * c * np.exp(p.catch_up_epochs * late)
        centre = index + p.shift + p.shift_epochs * late + p.rise * t + p.catch_up * pull
        centre += p.own * c * (seen.own_speed[k] - seen.speed[k])
        noise = np.exp(p.noise) * (t + 0.02) ** p.noise_horizon * 8**p.noise_epochs
        noise *= np.exp(seen.rough[k]) ** p.noise_rough
        known = mixture(p, seen)
        assert known.means[k, 0] == pytest.approx(centre)
        assert known.sds[k, 0] == pytest.approx(noise + np.exp(p.spread) * pull + 0.02)
    np.testing.assert_allclose(mixture(p, seen).weights.sum(axis=1), 1.0)


@pytest.mark.parametrize("n", [1, 2, 17, 50])
@pytest.mark.parametrize(("epochs", "horizon"), [(1, 50), (2, 2), (5, 300), (49, 50), (50, 50)])
def test_any_pool_gives_accuracies(n, epochs, horizon):
    answer = predicted(made_curves(n, epochs), horizon, draws=100)
    assert answer.draws.shape == (100, n)
    for values in (answer.draws, answer.mean):
        assert ((values >= 0) & (values <= 1)).all()
    assert (answer.sd > 0).all()
    assert np.isfinite(answer.score).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_constant_extreme_curves_give_accuracies(value):
    for epochs in (1, 2, 5, 20):
        answer = predicted([[value] * epochs, np.linspace(0, 1, epochs)], draws=100)
        assert np.isfinite(answer.mean).all()
        assert ((answer.draws >= 0) & (answer.draws <= 1)).all()


def test_draws_have_the_marginals_and_the_shared_factor():
    curves = made_curves(5, 6)
    answer = predicted(curves, draws=40_000)
    np.testing.assert_allclose(answer.draws.mean(axis=0), answer.mean, atol=3e-3)
    np.testing.assert_allclose(answer.draws.std(axis=0), answer.sd, atol=5e-3)
    together = dataclasses.replace(PRIOR, shared=0.64)
    draws = predicted(curves, prior=together, draws=40_000).draws
    ranks = stats.spearmanr(draws).statistic[np.triu_indices(5, 1)]
    # rank correlation of a normal copula with correlation r: 6 / π · asin(r / 2)
    np.testing.assert_allclose(ranks, 6 / np.pi * np.arcsin(0.32), atol=0.02)


def test_candidates_change_places_with_their_curves_and_draws_alone_are_random():
    curves = made_curves(7, 6)
    order = rng(3).permutation(7)
    straight, shuffled = predicted(curves), predicted(curves[order], seed=9)
    for name in ("mean", "sd", "score"):
        np.testing.assert_allclose(
            getattr(shuffled, name), getattr(straight, name)[order], rtol=1e-10
        )
    np.testing.assert_array_equal(predicted(curves).draws, straight.draws)


def test_a_seen_horizon_is_known():
    curves = made_curves(4, 10)
    answer = predicted(curves, 10)
    np.testing.assert_allclose(answer.mean, curves[:, -1], atol=1e-4)
    assert (answer.sd < 1e-3).all()


def test_of_two_with_the_same_best_value_the_rising_one_is_preferred():
    rising, flat = [0.3, 0.4, 0.5, 0.55, 0.6], [0.6, 0.59, 0.6, 0.58, 0.59]
    answer = predicted([rising, flat])
    assert answer.score[0] > answer.score[1]
    assert answer.mean[0] > answer.mean[1]


def test_a_curve_that_never_moved_may_stay_or_start():
    pool = np.vstack([made_curves(8, 6), np.full((1, 6), 0.3)])
    draws = predicted(pool, draws=5000).draws[:, -1]
    assert 0.2 < (np.abs(draws - 0.3) < 0.03).mean() < 0.95
    assert (draws > 0.5).mean() > 0.02


def test_expectations_move_a_candidate_the_less_the_more_was_seen():
    moved = []
    for epochs in (2, 10, 30):
        curves = made_curves(6, 50)[:, :epochs]
        mean, sd = np.array([1.5, 0, 0, 0, 0, -1.5]), np.full(6, 0.6)
        plain = predicted(curves)
        told = predicted(curves, expected_mean=mean, expected_sd=sd)
        assert told.score[0] > plain.score[0]
        assert told.score[5] < plain.score[5]
        moved.append(told.score[0] - plain.score[0])
    assert moved[0] > moved[1] > moved[2]
    silent = predicted(curves, expected_mean=mean, expected_sd=np.ones(6))
    np.testing.assert_allclose(silent.mean, plain.mean)


def test_expectations_that_say_little_move_little():
    """One of six like candidates is expected behind, ever less surely."""
    curves = np.repeat([[0.4, 0.5]], 6, axis=0)
    plain = predicted(curves).mean[0]
    shifts = []
    for sd in (0.3, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0):
        mean, sds = np.array([-1.5, 0, 0, 0, 0, 0]), np.array([sd, 2, 2, 2, 2, 2])
        shifts.append(plain - predicted(curves, expected_mean=mean, expected_sd=sds).mean[0])
    assert shifts[-1] == pytest.approx(0)
    assert shifts[-2] < 0.05
    assert min(shifts) >= 0
    assert max(shifts) < 2.5 * shifts[0]


@pytest.mark.parametrize("n", [3, 8, 17])
def test_contrasts_do_not_narrow_what_is_known_of_the_level(n):
    """Truth drawn from the model itself; intervals hold as often as they say."""
    random, inside = rng(5), []
    for number in range(60):
        curves = made_curves(n, 50, seed=number)[:, :2]
        known = mixture(PRIOR, view(curves, 50, PRIOR.momentum))
        drawn = predicted(curves, draws=1, seed=number).draws[0]
        odds = log_odds(drawn)
        scale = np.sqrt(np.var(known.mean) + known.variance.mean())
        contrast = (odds - odds.mean()) / scale
        mean, sd = contrast + 0.3 * random.standard_normal(n), np.full(n, 0.3)
        mean = mean / (1 + sd**2)  # of a prior N(0, 1) and that reading
        told = predicted(
            curves, expected_mean=mean, expected_sd=sd / np.sqrt(1 + sd**2), seed=1000 + number
        )
        low, high = np.quantile(told.draws, [0.1, 0.9], axis=0)
        inside.append(((drawn >= low) & (drawn <= high)).mean())
    assert np.mean(inside) == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"accuracy": np.zeros(3)}, r"accuracy has shape \(3,\); give \(candidates, epochs\)"),
        ({"accuracy": np.full((2, 3), 40.0)}, r"outside \[0, 1\]; give fractions"),
        ({"accuracy": np.full((2, 3), np.nan)}, r"outside \[0, 1\]; give fractions, none missing"),
        ({"horizon": 2}, "horizon is 2 where 3 epochs were seen"),
        ({"accuracy": np.empty((2, 0))}, "0 epochs; give one or more"),
        ({"expected_mean": np.zeros(2)}, "come together; give both or neither"),
        ({"expected_mean": np.zeros(3), "expected_sd": np.ones(3)}, r"one value per candidate"),
        ({"expected_mean": np.zeros(2), "expected_sd": np.zeros(2)}, "an sd not positive"),
    ],
)
def test_what_cannot_be_used_is_refused(changes, text):
    values = {"accuracy": np.full((2, 3), 0.5), "horizon": 50, "prior": PRIOR, "rng": rng()}
    with pytest.raises(InputError, match=text):
        joint_final(**{**values, **changes})


def test_the_prior_survives_json():
    again = CurvePrior.from_json(json.loads(json.dumps(PRIOR.to_json())))
    assert again == PRIOR
    assert again.provenance["curves"]


def test_the_weight_of_momentum_is_found_again():
    random = rng(1)
    base, gained = random.normal(size=400), random.exponential(0.2, 400)
    final = base + 4.0 * gained + 0.05 * random.normal(size=400)
    groups = [(base, gained, final)]
    found = momentum_weight(groups, 1.0, shares=[1.0], penalty=0.0, rng=rng())
    assert found == pytest.approx(4.0, abs=0.2)
    held = momentum_weight(groups, 1.0, shares=[1.0], penalty=1e3, rng=rng())
    assert held == pytest.approx(1.0, abs=0.01)


def test_shift_and_noise_are_found_again_from_what_the_model_draws():
    true = dataclasses.replace(PRIOR, shift=0.6, noise=PRIOR.noise + 0.5)
    lesson = random_lessons([made_curves(300, 50)], PRIOR.momentum, rng(), pools=150)
    chance = rng(5).uniform(size=len(lesson.final))
    known = mixture(true, lesson.seen)
    grid = (np.arange(400) + 0.5) / 400
    quantiles = known.quantiles(grid)
    drawn = np.array([np.interp(chance[k], grid, quantiles[k]) for k in range(len(chance))])
    found = fitted(
        PRIOR, Lesson(lesson.seen, drawn, lesson.weight), names=("shift", "noise"), penalty=0.0
    )
    assert found.shift == pytest.approx(true.shift, abs=0.05)
    assert found.noise == pytest.approx(true.noise, abs=0.05)


def test_a_history_counts_by_its_length_and_none_changes_nothing():
    assert learned([], [], PRIOR, epochs=5, horizon=50) is PRIOR
    assert learned([made_curves(1, 5)[0]], [], PRIOR, epochs=5, horizon=5) is PRIOR
    curves = made_curves(300, 50)
    pool, truth = made_curves(200, 50, seed=7)[:, :5], made_curves(200, 50, seed=7)[:, -1]

    def density(prior):
        seen = view(pool, 50, prior.momentum)
        return mixture(prior, seen).log_density(log_odds(truth)).mean()

    few = learned(list(curves[:10]), [], PRIOR, epochs=5, horizon=50)
    many = learned(list(curves), [], PRIOR, epochs=5, horizon=50)
    elsewhere = learned([], [list(curves)], PRIOR, epochs=5, horizon=50)
    assert density(many) > density(elsewhere) > density(PRIOR)
    assert density(many) > density(few) > density(PRIOR)


def test_a_history_of_other_lengths_is_read_at_the_same_share():
    short = [curve[::2] for curve in made_curves(60, 100)]
    mixed = [*short, *made_curves(40, 200, seed=2), *made_curves(20, 3), np.array([0.5])]
    prior = learned(mixed, [short], PRIOR, epochs=10, horizon=100)
    assert np.isfinite(prior.momentum)
    assert predicted(made_curves(5, 10), 100, prior=prior).draws.shape == (2000, 5)


def rank_correlations(first, second):
    ranks = [stats.rankdata(one, axis=1) for one in (first, second)]
    a, b = (one - one.mean(axis=1, keepdims=True) for one in ranks)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.where(scale > 0, scale, np.nan)


@pytest.mark.parametrize("held", ["cifar-10", "mnist", "celeba-gender"])
def test_real_curves_of_a_data_set_not_learned_from_are_ordered_better_than_by_best(
    real_data, held
):
    groups = grouped([real_data / "curves" / "lemur_50_epochs.jsonl.gz"])
    others = [curves for name, curves in groups.items() if name != held]
    prior = learned_prior(others, None, pools=30)
    curves, random = groups[held], rng(11)
    pools = [curves[random.choice(len(curves), 17, replace=False)] for _ in range(300)]
    truth = np.array([pool[:, -1] for pool in pools])
    half = np.argsort(-truth, axis=1, kind="stable")[:, :9]
    chances = []
    for epochs in (5, 10):
        best = np.array([pool[:, :epochs].max(axis=1) for pool in pools])
        score = []
        for pool in pools:
            known = mixture(prior, view(pool[:, :epochs], 50, prior.momentum))
            score.append(known.quantiles(np.array([0.5]))[:, 0])
            chances.append(known.chance_below(log_odds(pool[:, -1:]))[:, 0])
        for some in (np.arange(17)[None], half):
            final, by_model, by_best = (
                np.take_along_axis(one, some, axis=1) for one in (truth, np.array(score), best)
            )
            gain = rank_correlations(by_model, final) - rank_correlations(by_best, final)
            assert np.nanmean(gain) > 0.003
    chance = np.concatenate(chances)
    for nominal in (0.8, 0.95):
        covered = (np.abs(chance - 0.5) <= nominal / 2).mean()
        assert covered == pytest.approx(nominal, abs=0.1)
