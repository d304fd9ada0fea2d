"""Contrasts: worked examples, and how often they claim a difference where there is none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from smalltune.analysis.contrasts import (
    BETTER,
    EQUIVALENT,
    UNDECIDED,
    WORSE,
    contrast,
    declared,
)
from smalltune.analysis.exact import holm, sign_flip, smallest_p
from smalltune.analysis.records import Sample
from smalltune.core.errors import DataError
from smalltune.metrics.accuracy import Accuracy
from smalltune.metrics.nll import NegativeLogLikelihood


def sample(values, method="a", metric=Accuracy, seeds=None) -> Sample:
    """Make a sample of per-item values [seeds, items]."""
    stats = np.asarray(values, dtype=np.float64)[..., None]
    seeds = tuple(range(len(stats))) if seeds is None else seeds
    items = tuple(str(i) for i in range(stats.shape[1]))
    keys = tuple(f"{method}{seed}" for seed in seeds)
    return Sample("m", method, "t", "test", metric, stats, seeds, items, keys, ())


def shifted(by: float, seeds: int = 6, items: int = 200, noise: float = 0.01):
    """Make two samples of losses, `a` less `by` per item on average, with a little noise."""
    rng = np.random.default_rng(0)
    hard = rng.random(items)
    a = hard - by + rng.normal(0, noise, (seeds, items))
    b = hard + rng.normal(0, noise, (seeds, items))
    return sample(a, "a", NegativeLogLikelihood), sample(b, "b", NegativeLogLikelihood)


# The sign-flip test


def test_six_differences_of_one_sign_give_the_smallest_p():
    assert sign_flip([0.02, 0.03, 0.01, 0.04, 0.02, 0.03]) == 2 / 64 == smallest_p(6)


def test_one_turned_sign_doubles_it():
    assert sign_flip([0.02, 0.03, -0.01, 0.04, 0.02, 0.03]) == 4 / 64


def test_five_seeds_can_never_reach_five_percent():
    assert smallest_p(5) == 0.0625 and sign_flip([1, 2, 3, 4, 5]) == 0.0625


@pytest.mark.parametrize("n", [2, 3, 6, 7, 10])
def test_it_is_the_permutation_test_of_scipy(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(0.5, 1, n), rng.integers(-2, 4, n).astype(float)):
        expected = scipy_stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=math.inf
        )
        assert sign_flip(values) == pytest.approx(expected.pvalue)


def test_many_differences_are_still_exact():
    assert sign_flip(np.ones(30)) == 2.0**-29
    # 24 of one sign and 2 of the other: at most two heads of 26 coins, on either side.
    expected = scipy_stats.binomtest(2, 26).pvalue
    assert sign_flip([1.0] * 24 + [-1.0] * 2) == pytest.approx(expected)


def test_no_difference_at_all_is_p_of_one():
    assert sign_flip([0.0, 0.0, 0.0]) == 1.0 and sign_flip([0.1, -0.1]) == 1.0


def test_one_difference_has_no_p():
    assert math.isnan(sign_flip([0.3])) and math.isnan(smallest_p(1))
    assert math.isnan(sign_flip([0.3, math.nan]))


def test_holm_is_the_step_down_correction():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []
    assert holm([0.02])[0] == 0.02


def test_an_undefined_p_counts_in_the_family_and_stays_undefined():
    adjusted = holm([math.nan, 0.01])
    assert math.isnan(adjusted[0]) and adjusted[1] == 0.02


# The paired difference


def test_the_difference_is_paired_by_seed_and_item():
    a, b = sample([[1, 1, 0, 1], [1, 1, 1, 1]], "a"), sample([[1, 0, 0, 1], [0, 1, 0, 1]], "b")
    found = contrast(a, b)
    assert found.differences == ((0, 0.25), (1, 0.5))
    assert found.estimate.value == 0.375 and found.estimate.method == "a - b"
    assert found.keys == ("a0", "a1", "b0", "b1")
    assert found.pairing == "the same seeds on both sides"


def test_seeds_are_matched_by_their_number_and_the_rest_is_named():
    a = sample([[1, 1], [0, 1], [0, 0]], "a", seeds=(2, 0, 1))
    b = sample([[1, 0], [1, 1]], "b", seeds=(0, 2))
    found = contrast(a, b)
    assert found.differences == ((2, 0.0), (0, 0.0))
    assert found.left_out == ("m/a/t/1",) and found.estimate.gaps == ("m/a/t/1",)


def test_the_interval_is_that_of_the_differences():
    from smalltune.analysis.intervals import estimate

    a, b = shifted(0.05)
    found = contrast(a, b).estimate
    alone = estimate(replace(a, stats=a.stats - b.stats))
    assert (found.high, found.df) == pytest.approx((alone.high, alone.df))
    assert found.high - found.value == pytest.approx(found.value - found.low)
    assert found.low < 0 == alone.low  # a loss is never below zero, a difference may be
    assert found.levels == ("seeds", "items")


def test_a_method_without_seeds_stands_beside_each_seed():
    a, b = sample([[1, 1, 0, 1], [1, 1, 1, 1]], "full"), sample([[1, 0, 0, 1]], "majority")
    found = contrast(a, replace(b, seeds=(None,)))
    assert found.differences == ((0, 0.25), (1, 0.5))
    assert found.pairing == "the one run of majority, which has no seeds, beside each seed of full"
    turned = contrast(replace(b, seeds=(None,)), a)
    assert turned.differences == ((0, -0.25), (1, -0.5)) and turned.p == found.p == 0.5


def test_two_methods_without_seeds_have_an_interval_and_no_exact_p():
    a, b = sample([[1, 1, 0, 1, 1]], "tfidf"), sample([[1, 0, 0, 1, 0]], "majority")
    found = contrast(replace(a, seeds=(None,)), replace(b, seeds=(None,)))
    assert found.estimate.levels == ("items",) and found.estimate.seeds == 0
    assert math.isnan(found.p) and found.verdict == UNDECIDED


def test_two_methods_without_seeds_are_told_apart_by_the_items_alone():
    rng = np.random.default_rng(0)
    a, b = sample([rng.random(300) < 0.9], "tfidf"), sample([rng.random(300) < 0.5], "majority")
    found = contrast(replace(a, seeds=(None,)), replace(b, seeds=(None,)))
    assert found.p_adjusted == found.p_items < 0.001
    assert found.verdict == BETTER


def test_one_seed_never_gives_a_verdict():
    a, b = shifted(5.0, seeds=1)
    found = contrast(a, b)
    assert found.estimate.high < 0 and math.isnan(found.p) and found.verdict == UNDECIDED


def test_other_items_or_another_metric_are_an_error():
    a, b = sample([[1, 1]]), sample([[1, 0]], "b")
    with pytest.raises(DataError, match="not scored on the same items"):
        contrast(a, replace(b, items=("x", "y")))
    with pytest.raises(DataError, match="not the same task, split and metric"):
        contrast(a, replace(b, metric=NegativeLogLikelihood))


def test_an_infinite_loss_gives_an_undefined_difference_and_no_warning():
    a, b = shifted(0.05)
    a.stats[0, 0] = b.stats[0, 0] = math.inf
    found = contrast(a, b)
    assert math.isnan(found.p) and math.isnan(found.estimate.low) and found.verdict == UNDECIDED


def test_nothing_stored_gives_an_undefined_contrast():
    a = Sample("m", "a", "t", "test", Accuracy, np.empty((0, 0, 0)), (), (), (), ("m/a/t/0",))
    found = contrast(a, sample([[1, 0], [1, 1]], "b"))
    assert math.isnan(found.estimate.value) and math.isnan(found.p)
    assert found.verdict == UNDECIDED and "m/a/t/0" in found.left_out


# The verdict


def test_a_clear_difference_goes_by_the_metrics_good_direction():
    a, b = shifted(0.05)  # losses: lower is better
    assert contrast(a, b).verdict == BETTER and contrast(b, a).verdict == WORSE
    assert contrast(a, b).p == 1 / 32


def test_five_seeds_are_not_enough_however_clear_it_looks():
    a, b = shifted(5.0, seeds=5)
    found = contrast(a, b)
    assert found.estimate.high < 0 and found.p == 0.0625 and found.verdict == UNDECIDED


def test_a_difference_that_only_these_items_have_is_no_verdict():
    # Every seed agrees (p = 1/32), but the difference hangs on a few of the items.
    a, b = np.zeros((6, 20)), np.zeros((6, 20))
    a[:, 0] = 3.0
    found = contrast(sample(a, "a", NegativeLogLikelihood), sample(b, "b", NegativeLogLikelihood))
    assert found.p == 1 / 32 and found.estimate.low < 0 < found.estimate.high
    assert found.verdict == UNDECIDED


def test_methods_within_the_smallest_effect_of_interest_are_equivalent():
    a, b = shifted(0.0)
    assert contrast(a, b, sesoi=0.01).verdict == EQUIVALENT
    assert contrast(a, b, sesoi=1e-6).verdict == UNDECIDED
    assert contrast(a, b).verdict == UNDECIDED


def test_a_sure_difference_below_the_smallest_of_interest_is_not_called_better():
    a, b = shifted(0.05)
    assert contrast(a, b, sesoi=0.2).verdict == EQUIVALENT
    assert contrast(a, b, sesoi=0.01).verdict == BETTER


def test_declared_contrasts_are_one_family(small):
    made = small()
    made.declared["contrasts"] = [
        {"a": "lora", "b": "full"},
        {"a": "full", "b": "majority", "metric": "nll", "task": None, "model": None},
        {"a": "full", "b": "majority"},
    ]
    found = declared(made.results())
    assert [c.estimate.method for c in found] == ["lora - full", *["full - majority"] * 2]
    assert [c.estimate.metric for c in found] == ["accuracy", "nll", "accuracy"]
    raw = [max(c.p, c.p_items) for c in found]
    assert [c.p_adjusted for c in found] == pytest.approx(holm(raw))
    assert {c.family for c in found} == {3} and {c.alpha for c in found} == {0.05}


def test_no_declared_contrast_is_an_empty_family(small):
    made = small()
    made.declared = {}
    assert declared(made.results()) == ()


# Simulation: no difference but chance


@pytest.mark.parametrize(("seeds", "items"), [(6, 150), (6, 600), (10, 150)])
@pytest.mark.parametrize(("seed_sd", "taste"), [(0.05, 0.0), (0.05, 0.5), (0.3, 0.3)])
def test_methods_that_differ_by_chance_alone_are_seldom_told_apart(seeds, items, seed_sd, taste):
    """`taste` is how far items suit one method and not the other: over all items it evens out."""
    rng = np.random.default_rng(seeds * items)
    repeats, claims, covered = 300, 0, 0
    for _ in range(repeats):
        hard = rng.normal(1.2, 1, items)
        a, b = (
            hard
            + rng.normal(0, taste, items)
            + rng.normal(0, seed_sd, (seeds, 1))
            + rng.normal(size=(seeds, items))
            > 0
            for _ in range(2)
        )
        found = contrast(sample(a, "a"), sample(b, "b"))
        claims += found.verdict != UNDECIDED
        covered += found.estimate.low <= 0 <= found.estimate.high
    assert claims / repeats <= 0.08  # 5 % and two and a half standard errors of 300 draws
    assert covered / repeats >= 0.91


def test_seeds_alone_would_claim_too_much_where_items_differ_in_taste():
    """Ten seeds agree on what is chance of the test items: the interval must have its say."""
    rng = np.random.default_rng(0)
    by_seeds = claims = 0
    for _ in range(400):
        hard = rng.normal(1.2, 1, 300)
        a, b = (hard + rng.normal(0, 0.7, 300) + rng.normal(size=(10, 300)) > 0 for _ in range(2))
        found = contrast(sample(a, "a"), sample(b, "b"))
        by_seeds += found.p < 0.05
        claims += found.verdict != UNDECIDED
    assert by_seeds / 400 > 0.12 and claims / 400 < 0.08


def test_items_of_one_group_are_compared_as_a_group(made):
    """Ten items, each there thrice: as much is known as of ten."""
    rng = np.random.default_rng(0)
    gold, better = [0, 1] * 5, rng.uniform(0.3, 0.9, (3, 10))
    for task, times in (("once", 1), ("thrice", 3)):
        groups = {"test": [f"g{i}" for i in range(10) for _ in range(times)]}
        made.data({"test": np.repeat(gold, times).tolist()}, task, groups if times > 1 else None)
        for seed in range(3):
            for method, probs in (("a", better[seed]), ("b", np.full(10, 0.5))):
                made.add(method, seed, {"test": np.repeat(probs, times).tolist()}, task=task)
    results = made.results()
    once, thrice = (
        contrast(*(results.sample("micro", m, task, "test", "nll") for m in "ab"))
        for task in ("once", "thrice")
    )
    assert thrice.p_items == pytest.approx(once.p_items)
    assert (thrice.estimate.low, thrice.estimate.high) == pytest.approx(
        (once.estimate.low, once.estimate.high)
    )
    assert (once.estimate.groups, thrice.estimate.groups, thrice.estimate.items) == (0, 10, 30)


def test_an_item_without_a_group_stands_by_itself(made):
    made.data({"test": [0, 1, 0, 1]}, "mixed", {"test": ["x", "x", "", ""]})
    made.add("a", 0, {"test": [0.2, 0.7, 0.4, 0.1]}, task="mixed")
    results = made.results()
    groups = results.sample("micro", "a", "mixed", "test", "nll").groups
    assert groups[0] == groups[1] == "x" and len(set(groups)) == 3
