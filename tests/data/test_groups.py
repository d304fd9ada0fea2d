"""Groups stay whole: a row is never in another split than those it belongs with."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.data.groups import carve_groups, drop_groups, group_name
from smalltune.data.splits import DevRule, Row, draw


def rows(count, groups):
    return [Row(str(n), {"t": f"text {n}"}, "", group=f"g{n % groups}") for n in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_are_carved_until_there_are_enough_rows(seed):
    carved = carve_groups(rows(100, 10), DevRule(rows=25, seed=seed))
    assert len(carved.dev) == 30 and len(carved.train) == 70 and not carved.dropped
    assert not {row.group for row in carved.dev} & {row.group for row in carved.train}


def test_the_seed_says_which_groups():
    drawn = [
        frozenset(row.group for row in carve_groups(rows(100, 10), DevRule(rows=25, seed=s)).dev)
        for s in (0, 0, *range(1, 9))
    ]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 4


def test_rows_without_a_group_go_with_those_of_the_same_words():
    some = [Row(str(n), {"t": f"Text {n // 3}" + "!" * (n % 3)}, "") for n in range(60)]
    carved = carve_groups(some, DevRule(rows=9))
    assert len(carved.dev) == 9
    assert not {row.key for row in carved.dev} & {row.key for row in carved.train}


def test_a_row_of_train_with_the_words_of_a_held_out_row_is_dropped():
    some = [*rows(40, 4), *(Row(f"x{n}", {"t": "the same"}, "", group=f"g{n}") for n in range(4))]
    carved = carve_groups(some, DevRule(rows=5))
    assert carved.dropped == {"train rows repeated in dev": 3}
    assert len(carved.train) + len(carved.dev) + 3 == len(some)


def test_what_cannot_be_carved_is_an_error():
    with pytest.raises(StudyError, match="all rows are one group"):
        carve_groups(rows(9, 1), DevRule(rows=3))
    with pytest.raises(StudyError, match="`whole` and `group` cannot be together"):
        carve_groups(rows(9, 3), DevRule(rows=3, whole=True))
    assert {row.group for row in carve_groups(rows(9, 3), DevRule(rows=99)).train}  # one is left


def test_groups_of_held_out_rows_leave_train():
    kept = drop_groups(rows(30, 6), rows(2, 6))
    assert {row.group for row in kept} == {"g2", "g3", "g4", "g5"}
    bare = [Row("a", {"t": "x"}, "")]
    assert drop_groups(bare, bare) == bare


def test_a_long_name_becomes_short_and_stays_its_own():
    one, other = "a passage " * 20, "a passage " * 21
    assert group_name(" An  article ") == "An article"
    assert len(group_name(one)) == 16 and group_name(one) != group_name(other)


def test_with_more_labels_than_rows_to_draw_the_seed_decides_alone():
    labels = [*range(50), *[50] * 20]
    drawn = [draw(labels, 10, seed).tolist() for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1] and len({tuple(each) for each in drawn}) == 4
    assert all(each == sorted(set(each)) and len(each) == 10 for each in drawn)
    assert len({i for each in drawn for i in each}) > 25  # and not the largest group first
