"""The search: the same budget for every method, spread evenly, and beyond an edge when need be."""

import math

import pytest

from smalltune.core.errors import MethodError, StudyError
from smalltune.methods import Range
from smalltune.planning.searching import beyond, edge, spread

BOX = {"learning_rate": Range(1e-4, 1.0), "rank": Range(4, 32, whole=True)}


def test_points_lie_in_their_ranges_and_repeat_with_their_seed():
    points = spread(BOX, 40, seed=3)
    assert points == spread(BOX, 40, seed=3) != spread(BOX, 40, seed=4)
    assert all(1e-4 <= p["learning_rate"] <= 1.0 for p in points)
    assert {type(p["rank"]) for p in points} == {int}
    assert min(p["rank"] for p in points) <= 5 and 28 <= max(p["rank"] for p in points) <= 32


def test_a_longer_search_begins_with_the_shorter_one():
    assert spread(BOX, 20, seed=0)[:6] == spread(BOX, 6, seed=0)


@pytest.mark.parametrize("seed", range(8))
def test_few_points_leave_no_decade_empty(seed):
    """Of eight points over four decades each holds one at least; drawn by chance, seldom."""
    rates = [p["learning_rate"] for p in spread(BOX, 8, seed=seed)]
    decades = {math.floor(math.log10(rate) + 1e-9) for rate in rates}
    assert {-4, -3, -2, -1} <= decades


def test_a_range_of_nothing_is_refused():
    with pytest.raises(MethodError, match="no range from 2 to 1"):
        Range(2, 1)
    with pytest.raises(MethodError, match="no range from 0 to 1"):
        Range(0, 1)
    assert Range(0, 1, log=False).at(0.5) == 0.5


def test_a_candidate_follows_only_beyond_an_edge():
    tried = [{"learning_rate": r, "rank": 8} for r in (0.1, 0.01, 1.0)]
    assert beyond(tried, 0) is None
    assert beyond(tried, 1) == {"learning_rate": 0.00316, "rank": 8}
    assert beyond(tried, 2) == {"learning_rate": 3.16, "rank": 8}
    assert beyond([{"rank": 4}, {"rank": 8}], 1) is None


def test_a_choice_is_judged_by_the_learning_rate_or_by_the_one_number_that_is_tuned():
    both = [{"learning_rate": r, "rank": k} for r, k in ((0.1, 8), (0.01, 4), (1.0, 2))]
    assert [edge(both, best) for best in range(3)] == [
        ("learning_rate", ""), ("learning_rate", "lowest"), ("learning_rate", "highest"),
    ]  # fmt: skip
    assert edge([{"strength": 1}, {"strength": 9}], 1) == ("strength", "highest")
    assert edge([{"rank": 4, "alpha": 8}, {"rank": 8, "alpha": 8}], 1) == ("", "")
    assert edge([{"placement": "pfeiffer"}, {"placement": "houlsby"}], 1) == ("", "")
    assert edge([{"learning_rate": 0.1}], 0) == ("learning_rate", "")


def rates(job):
    return [each["learning_rate"] for each in job.spec["candidates"]]


def test_every_method_that_trains_has_as_many_trials(bureau):
    opened = bureau.plan("tuning.trials=6").open
    assert opened and {len(job.spec["candidates"]) for job in opened} == {6}
    assert not bureau.plan().open


def test_where_every_range_is_fixed_nothing_is_searched(bureau):
    method = bureau.read("tuning.trials=6").methods
    searched = {m.name for m in method if m.candidates}
    assert searched
    bureau.replace("method: fake.trainer,", "method: fake.trainer, learning_rate: 0.5, rank: 4,")
    fixed = {m.name: m for m in bureau.read("tuning.trials=6").methods}
    assert all(not fixed[name].candidates and not fixed[name].ranges for name in searched)


def test_equal_shares_of_right_answers_are_told_apart_by_likelihood(bureau):
    job = bureau.plan("tuning.trials=6").open[0]
    assert (job.spec["metric"], job.spec["ties"]) == ("accuracy", "nll")
    assert all(set(score.spec["metrics"]) == {"accuracy", "nll"} for score in job.inputs.values())
    by = bureau.plan("tuning.trials=6", "tuning.metric=nll", "metrics=[accuracy, nll]").open[0]
    assert by.spec["metric"] == "nll" and "ties" not in by.spec


def test_a_choice_at_an_edge_is_followed_twice_at_most(bureau):
    def highest(key):
        job = seen[key]
        best = max(range(len(rates(job))), key=rates(job).__getitem__)
        return {"index": best, "options": job.spec["candidates"][best]}

    def known(key):
        return highest(key) if key in seen else None

    seen, sizes = {}, []
    for _ in range(5):
        plan = bureau.plan("tuning.trials=6", known=known)
        sizes.append({len(job.spec["candidates"]) for job in plan.open})
        seen |= {job.key: job for job in plan.open}
    assert sizes == [{6}, {7}, {8}, {8}, {8}]
    assert max(rates(plan.open[0])) == pytest.approx(10 * sorted(rates(plan.open[0]))[-3], rel=0.01)
    assert plan.trials
    (search,) = plan.record()["tuning"]
    assert (search["trials"], search["extend"], search["edge"]) == (6, 2, "highest")
    assert len(search["runs"]) == 8 and search["runs"][7]["seed"] == bureau.read().tuning_seed
    assert search["runs"][7]["options"] == plan.open[0].spec["candidates"][7]


def test_a_choice_inside_is_the_last_word(bureau):
    plan = bureau.plan("tuning.trials=6")
    inside = sorted(rates(plan.open[0]))[2]
    answer = {"index": rates(plan.open[0]).index(inside), "options": {"learning_rate": inside}}
    again = bureau.plan("tuning.trials=6", known=lambda key: answer)
    assert again.open == plan.open and again.trials
    assert again.searches[0].edge == "" != again.searches[0].option


def test_ranges_and_lists_of_a_study_keep_to_the_budget(bureau):
    bureau.replace(
        "method: fake.trainer,", "method: fake.trainer, tune: {learning_rate: {low: 0.5, high: 2}},"
    )
    assert all(0.5 <= r <= 2 for job in bureau.plan("tuning.trials=4").open for r in rates(job))
    with pytest.raises(StudyError, match=r"has ranges: give `tuning: {trials: 6}`"):
        bureau.plan()
    bureau.replace("{low: 0.5, high: 2}", "[0.5, 1, 2]")
    with pytest.raises(StudyError, match=r"lists 3 candidates, and every method has 4"):
        bureau.plan("tuning.trials=4")
