import math

import pytest
from harness.timing import Spread, Unequal, in_turn, quickest, ratio, refuse_unequal, spread


def test_a_spread_is_the_median_the_lowest_and_the_highest():
    assert spread([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
    assert spread([4.0, 2.0]) == Spread(3.0, 2.0, 4.0)


def test_no_values_have_no_spread():
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_a_ratio_is_taken_within_a_round_so_that_a_slow_round_cancels():
    fast = [1.0, 10.0, 2.0]
    assert ratio([3.0 * t for t in fast], fast) == Spread(3.0, 3.0, 3.0)


def test_a_ratio_of_other_rounds_is_refused():
    with pytest.raises(ValueError, match="2 rounds against 1"):
        ratio([1.0, 2.0], [1.0])


def test_each_round_runs_every_variant_once_and_begins_with_another_one():
    said = []
    variants = {name: lambda name=name: said.append(name) for name in "abc"}
    in_turn(variants, rounds=(4, 4), seconds=0.0)
    rounds = ["".join(said[i : i + 3]) for i in range(0, 12, 3)]
    assert rounds == ["abc", "bca", "cab", "abc"]


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 2), (35.0, 3), (1000.0, 7)])
def test_rounds_end_before_the_time_is_over_but_not_before_the_fewest(seconds, expected):
    time = [0.0]

    def ten_seconds():
        time[0] += 10.0
        return time[0]

    found = in_turn({"a": ten_seconds}, rounds=(2, 7), seconds=seconds, now=lambda: time[0])
    assert len(found["a"]) == expected


def test_every_round_begins_with_what_is_asked_before_it():
    said = []
    variants = {name: lambda name=name: said.append(name) for name in "ab"}
    in_turn(variants, rounds=(2, 2), seconds=0.0, before=lambda: said.append("-"))
    assert "".join(said) == "-ab-ba"


def test_the_quickest_of_several_sizes_is_found_by_one_run_of_each():
    said = []

    def taking(size):
        said.append(size)
        return times[size]

    times = {1: 3.0, 4: 1.5, 8: 2.0}
    best, kept = quickest([*times], taking)
    assert said == [1, 4, 8] and best == 4
    assert kept == {"batch": 4, "tried": {"1": 3.0, "4": 1.5, "8": 2.0}}


def test_work_within_its_limits_is_equal_and_work_above_one_is_refused():
    limits = {"loss": 1e-5, "weights": 1e-2}
    refuse_unequal("peer", {"loss": 1e-5, "weights": 0.0}, limits)
    with pytest.raises(Unequal, match=r"peer: weights differs by 2\.00e-02"):
        refuse_unequal("peer", {"loss": 0.0, "weights": 2e-2}, limits)


def test_a_distance_that_is_no_number_is_refused():
    with pytest.raises(Unequal):
        refuse_unequal("peer", {"loss": math.nan}, {"loss": 1e-5})
