"""A name in a store belongs to one study file."""

import pytest

from smalltune.core.errors import StudyError


@pytest.fixture
def plan(tmp_path):
    """Return a plan record of the study file in a folder, which is written."""

    def plan_(folder, *keys, name="a"):
        file = tmp_path / folder / "study.yaml"
        file.parent.mkdir(exist_ok=True)
        file.touch()
        return {"study": name, "file": str(file), "trials": [], "keys": list(keys)}

    return plan_


def test_a_second_study_of_one_name_is_refused_and_the_first_keeps_its_plan(store, plan):
    first = plan("one", "k")
    store.write_plan(first)
    said = f"study.yaml: the name 'a' belongs to {first['file']} in this store: give this study"
    with pytest.raises(StudyError) as caught:
        store.write_plan(plan("two"))
    assert str(caught.value) == f"{said} another name or another --store"
    assert store.read_plan("a") == first
    store.write_plan(plan("two", name="b"))


def test_the_same_file_may_change_its_plan_and_a_moved_one_takes_it_along(store, plan, tmp_path):
    store.write_plan(plan("one"))
    store.write_plan(plan("one", "k"))
    (tmp_path / "one").rename(tmp_path / "moved")
    store.write_plan(plan("moved", "l"))
    assert store.read_plan("a")["keys"] == ["l"]


def test_a_plan_that_came_from_nowhere_belongs_to_who_runs_it(store, plan):
    store.write_plan({"study": "a", "trials": [], "keys": []})
    store.write_plan(plan("one", "k"))
    assert store.read_plan("a")["keys"] == ["k"]
