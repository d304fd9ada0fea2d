"""Metrics of weighed labels, against scikit-learn, SciPy and worked examples."""

import math

import numpy as np
import pytest
from metrics.made import METRICS, log_probs, value
from sklearn.metrics import f1_score, matthews_corrcoef

from smalltune.measures import calibration


def sure(rows: list[list[float]]) -> np.ndarray:
    return np.log(np.array(rows))


@pytest.mark.parametrize("labels", [2, 3, 5])
@pytest.mark.parametrize("seed", range(10))
def test_matthews_is_that_of_scikit_learn(labels, seed):
    rng = np.random.default_rng(seed)
    gold, said = rng.integers(0, labels, 40).tolist(), rng.integers(0, labels, 40).tolist()
    expected = matthews_corrcoef(gold, said)
    found = value("matthews", gold, log_probs(said, labels), list("abcde")[:labels])
    assert found == pytest.approx(expected)


def test_matthews_of_a_constant_answer_is_undefined_and_not_zero():
    scores = log_probs([0, 0, 0, 0], 2)
    assert math.isnan(value("matthews", [0, 1, 0, 1], scores, ["a", "b"]))
    assert math.isnan(value("matthews", [0, 0, 0, 0], log_probs([0, 1, 0, 1], 2), ["a", "b"]))


def test_matthews_counts_no_answer_as_a_label_of_its_own():
    gold, said = [0, 1, 2, 0, 1, 2], [0, 1, -1, 2, 1, -1]
    expected = matthews_corrcoef(gold, [3 if s < 0 else s for s in said])
    assert value("matthews", gold, log_probs(said), list("abc")) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_micro_f1_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    gold, said = rng.integers(0, 3, 30).tolist(), rng.integers(0, 3, 30).tolist()
    expected = f1_score(gold, said, average="micro")
    assert value("micro_f1", gold, log_probs(said), list("abc")) == pytest.approx(expected)


def test_micro_f1_with_outputs_that_are_no_label_is_that_of_scikit_learn_over_the_labels():
    gold, said = [0, 1, 2, 0, 1, 2], [0, 1, -1, 2, 1, -1]
    outside = [3 if s < 0 else s for s in said]
    for name in ("micro", "macro"):
        expected = f1_score(gold, outside, labels=[0, 1, 2], average=name)
        assert value(f"{name}_f1", gold, log_probs(said), list("abc")) == pytest.approx(expected)


def test_no_answer_is_never_the_first_label():
    """A row of NaN has its argmax in the first column; it must not pass for that label."""
    scores = log_probs([-1, -1, 1], 2)
    assert value("accuracy", [0, 0, 1], scores, ["a", "b"]) == pytest.approx(1 / 3)
    assert value("macro_f1", [0, 0, 1], scores, ["a", "b"]) == pytest.approx(1 / 2)


@pytest.mark.parametrize("name", ["brier", "ece", "ece_scaled"])
def test_a_broken_item_does_not_take_the_value_from_the_others(name):
    gold, said = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1]
    scores = log_probs(said, 2)
    broken = np.insert(scores, 2, np.nan, axis=0)
    half = np.insert(scores, 0, [0.0, np.nan], axis=0)
    whole = value(name, gold, scores, ["a", "b"])
    assert math.isfinite(whole)
    assert value(name, [0, 1, 0, 1, 0, 1], broken, ["a", "b"]) == pytest.approx(whole)
    assert value(name, [1, *gold], half, ["a", "b"]) == pytest.approx(whole)
    assert math.isnan(value(name, [0, 1], log_probs([-1, -1], 2), ["a", "b"]))


def test_a_likelihood_that_one_item_lacks_is_undefined():
    scores = log_probs([0, 2, 1])
    assert math.isfinite(value("nll", [0, 2, 2], scores, list("abc")))
    for row in ([np.nan] * 3, [0.0, -np.inf, -np.inf]):
        more = np.insert(scores, 1, row, axis=0)
        assert math.isnan(value("nll", [0, 0, 2, 2], more, list("abc")))


@pytest.mark.parametrize("name", ["brier", "ece", "ece_scaled"])
def test_an_answer_that_was_written_has_no_probability(name):
    never = -np.inf
    written = np.array([[0.0, never, never], [never, 0.0, never]])
    assert math.isnan(value(name, [0, 2], written, list("abc")))
    scores = np.concatenate([written, log_probs([0, 2, 1])])
    expected = value(name, [0, 2, 2], log_probs([0, 2, 1]), list("abc"))
    assert value(name, [0, 2, 0, 2, 2], scores, list("abc")) == pytest.approx(expected)
    assert value("accuracy", [0, 2], written, list("abc")) == 0.5


