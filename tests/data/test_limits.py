"""Limits on dev and test: as many as asked for, the same each time, labels and groups respected."""

from collections import Counter

import pytest

from smalltune.data.limits import limited
from smalltune.data.splits import Row


def rows(count, groups=0):
    return [
        Row(
            f"r{n}",
            {"text": f"text {n}"},
            "ab"[n % 3 == 0],
            group=f"g{n % groups}" if groups else "",
        )
        for n in range(count)
    ]


def test_each_label_keeps_its_share_and_the_order_stays():
    kept = limited(rows(300), 60, 0)
    assert Counter(row.label for row in kept) == {"a": 40, "b": 20}
    assert [row.id for row in kept] == sorted((r.id for r in kept), key=lambda i: int(i[1:]))


def test_the_seed_alone_decides_which_rows_are_kept():
    assert limited(rows(300), 60, 0) == limited(rows(300), 60, 0)
    assert limited(rows(300), 60, 0) != limited(rows(300), 60, 1)


@pytest.mark.parametrize("most", [7, 30, 61])
def test_groups_are_whole_and_the_limit_is_kept(most):
    everything = rows(120, groups=24)
    kept = limited(everything, most, 3)
    assert 0 < len(kept) <= most
    names = {row.group for row in kept}
    assert kept == [row for row in everything if row.group in names]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("together", [1, 5])
def test_labels_keep_nearly_their_shares_among_whole_groups(together, seed):
    # A tenth of the rows are "no": one row in every second group of five, or every tenth group.
    some = [
        Row(str(n), {"text": f"t {n}"}, ("yes", "no")[n // together % 10 == 0], group=f"g{n // 5}")
        for n in range(1000)
    ]
    found = Counter(row.label for row in limited(some, 50, seed))
    assert found.total() == 50 and abs(found["no"] - 5) <= 1


@pytest.mark.parametrize("labels", [1, 1000])
def test_groups_are_drawn_at_random_where_no_label_can_keep_its_share(labels):
    some = [
        Row(str(n), {"text": f"t {n}"}, f"{n % labels:04}", group=f"g{n // 5:03}")
        for n in range(1000)
    ]
    drawn = [{row.group for row in limited(some, 50, seed)} for seed in range(20)]
    places = [int(name[1:]) for names in drawn for name in names]
    assert len(places) == 200 and 80 < sum(places) / 200 < 120  # the middle is 99.5


def test_a_first_group_that_is_too_large_is_kept_whole():
    assert len(limited(rows(40, groups=2), 5, 0)) == 20


def test_a_limit_that_nothing_exceeds_changes_nothing():
    assert limited(rows(10), 10, 0) == rows(10)
    assert len(limited([Row(str(n), {"text": "t"}, "") for n in range(9)], 4, 0)) == 4
