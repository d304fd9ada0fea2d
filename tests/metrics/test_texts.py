"""Length, variety and likelihood of texts."""

import math

import numpy as np
import pytest
from metrics.made import METRICS, gold, value

from smalltune.metrics import Likelihood


def test_the_length_ratio_is_all_words_over_all_words_of_the_nearest_references():
    texts = ["one two three", "one"]
    asked = gold([["a b", "a b c d e f g h", "a b c d"], ["a b c"]])
    # The text of three words lies one from both two and four: the shorter counts.
    assert METRICS["length_ratio"].items(texts, asked).tolist() == [[3, 2], [1, 3]]
    assert value("length_ratio", texts, asked) == pytest.approx(4 / 5)
    assert math.isnan(value("length_ratio", ["one"], gold([[""]])))


def distinct(texts: list[str], length: int) -> float:
    words = [text.lower().split() for text in texts]
    runs = [tuple(w[i : i + length]) for w in words for i in range(len(w) - length + 1)]
    return len(set(runs)) / len(runs)


@pytest.mark.parametrize("length", [1, 2])
def test_distinct_n_over_all_items_is_different_runs_over_all_runs(length):
    rng = np.random.default_rng(length)
    texts = [" ".join(rng.choice(list("abcdefgh"), rng.integers(0, 9))) for _ in range(30)]
    found = value(f"distinct_{length}", texts, gold([["x"]] * 30))
    assert found == pytest.approx(distinct(texts, length))


def test_texts_that_repeat_one_another_are_less_varied():
    asked = gold([["x"]] * 3)
    assert value("distinct_1", ["a b c", "a b c", "a b c"], asked) == pytest.approx(3 / 9)
    assert value("distinct_2", ["a b c", "d e f", "g h i"], asked) == 1.0
    assert value("distinct_1", ["a a a", "b", ""], asked) == pytest.approx(2 / 4)
    assert math.isnan(value("distinct_2", ["a", "b", ""], asked))


def test_perplexity_is_that_of_all_tokens_together():
    long, short = Likelihood(-20.0, 80, 10.0), Likelihood(-1.0, 4, 2.0)
    assert value("perplexity", [long, short]) == pytest.approx(math.exp(21 / 12))
    assert value("bits_per_byte", [long, short]) == pytest.approx(21 / math.log(2) / 84)


def test_a_uniform_model_hesitates_among_its_vocabulary():
    texts = [Likelihood(-n * math.log(512), n, float(n)) for n in (3, 10, 50)]
    assert value("perplexity", texts) == pytest.approx(512)
    assert value("bits_per_byte", texts) == pytest.approx(9)


def test_without_a_number_of_tokens_there_is_no_perplexity():
    assert math.isnan(value("perplexity", [Likelihood(-20.0, 80, math.nan)]))
