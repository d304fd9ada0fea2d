"""Tuning in the paper: its budget, its words and its figures say what was done, and no more."""

import json
from dataclasses import replace

import pytest

from smalltune.paper import latex
from smalltune.paper.build import build
from smalltune.paper.numbers import Numbers
from smalltune.paper.trace import trace
from smalltune.paper.unlearned import add_learning

SIX = dict(zip((1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (0.5, 0.6, 0.8, 0.9, 0.7, 0.5), strict=True))
RATES = {"learning_rate": (1e-5, 1e-2)}


@pytest.fixture
def paper(view, shelf, tmp_path, monkeypatch):
    """Return the function that builds the paper of a study whose methods were searched like this.

    It returns the section asked for and the folder.
    """
    monkeypatch.setattr(latex, "find_engine", lambda: None)

    def write(tuned, *, extend=2):
        for method, skill in (("full", 0.7), ("lora", 0.9)):
            for seed in range(2):
                shelf.add(method, seed, skill, "micro")
        methods = []
        for method in view.methods[1:]:
            how = tuned.get(method.name)
            if how:
                shelf.search(method.name, **how)
                tried = {"learning_rate": tuple(how["tried"])}
                many = how.get("trials", len(how["tried"]))
                method = replace(method, tuned=tried, candidates=many, ranges=RATES)
            methods.append(method)
        some = any(tuned.values())
        study = replace(view, methods=tuple(methods), tuned=some, extend=extend, seeds=(0, 1))
        report = build(study, shelf.results(), tmp_path / "paper")

        def section(name):
            return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())

        return section, report.folder

    return write


def numbers(folder):
    return json.loads((folder / "numbers.json").read_text())


def test_the_setup_says_how_values_were_chosen_and_what_it_took(paper):
    section, folder = paper({"full": {"tried": SIX}, "lora": {"tried": SIX}})
    text = section("setup")
    assert "chosen by the score on the development split (accuracy)" in text
    assert "values that a search spread evenly over the ranges of each method" in text
    assert "each tuned method with the same number of candidates, \\candidatesFull{}" in text
    assert "all tuning runs have the seed \\tuningSeed{}, which no final run has" in text
    assert "It was so for none." in text
    found = numbers(folder)
    assert found["tuningSeed"]["value"] == 77 and found["tuningRunsTotal"]["value"] == 12
    assert found["tuningTokensLora"]["printed"] == "5.4 million"
    assert "lies at" not in section("limitations") and "tuningRemark" not in found


def test_the_tables_of_tuning_have_each_method_s_budget_and_choice(paper):
    section, folder = paper({"full": {"tried": SIX}, "lora": {"tried": SIX}})
    text = section("appendix")
    assert r"LoRA & \cell{\tuningSearchesLora} & \cell{\tuningRunsLora}" in text
    assert r"All & \cell{\tuningSearchesTotal} & \cell{\tuningRunsTotal}" in text
    assert r"LoRA & \cell{\chosenLearningRateLoraReviews} & rank \cell{\chosenRankLoraReviews}" in (
        text
    )
    assert numbers(folder)["chosenLearningRateLoraReviews"]["value"] == 0.001
    assert numbers(folder)["tuningBestLoraReviews"]["printed"] == "90.0 %"
    low, high = r"\cell{\settingLoraLearningRateLowest}", r"\cell{\settingLoraLearningRateHighest}"
    assert f"{low} to {high}" in text
    assert r"\label{fig:budget}" in text and r"\label{fig:learning_rates}" in text
    assert (folder / "figures" / "budget.pdf").is_file()


def test_every_number_of_tuning_leads_to_its_runs(paper, shelf):
    _, folder = paper({"full": {"tried": SIX}, "lora": {"tried": SIX, "trials": 5}})
    for name, found in numbers(folder).items():
        assert found["source"] or trace(folder, name, shelf.store).origins, name
    spent = trace(folder, "tuningTimeLora", shelf.store)
    assert [o.stage for o in spent.origins].count("train") == 6
    best = trace(folder, "tuningBestLoraReviews", shelf.store)
    assert best.trials == ("micro/lora/reviews/tuning 4",)
    assert {o.stage for o in best.origins} >= {"score", "select", "train"}


