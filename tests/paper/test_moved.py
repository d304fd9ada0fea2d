"""What training moves is told as strongly as the intervals carry, where nothing was declared."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from smalltune.analysis.intervals import estimates
from smalltune.analysis.results import read
from smalltune.paper import moved
from smalltune.paper.build import build
from smalltune.paper.moved import add_difference, side
from smalltune.paper.numbers import Numbers
from smalltune.paper.tables import zero_note
from smalltune.paper.view import MethodView


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


@pytest.fixture
def described(view, shelf, tmp_path):
    """Return a function that builds a study without contrasts, by the trained methods' skills."""

    def write(full: float, lora: float, contrasts: Sequence[dict[str, str]] = ()):
        shelf.add("zero_shot", None, 0.5, "micro")
        for seed in range(6):
            shelf.add("full", seed, full, "micro")
            shelf.add("lora", seed, lora, "micro")
        asked = MethodView("zero_shot", "zero_shot", "Zero-shot", why="As it is.", uses_model=True)
        trained = tuple(m for m in view.methods if m.trains)
        study = replace(view, methods=(asked, *trained), published=())
        shelf.results()
        record = shelf.store.read_plan("tiny")
        record["analysis"]["contrasts"] = list(contrasts)
        return build(study, read(shelf.store, record), tmp_path / "paper")

    return write


def test_each_side_of_zero_is_told_apart(described):
    report = described(0.95, 0.5)
    numbers = json.loads((report.folder / "numbers.json").read_text())
    assert "lies on the good side of zero for Reviews." in numbers["movedTasksFull"]["printed"]
    low, high = numbers["movedFullReviewsInterval"]["value"]
    assert 0 < low < numbers["movedFullReviews"]["value"] < high
    assert "holds zero for Reviews." in numbers["movedTasksLora"]["printed"]
    low, high = numbers["movedLoraReviewsInterval"]["value"]
    assert low < 0 < high
    assert r"\movedTasksFull" in section(report, "results")
    assert r"\movedTasksFull" in section(report, "discussion")


def test_a_change_for_the_worse_is_said_to_be_one(described):
    report = described(0.05, 0.5)
    numbers = json.loads((report.folder / "numbers.json").read_text())
    assert "lies on the bad side of zero for Reviews." in numbers["movedTasksFull"]["printed"]


def test_of_many_methods_the_sentence_is_of_the_task(described, monkeypatch):
    monkeypatch.setattr(moved, "MANY", 1)
    report = described(0.95, 0.5)
    results = section(report, "results")
    assert results.count(r"\movedMethodsReviews") == 1 and r"\movedTasksFull" not in results
    said = json.loads((report.folder / "numbers.json").read_text())["movedMethodsReviews"]
    assert said["value"] == {"full": "good", "lora": "on"}
    lies = "lies on the good side of zero for full fine-tuning; it holds zero for LoRA."
    assert said["printed"].endswith(lies)
    assert results.index("Full fine-{}tuning & Accuracy") < results.index("LoRA & Accuracy")


def test_declared_contrasts_leave_no_room_for_others(described):
    report = described(0.95, 0.5, contrasts=[{"a": "lora", "b": "full"}])
    assert "moved" not in (report.folder / "numbers.json").read_text()


@pytest.mark.parametrize(
    ("low", "printed", "lies"),
    [(-0.0003, "$-$0.0 to $+$3.9", "on"), (0.0003, "$+$0.0 to $+$3.9", "good")],
)
def test_the_digits_of_an_interval_show_on_which_side_of_zero_it_ends(
    view, results, low, printed, lies
):
    accuracy = view.metric("accuracy")
    at, numbers = replace(estimates(results, "test")[0], low=low, high=0.0386), Numbers()
    add_difference(numbers, "moved", at, accuracy, "a difference")
    assert (numbers["movedInterval"].text, side(at, accuracy.better)) == (printed, lies)


@pytest.mark.parametrize(
    ("low", "noted"), [(-0.0003, True), (0.0003, True), (-0.0053, False), (0.0103, False)]
)
def test_a_table_says_how_to_read_an_end_that_rounds_to_zero_where_it_has_one(
    view, results, low, noted
):
    at, numbers = replace(estimates(results, "test")[0], low=low, high=0.0386), Numbers()
    add_difference(numbers, "moved", at, view.metric("accuracy"), "a difference")
    said = " An end that rounds to zero keeps the sign of the side on which it lies."
    assert zero_note(numbers, ["movedInterval", "other"]) == said * noted