def test_what_was_not_weighed_has_no_temperature():
    scores = np.array([[np.log(0.9), np.log(0.1)], [0.0, -np.inf], [np.nan, np.nan]])
    found = calibration.scaled(scores, 2.0)
    assert np.exp(found[0]).tolist() == pytest.approx([0.75, 0.25])
    np.testing.assert_array_equal(found[1:], scores[1:])
    gold = [0, 1, 0, 1]
    some = np.concatenate([log_probs([0, 0, 0], 2), [[0.0, -np.inf]]])
    alone = calibration.temperature(gold[:3], some[:3], 2)
    assert calibration.temperature(gold, some, 2) == pytest.approx(alone)


def test_brier_is_the_squared_distance_over_all_labels():
    # Sure and right: 0. Half and half: .25 + .25. Sure and wrong: 1 + 1.
    scores = sure([[1.0, 1e-300], [0.5, 0.5], [1e-300, 1.0]])
    assert value("brier", [0, 0, 0], scores, ["a", "b"]) == pytest.approx((0 + 0.5 + 2) / 3)


def test_calibration_error_of_a_worked_example():
    """Two bins' worth of confidences: .6 twice (one right), .9 twice (both right).

    With as many bins as items, equal confidences still share one: |.5 - .6| and |1 - .9|, half the
    items each.
    """
    scores = sure([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]])
    assert value("ece", [0, 1, 1, 0], scores, ["a", "b"]) == pytest.approx(0.1)


def test_calibration_bins_hold_equally_many_items():
    rng = np.random.default_rng(0)
    confident = rng.uniform(0.5, 1.0, 300)
    scores = sure([[p, 1 - p] for p in confident])
    gold = rng.integers(0, 2, 300)
    placed = METRICS["ece"].items(gold, scores, ["a", "b"])
    assert (placed[:, :-1] != 0).sum(axis=0).tolist() == [20] * calibration.BINS
    assert placed[:, -1].tolist() == [1.0] * 300
    ranked = np.array_split(np.argsort(confident), calibration.BINS)
    by_hand = sum(
        abs(np.mean(gold[part] == 0) - confident[part].mean()) * len(part) / 300 for part in ranked
    )
    assert value("ece", gold, scores, ["a", "b"]) == pytest.approx(by_hand)


def test_one_confidence_for_all_is_one_bin():
    """The majority baseline is as sure of every item: its error is that of its mean."""
    scores = sure([[0.7, 0.3]] * 20)
    assert value("ece", [0] * 12 + [1] * 8, scores, ["a", "b"]) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_the_one_that_scipy_finds(seed):
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 4, 200)
    raw = rng.normal(size=(200, 4))
    raw[range(200), gold] += 1
    scores = calibration.scaled(raw, rng.uniform(0.1, 0.9))

    def loss(degree: float) -> float:
        return -float(calibration.scaled(scores, degree)[range(200), gold].mean())

    best = minimize_scalar(loss, bounds=(0.01, 20), method="bounded", options={"xatol": 1e-7})
    assert calibration.temperature(gold, scores, 4) == pytest.approx(best.x, rel=1e-4)


def test_a_temperature_mends_overconfidence_and_no_answer():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 2000)
    raw = rng.normal(size=(2000, 2))
    raw[range(2000), gold] += 1
    honest = calibration.scaled(raw, 1)
    loud = calibration.scaled(raw, 0.2)
    degree = calibration.temperature(gold, loud, 2)
    mended = calibration.scaled(loud, degree)
    assert (mended.argmax(axis=1) == honest.argmax(axis=1)).all()
    errors = [value("ece", gold, scores, ["a", "b"]) for scores in (loud, mended)]
    assert errors[0] > 0.1 > 0.04 > errors[1]


def test_the_temperature_ends_where_all_are_right_and_leaves_out_what_is_no_answer():
    assert calibration.temperature([0, 1], log_probs([0, 1], 2), 2) == pytest.approx(0.01)
    scores = np.concatenate([log_probs([0, 1, 1], 2), log_probs([-1], 2)])
    with_none = calibration.temperature([0, 1, 0, 0], scores, 2)
    assert with_none == pytest.approx(calibration.temperature([0, 1, 0], scores[:3], 2))
    assert math.isnan(calibration.temperature([0], log_probs([-1], 2), 2))


def test_a_choice_that_an_item_does_not_have_stays_without_a_chance():
    for never in (-1e9, -np.inf):
        scores = np.array([[np.log(0.5), np.log(0.5), never]])
        assert np.exp(calibration.scaled(scores, 100.0))[0] == pytest.approx([0.5, 0.5, 0])


@pytest.mark.parametrize("name", ["invalid_rate", "unended_rate"])
def test_the_invalid_rate_is_the_share_without_an_answer_and_the_unended_without_an_end(name):
    assert value(name, [True, False, True, True]) == pytest.approx(0.25)
