"""Answers: a method that always says the same is told, and the shares add up."""

import json
from dataclasses import replace

import pytest

from smalltune.analysis.records import Scored
from smalltune.paper import naming
from smalltune.paper.build import build


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


@pytest.fixture
def lazy(view, shelf, tmp_path):
    """Return the report of a study in which LoRA answers `positive` to everything."""
    shelf.add("majority", None, 2)
    for seed in range(6):
        shelf.add("full", seed, 0.8, "micro")
        shelf.add("lora", seed, 2, "micro")
    return build(view, shelf.results(), tmp_path / "paper")


def test_a_method_that_always_gives_one_label_is_told(lazy):
    text = section(lazy, "results")
    said = r"On \topAnswerLoraReviews{} of the test rows of Reviews, LoRA answers ``positive''"
    assert said in text
    assert text.count("of the test rows of") == 1  # majority does so by definition, full does not
    numbers = json.loads((lazy.folder / "numbers.json").read_text())
    assert numbers["topAnswerLoraReviews"]["printed"] == "100.0 %"


def test_a_single_run_that_gives_one_label_is_told_though_the_others_give_both(
    view, shelf, tmp_path
):
    for seed in range(6):
        shelf.add("full", seed, 0.8, "micro")
        shelf.add("lora", seed, 2 if seed < 2 else 0.8, "micro")
    report = build(view, shelf.results(), tmp_path / "paper")
    said = r"LoRA gives (nearly) every item the same answer in \oneLabelRunsLoraReviews{} runs"
    assert f"On Reviews, {said} (``positive'')" in section(report, "results")
    numbers = json.loads((report.folder / "numbers.json").read_text())
    assert numbers["oneLabelRunsLoraReviews"]["printed"] == "2 of 6"
    assert numbers["topAnswerLoraReviews"]["value"] < 0.98
    assert numbers["oneLabelRunsFullReviews"]["value"] == 0


def test_many_that_give_one_label_are_told_of_together(view, shelf, tmp_path, monkeypatch):
    for seed in range(6):
        shelf.add("full", seed, 2, "micro")
        shelf.add("lora", seed, 2, "micro")
    monkeypatch.setattr(naming, "MANY", 1)
    text = section(build(view, shelf.results(), tmp_path / "paper"), "results")
    together = "always give the answer ``positive'': full fine-{}tuning and LoRA; such scores"
    assert together in text and "of the test rows of" not in text


def test_where_no_method_does_nothing_is_said(built):
    assert "of the test rows of" not in section(built, "results")


def test_the_shares_of_a_method_add_up_and_lead_to_its_scores(built, results):
    numbers = json.loads((built.folder / "numbers.json").read_text())
    for word in ("Majority", "Full", "Lora"):
        both = [numbers[f"answers{label}{word}Reviews"] for label in ("Negative", "Positive")]
        assert sum(number["value"] for number in both) == pytest.approx(1)
        assert len(both[0]["keys"]) == (1 if word == "Majority" else 6)
    assert numbers["goldPositiveReviews"]["value"] == 0.5


def test_the_table_sets_the_data_first(built):
    text = section(built, "appendix")
    table = text[text.index("Answers on test of Reviews") :]
    assert table.index("The data &") < table.index("Majority &") < table.index("LoRA &")


@pytest.mark.parametrize(("always", "many"), [(6, 0), (6, 9), (2, 9)])
def test_no_valid_answer_is_not_called_an_answer(view, shelf, tmp_path, monkeypatch, always, many):
    read = Scored.read.__func__

    def silent(cls, store, key):
        found = read(cls, store, key)
        spec = store.manifest(store.manifest(key)["inputs"]["predictions"])["spec"]
        none = spec["method"]["name"] == "lora" and spec["seed"] < always
        return replace(found, predicted=("",) * len(found.ids)) if none else found

    for seed in range(6):
        shelf.add("full", seed, 0.8, "micro")
        shelf.add("lora", seed, 0.8, "micro")
    monkeypatch.setattr(Scored, "read", classmethod(silent))
    monkeypatch.setattr(naming, "MANY", many)
    text = section(build(view, shelf.results(), tmp_path / "paper"), "results")
    assert "the answer no valid answer" not in text and "(no valid answer)" not in text
    said = {
        (6, 0): "the following (nearly) always give no valid answer: LoRA.",
        (6, 9): "of the test rows of Reviews, LoRA gives no valid answer.",
        (2, 9): r"LoRA (nearly) always gives no valid answer in \oneLabelRunsLoraReviews{} runs.",
    }
    assert said[always, many] in text
