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


def test_a_first_group_that_is_too_large_is_kept_whole():
    assert len(limited(rows(40, groups=2), 5, 0)) == 20


def test_a_limit_that_nothing_exceeds_changes_nothing():
    assert limited(rows(10), 10, 0) == rows(10)
    assert len(limited([Row(str(n), {"text": "t"}, "") for n in range(9)], 4, 0)) == 4
