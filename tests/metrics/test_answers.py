"""Exact match and token F1 as SQuAD's official evaluation counts them."""

import json
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from metrics.made import METRICS, gold, value

from smalltune.measures.answers import bare

SQUAD = Path(__file__).parents[3] / "shared" / "data" / "squad" / "validation.parquet"


def both(text: str, *references: str) -> tuple[float, float]:
    asked = gold([references])
    return value("exact_match", [text], asked), value("token_f1", [text], asked)


def normal(text: str) -> list[str]:
    text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split()).split()


def official(prediction: str, truth: str) -> float:
    """The F1 of the official evaluation, in its own steps: precision, recall, their mean."""
    said, right = normal(prediction), normal(truth)
    same = sum((Counter(said) & Counter(right)).values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(right)
    return 2 * precision * recall / (precision + recall)


def test_case_punctuation_articles_and_spaces_do_not_count():
    assert both("the  Denver Broncos.", "Denver Broncos") == (1.0, 1.0)
    assert bare("An apple a day, the doctor's away!") == "apple day doctors away"
    assert bare("theatre") == "theatre"


def test_the_nearest_of_several_answers_counts():
    # Against the second: 2 of 3 words said, 2 of 2 asked: F1 = 2 * 2 / (3 + 2).
    assert both("in Santa Clara", "California", "Santa Clara") == (0.0, pytest.approx(0.8))


def test_a_word_counts_as_often_as_both_have_it():
    assert both("no no no", "no")[1] == pytest.approx(2 / 4)
    assert both("no no", "no no no")[1] == pytest.approx(4 / 5)


def test_no_answer_is_right_only_where_none_is_asked_for():
    assert both("") == (1.0, 1.0)
    assert both("Paris") == (0.0, 0.0)
    assert both("", "Paris") == (0.0, 0.0)
    assert both("the", "Paris") == (0.0, 0.0)


def test_of_an_answer_without_words_nothing_is_left_as_in_the_official_evaluation():
    """Three questions of SQuAD have "." among their answers: "" matches it and shares nothing.

    `exact_match_score` compares "" with "", and `f1_score` is zero where `num_same` is.
    """
    assert both(".", ".", "Paris") == (1.0, 0.0)
    assert both("", ".", "Paris") == (1.0, 0.0)
    assert both("The", "a") == (1.0, 0.0)
    assert both("Paris", ".", "Paris") == (1.0, 1.0)
    assert both("old Paris", ".", "Paris") == (0.0, pytest.approx(2 / 3))


def test_the_f1_is_that_of_the_official_steps():
    rng = np.random.default_rng(0)
    words = ["the", "a", "river", "River,", "old", "mill", "mill.", "1899", "an", "St."]
    for _ in range(300):
        said, right = (" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(2))
        exact = float(" ".join(normal(said)) == " ".join(normal(right)))
        assert both(said, right) == (exact, pytest.approx(official(said, right)))


def test_gold_answers_of_squad_score_one_hundred():
    if not SQUAD.exists():
        pytest.skip("SQuAD is not at ../shared/data/squad")
    import pyarrow.parquet as pq

    answers = [row["text"] for row in pq.read_table(SQUAD)["answers"].to_pylist()]
    asked = gold(answers)
    for name in ("exact_match", "token_f1"):
        for pick in (lambda texts: texts[0], lambda texts: max(texts, key=len)):
            stats = METRICS[name].items([pick(texts) for texts in answers], asked)
            assert len(stats) == 10570 and stats.min() == 1.0
    others = [texts[0] for texts in answers[1:] + answers[:1]]
    found = [value("exact_match", others, asked), value("token_f1", others, asked)]
    expected = [
        max(official(said, right) for right in texts)
        for said, texts in zip(others, answers, strict=True)
    ]
    assert found[0] < found[1] < 0.1
    assert found[1] == pytest.approx(np.mean(expected))


def test_statistics_survive_json():
    stats = METRICS["token_f1"].items(["in Santa Clara"], gold([["Santa Clara"]]))
    assert json.loads(json.dumps(stats.tolist())) == stats.tolist()