def test_a_range_that_was_gone_beyond_is_said_and_one_still_too_short_is_a_limitation(paper):
    longer = {**SIX, 3e-2: 0.95, 1e-1: 0.96}
    section, folder = paper(
        {"full": {"tried": SIX}, "lora": {"tried": longer, "trials": 6, "edge": "highest"}}
    )
    assert "at most \\tuningExtend{} times for one search" in section("setup")
    assert "It was so for LoRA." in section("setup")
    text = section("limitations")
    assert "For LoRA the chosen learning rate is the highest that was tried although" in text
    assert "gone on by \\tuningExtend{} runs" in text and "a better one may lie beyond" in text
    assert numbers(folder)["tuningBeyondLora"]["value"] == 2


def test_a_choice_that_another_run_might_have_been_is_counted(paper):
    close = dict(zip(SIX, (0.5, 0.89, 0.88, 0.9, 0.7, 0.87), strict=True))
    section, folder = paper({"full": {"tried": SIX}, "lora": {"tried": close}})
    said = "In \\tuningChance{} of \\tuningSearchesTotal{} searches half of the other runs or more"
    assert said in section("limitations")
    found = numbers(folder)
    assert found["tuningChance"]["value"] == 1 and found["tuningUnsureLoraReviews"]["value"] == 3
    assert found["tuningUnsureLoraReviews"]["printed"] == "3/5"
    assert found["tuningUnsureFullReviews"]["printed"] == "0/5"
    assert r"\cell{\tuningUnsureLoraReviews}" in section("appendix")


def test_where_every_choice_stands_out_nothing_is_said_of_chance(paper):
    section, folder = paper({"full": {"tried": SIX}, "lora": {"tried": SIX}})
    assert "tuningChance" not in section("limitations")
    assert numbers(folder)["tuningChance"]["value"] == 0


def test_the_cost_of_tuning_stands_beside_that_of_the_trials(paper):
    section, folder = paper({"full": {"tried": SIX}, "lora": {"tried": SIX}})
    assert "the runs of tuning \\tuningCpuTimeTotal{} and \\tuningEnergyTotal{}" in section(
        "ethics"
    )
    assert numbers(folder)["tuningEnergyTotal"]["value"] == 2 * 6 * 2 * 100.0


def test_unequal_budgets_and_few_runs_stand_beside_the_claims(paper):
    few = dict(list(SIX.items())[:4])
    section, folder = paper({"full": {"tried": few}, "lora": {"tried": SIX}}, extend=0)
    assert "\\tuningRemark{}" in section("results")
    said = numbers(folder)["tuningRemark"]["printed"]
    assert "Fewer than 6 candidates were tried in a search for full fine-tuning" in said
    assert "6 for LoRA and 4 for full fine-tuning" in said


def test_a_side_that_was_not_tuned_is_named(paper):
    section, folder = paper({"lora": {"tried": SIX}})
    assert "No hyperparameter was searched for full fine-{}tuning." in section("setup")
    said = numbers(folder)["tuningRemark"]
    assert "Nothing was searched for full fine-tuning" in said["printed"]
    assert said["value"]["untuned"] == ["full"]
    assert "\\" not in said["printed"]


def test_a_study_without_tuning_has_no_trace_of_it(paper):
    section, folder = paper({})
    assert not [name for name in numbers(folder) if name.startswith("tuning")]
    assert "tab:tuning" not in section("appendix") and "fig:budget" not in section("appendix")
    assert not (folder / "figures" / "budget.pdf").exists()


def test_a_training_that_did_not_learn_is_named_in_the_results(view, shelf):
    shelf.add("zero_shot", None, 0.8)
    shelf.add("full", 0, 0.9, "micro")
    shelf.add("lora", 0, 0.2, "micro")
    shelf.trials[0] = replace(shelf.trials[0], model="micro")
    found = Numbers()
    add_learning(view, shelf.results(), found)
    said = found["notLearned"]
    losses = r"LoRA \devLossLoraReviews{} against \devLossBaseLoraReviews{}.\xspace"
    assert "count as failed trainings: LoRA. The mean" in said.text and said.body
    assert said.text.endswith(losses)
    assert said.trials == ("micro/lora/reviews/0",) and "not below" in said.value[said.trials[0]]
    assert (found["notLearnedCount"].value, found["notLearnedOf"].value) == (1, 2)
    assert (found["learnedCount"].value, found["learnedOf"].value) == (1, 2)
    assert "end below it" in found["learnedTrials"].text
    assert found["devLossFullReviews"].value < found["devLossBaseFullReviews"].value
