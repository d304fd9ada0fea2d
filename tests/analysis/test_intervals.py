"""Intervals: worked examples, and the coverage that they have in simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import ndtr, ndtri

from smalltune.analysis.intervals import Spread, estimate, estimates, interval, shares, spread
from smalltune.analysis.records import Sample
from smalltune.metrics.accuracy import Accuracy
from smalltune.metrics.macro_f1 import MacroF1
from smalltune.metrics.nll import NegativeLogLikelihood


def sample(values, metric=Accuracy, seeds=None, groups=()) -> Sample:
    """Make a sample of statistics [seeds, items] or [seeds, items, k]."""
    stats = np.asarray(values, dtype=np.float64)
    stats = stats[..., None] if stats.ndim == 2 else stats
    seeds = tuple(range(stats.shape[0])) if seeds is None else seeds
    items = tuple(str(i) for i in range(stats.shape[1]))
    return Sample("m", "a", "t", "test", metric, stats, seeds, items, ("key",), (), groups)


def losses(values, **options) -> Sample:
    """Make a sample of a metric without an upper bound, so that the interval is a plain t."""
    return sample(values, metric=NegativeLogLikelihood, **options)


# Worked examples


def test_the_variance_is_that_of_the_two_way_layout():
    # Seed means 2, 4 (variance 2); item means 2, 3, 4 (variance 1); no interaction is left over.
    values = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    found = spread(values.mean(axis=1), values)
    assert found.variance == pytest.approx(2 / 2 + 1 / 3)
    assert found.df == pytest.approx((4 / 3) ** 2 / (1**2 / 1 + (1 / 3) ** 2 / 2))
    assert found.levels == ("seeds", "items")


def test_the_interaction_is_taken_off_once():
    # Rest of the two-way layout: +-1 with one degree of freedom, so 4 / 1 / (2 * 2) = 1.
    values = np.array([[5.0, 1.0], [1.0, 1.0]]) + np.array([[0.0], [4.0]])
    seeds, items = values.mean(axis=1).var(ddof=1) / 2, values.mean(axis=0).var(ddof=1) / 2
    assert (seeds, items) == (1.0, 1.0)
    assert spread(values.mean(axis=1), values).variance == pytest.approx(1 + 1 - 1)


def test_the_variance_is_never_below_the_larger_level():
    values = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.1]])
    seeds = values.mean(axis=1).var(ddof=1) / 2
    items = values.mean(axis=0).var(ddof=1) / 4
    assert spread(values.mean(axis=1), values).variance == pytest.approx(max(seeds, items))


def test_one_seed_gives_the_classic_t_interval_over_items():
    values = np.array([[0.3, 0.1, 0.5, 0.2, 0.9]])
    found = estimate(losses(values))
    expected = scipy_stats.t.interval(0.95, 4, values.mean(), scipy_stats.sem(values[0]))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.levels == ("items",) and found.seeds == 1 and math.isnan(found.sd)


def test_one_item_gives_the_classic_t_interval_over_seeds():
    values = np.array([[0.3], [0.1], [0.5], [0.2]])
    found = estimate(losses(values))
    expected = scipy_stats.t.interval(0.95, 3, values.mean(), scipy_stats.sem(values[:, 0]))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.levels == ("seeds",)


def test_seeds_that_repeat_exactly_give_the_interval_of_the_items_alone():
    row = [0.3, 0.1, 0.5, 0.2, 0.9, 0.4]
    once, twice = estimate(losses([row])), estimate(losses([row, row]))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert twice.df == pytest.approx(5)
    right = [1, 0, 1, 1, 0, 1]
    once, twice = estimate(sample([right])), estimate(sample([right, right]))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_a_method_without_seeds_covers_items_only_and_says_so():
    found = estimate(sample([[1, 0, 1, 1]], seeds=(None,)))
    assert found.levels == ("items",) and found.seeds == 0 and found.per_seed == ((None, 0.75),)


def test_one_seed_and_one_item_have_no_interval():
    found = estimate(losses([[0.3]]))
    assert found.value == 0.3 and found.levels == ()
    assert all(math.isnan(x) for x in (found.low, found.high, found.se, found.sd))


def test_nothing_stored_is_undefined_and_not_zero():
    empty = Sample("m", "a", "t", "test", Accuracy, np.empty((0, 0, 0)), (), (), (), ("m/a/t/0",))
    found = estimate(empty)
    assert all(math.isnan(x) for x in (found.value, found.low, found.high, found.se))
    assert found.gaps == ("m/a/t/0",)


def test_an_infinite_loss_has_no_interval():
    found = estimate(losses([[0.1, math.inf, 0.2]]))
    assert math.isinf(found.value) and math.isnan(found.low) and math.isnan(found.high)


def test_a_share_gets_wilsons_interval():
    # 15 of 20 right, one run: variance p(1-p)/19, so the effective number of items is 19.
    low, high = interval(0.75, Spread(0.75 * 0.25 / 19, 1e9, ("items",)), 20, 0.95, (0, 1))
    expected = scipy_stats.binomtest(15, 20).proportion_ci(method="wilson")
    z, n, p = 1.959963984540054, 19, 0.75
    assert low == pytest.approx(
        (p + z * z / 2 / n - z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)) / (1 + z * z / n)
    )
    assert low == pytest.approx(expected.low, abs=0.01)
    assert high == pytest.approx(expected.high, abs=0.01)


def test_all_right_is_not_certainty():
    found = estimate(sample(np.ones((6, 50))))
    assert found.value == 1.0 and found.high == 1.0 and 0.9 < found.low < 0.96
    wilson = scipy_stats.binomtest(50, 50).proportion_ci(method="wilson")
    assert found.low == pytest.approx(wilson.low, abs=0.005)  # t with 49 df instead of z


def test_the_shares_of_a_mean_are_the_values_themselves():
    values = np.random.default_rng(0).random((3, 7, 1))
    np.testing.assert_allclose(shares(values, NegativeLogLikelihood.combine), values[..., 0])


def test_the_shares_of_macro_f1_are_those_of_deleting_one_item_at_a_time():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 20)
    stats = np.stack([MacroF1.items(gold, rng.random((20, 2)), ["a", "b"]) for _ in range(2)])
    found = shares(stats, MacroF1.combine)
    for seed in range(2):
        for item in range(20):
            without = np.delete(stats[seed], item, axis=0).mean(axis=0)
            whole = stats[seed].mean(axis=0)
            expected = 20 * MacroF1.combine(whole) - 19 * MacroF1.combine(without)
            assert found[seed, item] == pytest.approx(float(expected))


# Groups: items of one passage or article


def test_the_share_of_a_group_is_that_of_leaving_it_out():
    rng = np.random.default_rng(0)
    gold, groups = rng.integers(0, 2, 20), [f"g{i}" for i in rng.integers(0, 5, 20)]
    stats = np.stack([MacroF1.items(gold, rng.random((20, 2)), ["a", "b"]) for _ in range(2)])
    found = shares(stats, MacroF1.combine, groups)
    assert found.shape == (2, 5)
    for seed in range(2):
        for place, group in enumerate(sorted(set(groups))):
            rest = stats[seed][[one != group for one in groups]].mean(axis=0)
            whole = stats[seed].mean(axis=0)
            expected = 5 * MacroF1.combine(whole) - 4 * MacroF1.combine(rest)
            assert found[seed, place] == pytest.approx(float(expected))


def test_groups_of_one_item_each_change_nothing():
    values = np.random.default_rng(0).random((3, 7))
    alone = estimate(losses(values, groups=tuple("gfedcba")))
    plain = estimate(losses(values))
    assert (alone.low, alone.high, alone.df) == pytest.approx((plain.low, plain.high, plain.df))


def test_an_item_that_stands_there_ten_times_says_no_more_than_once():
    row = [0.3, 0.1, 0.5, 0.2, 0.9, 0.4]
    once = estimate(losses([row]))
    tenfold = estimate(
        losses([np.repeat(row, 10)], groups=tuple("abcdef"[i // 10] for i in range(60)))
    )
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))
    assert (tenfold.items, tenfold.groups, tenfold.covers) == (60, 6, ("groups of items",))


def test_one_group_is_one_item():
    values = np.array([[9.3, 9.2, 9.6], [9.1, 9.0, 9.1], [9.5, 9.9, 9.6]])
    found = estimate(losses(values, groups=("a",) * 3))
    expected = scipy_stats.t.interval(0.95, 2, values.mean(), scipy_stats.sem(values.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx(expected) and found.levels == ("seeds",)


def test_estimates_give_every_cell_and_metric(small):
    found = estimates(small().results())
    assert len(found) == 9
    assert [(e.method, e.metric) for e in found[:3]] == [
        ("majority", "accuracy"), ("majority", "macro_f1"), ("majority", "nll"),
    ]  # fmt: skip
    assert all(e.low <= e.value <= e.high for e in found)


# Simulation: 6 seeds, items of their own difficulty, every answer with its own luck


def latent(rng, seeds, items, mean, seed_sd, own=1.0):
    """Draw how far each answer is on the right side: seed, item and both together."""
    difficulty = rng.normal(mean, own, items) + rng.normal(0, seed_sd, (seeds, 1))
    return difficulty + rng.normal(size=(seeds, items))


def covered(draw, truth, repeats, metric):
    hits = [
        (found := estimate(sample(draw(), metric))).low <= truth <= found.high
        for _ in range(repeats)
    ]
    return sum(hits) / repeats


@pytest.mark.parametrize("items", [150, 400, 900])
@pytest.mark.parametrize(("share", "seed_sd"), [(0.6, 0.05), (0.85, 0.2), (0.95, 0.1)])
def test_six_seeds_cover_the_true_accuracy_as_often_as_they_say(items, share, seed_sd):
    rng = np.random.default_rng(items)
    mean = ndtri(share) * math.sqrt(2)
    truth = ndtr(mean / math.sqrt(2 + seed_sd**2))
    found = covered(lambda: latent(rng, 6, items, mean, seed_sd) > 0, truth, 500, Accuracy)
    assert 0.92 <= found <= 0.985  # 95 % +- three standard errors of 500 draws


@pytest.mark.parametrize("seed_sd", [0.05, 0.2])
def test_groups_of_items_are_covered_as_often_as_said_and_items_alone_too_rarely(seed_sd):
    """40 groups of 2 to 30 items that share a third of what makes an item hard."""
    rng = np.random.default_rng(3)
    mean, shared, repeats = ndtri(0.7) * math.sqrt(2), math.sqrt(1 / 3), 300
    truth = ndtr(mean / math.sqrt(2 + seed_sd**2))
    grouped = alone = 0
    for _ in range(repeats):
        names = np.repeat(np.arange(40), rng.integers(2, 31, 40))
        hard = rng.normal(0, shared, 40)[names]
        rest = latent(rng, 6, len(names), mean, seed_sd, own=math.sqrt(1 - shared**2))
        values, groups = hard + rest > 0, tuple(map(str, names))
        for taken in (groups, ()):
            found = estimate(sample(values, groups=taken))
            hit = found.low <= truth <= found.high
            grouped, alone = (grouped + hit, alone) if taken else (grouped, alone + hit)
    assert alone / repeats < 0.85 < 0.91 <= grouped / repeats <= 0.99


@pytest.mark.parametrize("seed_sd", [0.05, 0.3])
def test_six_seeds_cover_the_true_macro_f1(seed_sd):
    rng = np.random.default_rng(1)

    def draw(seeds=6, items=200):
        gold = (rng.random(items) < 0.3).astype(int)
        right = latent(rng, seeds, items, np.where(gold == 1, 0.5, 1.5), seed_sd) > 0
        said = np.where(right, gold, 1 - gold)
        parts = [(gold == c, said == c) for c in (0, 1)]
        columns = [np.broadcast_to(g & s, said.shape) for g, s in parts]
        columns += [~g & s for g, s in parts] + [g & ~s for g, s in parts]
        return np.stack(columns, axis=-1).astype(float)

    truth = float(MacroF1.combine(draw(1500, 1000).mean(axis=1)).mean())
    assert 0.92 <= covered(draw, truth, 400, MacroF1) <= 0.985


def test_the_interval_covers_better_than_the_two_level_bootstrap():
    """Where six seeds differ much, percentiles of resampled seeds are too narrow."""
    rng = np.random.default_rng(2)
    mean, seed_sd, seeds, items, repeats = ndtri(0.75) * math.sqrt(2), 0.4, 6, 200, 300
    truth = ndtr(mean / math.sqrt(2 + seed_sd**2))
    ours = theirs = 0
    for _ in range(repeats):
        right = (latent(rng, seeds, items, mean, seed_sd) > 0).astype(float)
        found = estimate(sample(right))
        ours += found.low <= truth <= found.high
        by_seed = rng.multinomial(seeds, [1 / seeds] * seeds, 200) / seeds
        by_item = rng.multinomial(items, [1 / items] * items, 200) / items
        low, high = np.quantile(((by_seed @ right) * by_item).sum(axis=1), [0.025, 0.975])
        theirs += low <= truth <= high
    assert theirs / repeats < 0.92 < ours / repeats
