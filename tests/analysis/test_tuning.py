"""Tuning: every run has its row, budgets add up, and the best of n is what brute force gives."""

import json
import math
from itertools import combinations, product
from statistics import fmean, pstdev

import numpy as np
import pyarrow.parquet
import pytest

from smalltune.analysis import chances, export
from smalltune.analysis.expected import best_of, spread_of_best
from smalltune.analysis.tuning import Tuned, TuningRun

SCORES = [0.61, 0.5, 0.83, 0.83, 0.7]


def rates(*values):
    return [({"learning_rate": rate, "rank": 8}, score) for rate, score in values]


def test_the_best_of_n_is_the_mean_over_all_choices_of_n_runs():
    for n, found in enumerate(best_of(SCORES), 1):
        assert found == pytest.approx(fmean(max(some) for some in combinations(SCORES, n)))


def test_its_spread_is_that_over_all_draws_with_replacement():
    for n, found in enumerate(spread_of_best(SCORES), 1):
        drawn = [max(some) for some in product(SCORES, repeat=n)]
        assert found == pytest.approx(pstdev(drawn))


def test_three_runs_by_hand():
    """Of 1, 2, 4 a pair has the best 2 once and 4 twice; drawn anew, (1/3)^2, (2/3)^2 and 1."""
    assert best_of([2, 1, 4]).tolist() == pytest.approx([7 / 3, 10 / 3, 4])
    mean = (1 * 1 + 3 * 2 + 5 * 4) / 9
    squares = (1 * 1 + 3 * 4 + 5 * 16) / 9
    assert spread_of_best([2, 1, 4])[1] == pytest.approx(math.sqrt(squares - mean**2))


def test_where_less_is_better_the_best_is_the_least():
    assert best_of(SCORES, higher=False).tolist() == pytest.approx(
        (-best_of([-v for v in SCORES])).tolist()
    )
    assert best_of(SCORES, higher=False)[-1] == 0.5
    assert spread_of_best([1, 3], higher=False) == pytest.approx(spread_of_best([1, 3]))


def test_a_run_that_diverged_is_the_worst_and_no_number():
    found = best_of([0.8, math.nan, 0.6, math.nan])
    assert np.isnan(found[:2]).all() and found[3] == 0.8
    chosen = [max(some) for some in combinations([0.8, -math.inf, 0.6, -math.inf], 3)]
    assert found[2] == pytest.approx(fmean(chosen))
    assert np.isnan(spread_of_best([0.8, math.nan])).all()


def test_every_run_of_a_search_has_its_row(small, tmp_path):
    made = small()
    made.tune("lora", rates((0.1, 0.6), (0.2, 0.9), (0.4, None)), trials=2)
    export.write(made.results(), tmp_path)
    rows = pyarrow.parquet.read_table(tmp_path / "tuning.parquet").to_pylist()
    assert len(rows) == 4 + 4 + 3
    *_, last = rows
    assert (last["place"], last["extended"], last["chosen"]) == (3, True, False)
    assert math.isnan(last["score"]) and last["parts"] == []
    full = [row for row in rows if row["method"] == "full"]
    assert [row["chosen"] for row in full] == [False, True, False, False]
    assert [row["seed"] for row in full] == [77] * 4
    assert full[1]["score"] == 0.95 and full[1]["learning_rate"] == pytest.approx(10**-3.5)
    assert json.loads(full[1]["options"]) == {"learning_rate": pytest.approx(10**-3.5)}
    assert (full[0]["steps"], full[0]["tokens"], full[0]["seconds"]) == (8, 800, 5.0)


@pytest.mark.parametrize(("at", "edges"), [
    (0, {"rank": "lowest"}), (1, {}), (2, {"learning_rate": "highest", "rank": "highest"}),
])  # fmt: skip
def test_every_number_that_was_searched_tells_at_which_end_the_choice_lies(at, edges):
    tried = [(0.02, 4), (0.01, 8), (0.03, 32)]
    runs = tuple(
        TuningRun(
            place, {"learning_rate": rate, "rank": rank, "target": "all"}, 0.5, place - 1 == at,
            False, None, "", (),
        )
        for place, (rate, rank) in enumerate(tried, 1)
    )  # fmt: skip
    edge = "highest" if at == 2 else ""
    search = ("m", "lora", "t", 1, "accuracy", "higher", 3, 2, "learning_rate", edge, True, runs)
    assert Tuned(*search).edges == edges


@pytest.mark.parametrize(("scores", "unsure"), [
    ((0.9, 0.9), 1), ((0.9, 0.89), 1), ((0.9, 0.84), 0), ((0.6, 0.9, 0.88, None), None),
    ((0.6, 0.9, 0.88), 1), ((0.5, math.nan), 0),
])  # fmt: skip
def test_a_run_that_differs_on_few_items_might_have_been_chosen_as_well(made, scores, unsure):
    """Of 100 items 1 or 2 that one run alone has right are chance; 6 are not, as pairs tell."""
    made.data({"dev": [0, 1]})
    made.tune("lora", rates(*((0.1 * (i + 1), score) for i, score in enumerate(scores))))
    results = made.results()
    (search,) = results.tuning
    assert chances.unsure(results, search) == unsure


def test_the_budget_of_a_method_adds_up_over_its_searches(small):
    made = small()
    made.tune("lora", rates((0.1, 0.6), (0.2, 0.9), (0.4, 0.8)), task="reviews", trials=2)
    full, lora = made.results().budgets
    assert (full.method, full.searches, full.trials, full.extended, full.each) == (
        "full", 1, 4, 0, (4,),
    )  # fmt: skip
    assert (lora.searches, lora.trials, lora.extended, lora.stored) == (2, 7, 1, 7)
    assert lora.each == (3, 4) and lora.tokens == 5600 and lora.seconds == 35.0


def test_a_search_that_goes_on_has_no_choice_and_its_cost_so_far(made):
    made.data({"dev": [0, 1]})
    made.tune("lora", rates((0.1, 0.6), (0.2, None)))
    (search,) = made.results().tuning
    assert not search.complete and search.chosen is None
    (budget,) = made.results().budgets
    assert (budget.trials, budget.stored, budget.tokens) == (2, 1, 800)


def test_the_summary_has_choices_and_budgets_and_no_clock(small, tmp_path):
    made = small()
    made.searches.pop()
    made.tune("lora", rates((0.1, 0.6), (0.2, 0.9)), trials=1, edge="highest")
    export.write(made.results(), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    budget = summary["tuning"]["budgets"][1]
    assert (budget["method"], budget["trials"], budget["tokens"]) == ("lora", 2, 1600)
    assert "seconds" not in budget
    search = summary["tuning"]["searches"][1]
    assert search["chosen"] == {
        "place": 2, "options": {"learning_rate": 0.2, "rank": 8}, "score": 0.9,
    }  # fmt: skip
    assert (search["edge"], search["extended"], search["runs"]) == ("highest", 1, 2)
    assert summary["contrasts"][0]["tuning_trials"] == [2, 4]


def test_where_nothing_was_tuned_there_is_no_file_of_it(small, tmp_path):
    made = small()
    export.write(made.results(), tmp_path)
    assert (tmp_path / "tuning.parquet").is_file()
    made.searches.clear()
    written = export.write(made.results(), tmp_path)
    assert not (tmp_path / "tuning.parquet").exists()
    assert "tuning.parquet" not in {path.name for path in written}
    assert made.results().tuning == () == made.results().budgets
