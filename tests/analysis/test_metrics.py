"""The metrics of every study, against worked examples and scikit-learn; see `tests/metrics`."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from smalltune.core.plugins import load

GOLD = [0, 0, 1, 1, 1, 2]
SAID = [0, 1, 1, 1, 0, 2]
NAMES = ["a", "b", "c"]


def log_probs(said: list[int], labels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(len(said), labels))
    scores[range(len(said)), said] = 4
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def value(metric: str, gold: list[int], scores: np.ndarray, labels: list[str] = NAMES) -> float:
    kind = load("smalltune.metrics", metric)
    return float(kind.combine(kind.items(gold, scores, labels).mean(axis=0)))


def test_accuracy_is_the_share_of_right_labels():
    assert value("accuracy", GOLD, log_probs(SAID)) == pytest.approx(4 / 6)
    assert value("accuracy", GOLD, log_probs(SAID)) == pytest.approx(accuracy_score(GOLD, SAID))


def test_macro_f1_is_the_mean_of_the_labels_f1():
    # a: 1 right, 1 wrongly said, 1 missed: 2/4; b: 2 right, 1 and 1: 4/6; c: 1 right: 1
    assert value("macro_f1", GOLD, log_probs(SAID)) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


@pytest.mark.parametrize("seed", range(20))
def test_macro_f1_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    gold, said = rng.integers(0, 4, 15).tolist(), rng.integers(0, 4, 15).tolist()
    expected = f1_score(gold, said, average="macro")
    assert value("macro_f1", gold, log_probs(said, 4), list("abcd")) == pytest.approx(expected)


def test_a_label_that_does_not_occur_has_no_f1_and_is_left_out():
    assert value("macro_f1", [0, 0], log_probs([0, 0])) == 1.0
    assert value("macro_f1", [0, 1], log_probs([0, 2])) == pytest.approx(1 / 3)


def test_macro_f1_of_nothing_is_undefined():
    assert math.isnan(float(load("smalltune.metrics", "macro_f1").combine(np.zeros(6))))


def test_negative_log_likelihood_is_that_of_scikit_learn():
    scores = log_probs(SAID)
    assert value("nll", GOLD, scores) == pytest.approx(log_loss(GOLD, np.exp(scores)))


def test_a_certain_right_answer_has_no_loss_and_no_minus_sign():
    items = load("smalltune.metrics", "nll").items([0], [[0.0, -50.0]], ["a", "b"])
    assert str(items[0, 0]) == "0.0"
