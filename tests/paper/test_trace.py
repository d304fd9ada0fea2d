"""Tracing: from any number back to its trials and to the jobs that made it."""

import pytest

from smalltune.core.errors import LatexError
from smalltune.paper.trace import trace


def test_a_score_leads_to_its_trials_training_and_data(built, results):
    found = trace(built.folder, "accuracyLoraReviews", results.store)
    assert found.trials == tuple(f"micro/lora/reviews/{seed}" for seed in range(6))
    stages = [origin.stage for origin in found.origins]
    assert stages.count("score") == stages.count("train") == stages.count("predict") == 6
    assert stages.count("prepare") == 1
    score = found.origins[0]
    assert (score.seconds, score.device, score.packages["torch"]) == (12.5, "cpu", "2.13.0")


def test_a_number_of_one_seed_leads_to_that_seed_alone(built, results):
    found = trace(built.folder, "accuracyLoraReviewsSeedThree", results.store)
    assert found.trials == ("micro/lora/reviews/3",)
    assert [o.stage for o in found.origins if o.depth == 0] == ["score"]


def test_a_setting_leads_to_the_study_file(built, results):
    found = trace(built.folder, r"\settingLoraRank{}", results.store)
    assert found.value == 8 and found.source.startswith("study file: methods.lora.rank")


def test_a_claim_leads_to_the_scores_of_both_methods(built, results):
    found = trace(built.folder, "claimLoraAgainstFullReviews", results.store)
    assert found.value == "better"
    assert len([o for o in found.origins if o.stage == "train"]) == 12


def test_every_number_of_the_paper_can_be_traced(built, results):
    import json

    for name in json.loads((built.folder / "numbers.json").read_text()):
        found = trace(built.folder, name, results.store)
        assert found.source or found.origins, name
        assert all(origin.stage for origin in found.origins)


def test_a_typo_is_told_the_nearest_name(built):
    with pytest.raises(
        LatexError, match=r"no number 'accuracyLoraReviws'\. Did you mean 'accuracyLo"
    ):
        trace(built.folder, "accuracyLoraReviws")


def test_without_a_paper_the_error_says_what_to_run(tmp_path):
    with pytest.raises(LatexError, match="there is no paper yet: run `smalltune paper STUDY`"):
        trace(tmp_path, "x")


def test_what_another_store_lacks_is_said_and_not_guessed(built, tmp_path):
    from smalltune.core.store import Store

    found = trace(built.folder, "accuracyLoraReviews", Store(tmp_path))
    assert {origin.stage for origin in found.origins} == {""}
    assert any("not stored" in line for line in found.lines())


def test_a_trial_leads_to_its_jobs_with_their_states(results, shelf):
    from smalltune.paper.trace import trace_trial

    shelf.add("lora", 0, 0.8, "micro")
    trial = shelf.trials[0]
    shelf.store.remove(trial.evaluations["dev"].key)
    found = trace_trial(trial, shelf.store)
    stages = [step.stage for step in found.steps]
    assert stages[:3] == ["prepare", "tokens", "train"] and stages.count("score") == 2
    states = {step.key: step.state for step in found.steps}
    assert states.pop(trial.evaluations["dev"].key) == "missing"
    assert set(states.values()) == {"done"}
    lines = list(found.lines())
    assert lines[0] == "micro/lora/reviews/0" and any("done, 12.5 s" in line for line in lines)
    assert found.record()["steps"][0]["key"] == found.steps[0].key
