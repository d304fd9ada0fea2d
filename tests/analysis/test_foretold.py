"""What was forecast of a trial stands beside what it took, and nowhere else."""

import math
from dataclasses import replace

import pytest

from smalltune.analysis.foretold import accuracies
from smalltune.core.job import Job

TEST = {"test": [0.7] * 12}
TOOK = {"peak_memory_bytes": 500.0, "seconds": 2.0}


def told(trial, seconds, peak, **changes):
    """Return a forecast of a trial as the store keeps it."""
    score = {split: job.key for split, job in trial.evaluations.items()}
    kept = {"score": score, "seconds": seconds, "peak_memory_bytes": peak, "stored_bytes": 1e3}
    return {trial.id: {**kept, **changes}}


def accuracy(made):
    results = made.results()
    return accuracies(results.costs, results.trials)


@pytest.fixture
def three(small):
    """Three trials that took four seconds each: two were forecast, one too low, one too high."""
    made = small()
    low, high, _ = (made.add("lora", seed, TEST, trains=True, **TOOK) for seed in (7, 8, 9))
    made.store.write_forecasts("made", told(low, 3.0, 400.0) | told(high, 6.0, 600.0))
    return made


def test_costs_hold_the_forecast_of_the_trials_that_had_one(three):
    costs = {c.trial.rpartition("/")[2]: c for c in three.results().costs if c.method == "lora"}
    assert (costs["7"].seconds, costs["7"].forecast_seconds) == (4.0, 3.0)
    assert costs["8"].forecast_peak_memory_bytes == 600.0
    assert math.isnan(costs["9"].forecast_seconds) and costs["9"].stored_bytes > 0


def test_the_accuracy_is_the_median_of_forecast_over_actual(three):
    found = {one.what: one for one in accuracy(three)}
    time, memory = found["seconds"], found["peak_memory_bytes"]
    assert (time.median, time.low, time.high) == (1.125, 0.75, 1.5)
    assert (memory.median, len(memory.trials)) == (1.0, 2)


def test_what_was_forecast_without_the_dev_loss_or_with_it_missing_does_not_count(small):
    made = small()
    trial = made.add("lora", 7, TEST, trains=True, **TOOK)
    asked = Job("predict", 1, {"ask": "likelihood"}, {})
    made.trials[-1] = replace(trial, loss=asked)
    made.store.write_forecasts("made", told(trial, 3.0, 400.0, loss=asked.key))
    assert accuracy(made) == (), "the dev loss is not there yet"
    made.commit(asked, {"predictions.jsonl": []}, TOOK)
    assert accuracy(made)[0].median == 3.0 / 6.0
    made.store.write_forecasts("made", told(trial, 3.0, 400.0))
    assert accuracy(made) == ()


def test_a_forecast_of_another_question_does_not_count(small):
    made = small()
    trial = made.add("lora", 7, TEST, trains=True, **TOOK)
    made.store.write_forecasts("made", told(trial, 3.0, 4.0, score={"test": "other"}))
    assert accuracy(made) == ()
