"""Selecting: the best score decides, of equal scores the likelier answers, else the first."""

import json

import pytest

from smalltune.core.errors import EngineError
from smalltune.stages.bench import Bench
from smalltune.stages.select import select


@pytest.fixture
def chosen(tmp_path):
    """Return a function that gives the index chosen among scores and negative log-likelihoods."""

    def choose(values, nll=None, better="higher"):
        inputs = {}
        for number, value in enumerate(values):
            inputs[str(number)] = tmp_path / str(number)
            inputs[str(number)].mkdir(exist_ok=True)
            facts = {"values": {"accuracy": value} | ({"nll": nll[number]} if nll else {})}
            (inputs[str(number)] / "facts.json").write_text(json.dumps(facts))
        candidates = [{"rank": 2**n} for n in range(len(values))]
        spec = {"metric": "accuracy", "better": better, "candidates": candidates}
        select(spec | ({"ties": "nll"} if nll else {}), inputs, tmp_path, Bench())
        found = json.loads((tmp_path / "choice.json").read_text())
        assert found["options"] == candidates[found["index"]]
        return found["index"]

    return choose


def test_the_best_score_is_chosen_whatever_its_likelihood(chosen):
    assert chosen([0.5, 0.9, 0.7]) == 1
    assert chosen([0.5, 0.9, 0.7], better="lower") == 0
    assert chosen([0.5, 0.9, 0.7], nll=[0.1, 2.0, 0.3]) == 1


def test_of_equal_scores_the_likelier_answers_are_chosen_else_the_first(chosen):
    assert chosen([0.5, 0.9, 0.9]) == 1
    assert chosen([0.5, 0.9, 0.9], nll=[0.1, 0.8, 0.4]) == 2
    assert chosen([0.5, 0.9, 0.9], nll=[0.1, float("nan"), 0.4]) == 2


def test_a_score_that_is_no_number_is_never_chosen(chosen):
    assert chosen([float("nan"), 0.1], nll=[0.1, 0.8]) == 1
    with pytest.raises(EngineError, match="no candidate"):
        chosen([float("nan"), float("nan")])
