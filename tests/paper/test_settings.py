"""Settings: the values tried are listed, and the chosen one where all trials share it."""

import json
from dataclasses import replace

import pytest

from smalltune.paper import examples, settings
from smalltune.paper.numbers import Numbers
from smalltune.paper.readme import readme
from smalltune.paper.settings import add_settings, setting_tables


@pytest.fixture
def tuned(view):
    """Return a view in which LoRA's rank is tuned."""
    full, lora = view.methods[1], replace(view.methods[2], tuned={"rank": (2, 4, 8)}, candidates=3)
    return replace(view, methods=(full, lora), tuned=True)


def table(view, results) -> tuple[str, Numbers]:
    numbers = Numbers()
    add_settings(view, results, numbers)
    return setting_tables(view, results, numbers), numbers


def filled(shelf, ranks):
    for seed, rank in enumerate(ranks):
        shelf.add("lora", seed, 0.8, "micro", {"rank": rank})
    return shelf.results()


def test_the_chosen_value_stands_above_those_tried(tuned, shelf):
    text, numbers = table(tuned, filled(shelf, [4, 4]))
    assert "rank &  & \\cell{\\settingLoraRank}" in text
    tried = [f"\\cell{{\\settingLoraRankTried{n}}}" for n in ("One", "Two", "Three")]
    assert f"\\quad tried &  & {', '.join(tried)}" in text
    assert numbers["settingLoraRank"].value == 4 and len(numbers["settingLoraRank"].keys) == 2
    assert [numbers[f"settingLoraRankTried{n}"].value for n in ("One", "Two", "Three")] == [2, 4, 8]


def test_where_nothing_has_run_the_choice_is_open(tuned, results):
    text, numbers = table(tuned, results)
    assert "rank &  & open" in text and "settingLoraRank" not in numbers


def test_choices_that_differ_are_told_one_by_one(tuned, shelf):
    results = filled(shelf, [4])
    shelf.add("lora", 0, 0.7, "other", {"rank": 8})
    view = replace(tuned, models=(*tuned.models, replace(tuned.models[0], name="other")))
    text, numbers = table(view, shelf.results())
    assert results.trials and "rank &  & differs" in text
    assert numbers["settingLoraRankReviewsMicro"].value == 4
    assert numbers["settingLoraRankReviewsOther"].value == 8


def test_the_readme_says_what_was_tried(tuned, shelf, built):
    numbers = json.loads((built.folder / "numbers.json").read_text())
    text = readme(tuned, filled(shelf, [8]), numbers, pdf=False)
    assert "| rank | 8, chosen among 2, 4, 8 |" in text


def test_epochs_are_not_told_where_steps_decide(view):
    shared = {"epochs": 3, "steps": 150}
    method = replace(view.methods[1], training=shared)
    assert settings._setting(None, Numbers(), method, "epochs") == "--"
    epochs = replace(method, training={"epochs": 3})
    assert settings._setting(None, Numbers(), epochs, "epochs") != "--"


def test_of_too_many_methods_the_baseline_leaves_the_examples_first(view):
    others = [replace(view.methods[1], name=f"full{n}") for n in range(7)]
    assert examples._shown([view.methods[0], *others[:6]])[0].name == "majority"
    assert examples._shown([view.methods[0], *others]) == others
