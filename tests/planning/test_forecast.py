"""Forecasts: closed forms over what was measured, what does not fit, and what is not known."""

import dataclasses
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from planning.test_planner import WRITES

from smalltune.core.errors import StudyError
from smalltune.models.loading import empty_model
from smalltune.planning.checkpoints import read_config
from smalltune.planning.fitting import least_parameters, unfit
from smalltune.planning.forecast import forecast, needs
from smalltune.planning.foretold import foretell
from smalltune.planning.locking import lock_in_force
from smalltune.planning.measuring import measuring

PLACE = {"threads": 1}
MEASURED = {
    "train": {
        "once": 2.0, "step": 0.5, "judge": 3.0, "rows": 33, "trained": 10, "peak": 700,
        "bytes": 100, "step_bytes": 10, "weights_bytes": 5000,
    },
    "predict": {
        "once": 1.0, "token": 0.25, "fits": False, "peak": 600, "bytes": 50, "item_bytes": 4,
    },
    "score": {"once": 0.0, "item": 0.125, "bytes": 20, "item_bytes": 8},
    "splits": {
        "train": {"rows": 33, "tokens": 330},
        "dev": {"rows": 8, "tokens": 80},
        "test": {"rows": 16, "tokens": 160},
    },
    "load": 4.0,
    "drawn": False,
}  # fmt: skip


def nothing(key):
    """Know no tuning answer, and nothing that was measured."""


def cells_of(bureau, *changes, place=PLACE):
    """Return what measures each cell of the study."""
    study = bureau.read(*changes)
    lock, _ = lock_in_force(study)
    return measuring(study, lock, bureau.plan(*changes), nothing, place)


def lock_of(bureau):
    return lock_in_force(bureau.read())[0]


@pytest.fixture
def cell(bureau):
    """What measures the method that trains, with its jobs."""
    return next(one for one in cells_of(bureau) if "/tuned/" in one.where)


def told(one, **changes):
    """Return the forecast of one cell of which nothing is stored."""
    return forecast(
        [one], lambda key: {**MEASURED, **changes}, lambda key: False, workers=lambda peak: 2
    )


def test_one_measuring_serves_all_seeds_rates_and_lengths_of_a_cell(bureau):
    def keys(*changes):
        return [job.key for one in cells_of(bureau, *changes) for job in one.measures]

    first = keys()
    assert len(set(first)) == len(first) == 3
    assert keys("seeds=5", "training.epochs=9", "training.learning_rate=0.5") == first
    other = keys("training.batch_size=3")
    assert other[:2] == first[:2] and other[2] != first[2]


def test_another_machine_is_measured_anew(bureau):
    here, there = (cells_of(bureau, place={"threads": n}) for n in (1, 2))
    assert not {job.key for one in here for job in one.measures} & {
        job.key for one in there for job in one.measures
    }


def test_a_training_takes_its_steps_and_is_judged_once_an_epoch(cell):
    train = next(job for jobs in cell.trials.values() for job in jobs if job.stage == "train")

    def seconds(**training):
        spec = {**train.spec, "training": {**train.spec["training"], **training}}
        return needs(replace(train, spec=spec), MEASURED).seconds

    assert seconds(steps=7, early_stopping=None) == 2 + 7 * 0.5
    assert seconds(steps=None, epochs=3, batch_size=16, early_stopping=None) == 2 + 9 * 0.5
    assert seconds(steps=None, epochs=3, batch_size=16, early_stopping=1) == 2 + 9 * 0.5 + 3 * 3


@pytest.mark.parametrize(("limit", "learnt"), [(None, 330), (11, 110), (99, 330)])
def test_a_prediction_that_fits_reads_the_rows_that_it_learns_from_and_no_more(cell, limit, learnt):
    predict = next(job for jobs in cell.trials.values() for job in jobs if job.stage == "predict")
    fits = {**MEASURED, "predict": {**MEASURED["predict"], "fits": True}}
    job = replace(predict, spec={**predict.spec, "split": "test", "limit": limit})
    assert needs(job, fits).seconds == 1 + (160 + learnt) * 0.25
    assert needs(job, MEASURED).seconds == 1 + 160 * 0.25


def test_the_dev_loss_of_texts_is_measured_and_forecast_apart_from_writing(bureau):
    begin, end = bureau.text.index("\n    kind: cla"), bureau.text.index("methods:")
    bureau.text = bureau.text[:begin] + WRITES + bureau.text[end:]
    bureau.replace("  floor: {method: fake.reader, why: To have a floor.}\n", "")
    bureau.replace("metrics: [accuracy, nll]\n", "")
    plain, asked = cells_of(bureau), cells_of(bureau, "dev_loss=true")
    assert not {job.key for one in plain for job in one.measures} & {
        job.key for one in asked for job in one.measures
    }
    loss = {**MEASURED["predict"], "token": 0.125}
    for before, one in zip(plain, asked, strict=True):
        less, more = told(before).trials, told(one, loss=loss).trials
        assert {more[n].seconds - less[n].seconds for n in more} == {1 + 80 * 0.125}
        assert all(math.isnan(each.seconds) for each in told(one).trials.values())


def test_kept_weights_are_stored_bytes(cell):
    train = next(job for jobs in cell.trials.values() for job in jobs if job.stage == "train")
    more = needs(train, MEASURED, keep_weights=True).stored - needs(train, MEASURED).stored
    assert more == 5000


def test_a_trial_is_its_training_and_predictions_and_the_total_its_share_of_the_workers(cell):
    found = told(cell)
    steps = 2 * math.ceil(33 / 16)  # two epochs
    each = 2 + 0.5 * steps + (1 + 80 * 0.25) + (1 + 160 * 0.25)
    assert all(trial.seconds == each for trial in found.trials.values()) and found.trials
    assert {trial.peak for trial in found.trials.values()} == {700}
    scoring = 0.125 * (8 + 16)
    trials = len(found.trials)
    assert found.rows[0].left.seconds == pytest.approx(trials * (each + scoring))
    assert found.total.seconds == pytest.approx(trials * (each + scoring) / 2 + 4.0)
    assert found.total.peak == 2 * 700


def test_what_was_not_measured_is_not_a_number_and_no_zero(cell):
    found = forecast([cell], nothing, lambda key: False, workers=lambda peak: 2)
    numbers = [*dataclasses.astuple(found.rows[0].each), *dataclasses.astuple(found.total)]
    assert all(map(math.isnan, numbers))


def test_what_is_stored_is_not_forecast_again(cell):
    done = {job.key for job in next(iter(cell.trials.values()))}
    found = forecast([cell], lambda key: MEASURED, done.__contains__, workers=lambda peak: 1)
    assert len(found.trials) == len(cell.trials) - 1 and not done & set(found.jobs)


def test_a_job_that_will_have_more_than_the_machine_is_named_with_both_numbers(cell):
    train = {**MEASURED["train"], "peak": 30e9}
    found = forecast(
        [cell],
        lambda key: {**MEASURED, "train": train},
        lambda key: False,
        workers=lambda peak: 1,
        memory=int(25e9),
    )
    assert len(found.unfit) == 1 and "30.0 GB" in found.unfit[0] and "25.0 GB" in found.unfit[0]


def test_a_forecast_stays_as_it_was_once_its_trial_has_begun(bureau, cell, store):
    plan = bureau.plan()
    before = told(cell).trials
    foretell(store, plan, before)
    kept = store.forecasts(plan.study)
    assert set(kept) == set(before)
    name = next(iter(before))
    trial = next(trial for trial in plan.trials if trial.id == name)
    store.commit(trial.job("train"), {})
    later = told(cell, train={**MEASURED["train"], "step": 9.0}).trials
    foretell(store, plan, later)
    found = store.forecasts(plan.study)
    assert found[name] == kept[name]
    others = set(before) - {name}
    assert others and all(found[o]["seconds"] > kept[o]["seconds"] for o in others)


def test_a_forecast_that_knows_of_no_trial_yet_was_asked_for_all_the_same(bureau, store):
    plan = bureau.plan()
    assert store.forecasts(plan.study) is None
    foretell(store, plan, {})
    assert store.forecasts(plan.study) == {}


@pytest.mark.parametrize("family", ["micro-llama", "micro-qwen", "micro-qwen2"])
def test_the_least_parameters_of_a_configuration_are_nearly_all_of_its_model(bureau, family):
    folder = Path(__file__).parents[2] / "bases" / family / "config"
    whole = sum(p.numel() for p in empty_model(folder).parameters())
    known = next(iter(lock_of(bureau).models.values()))
    model = replace(known, parameters=None, config=read_config(folder))
    assert 0.98 * whole < least_parameters(model) <= whole


def test_a_base_beyond_the_memory_ends_a_run_before_it_begins_with_the_numbers(
    bureau, store, here, go, monkeypatch
):
    lock = lock_of(bureau)
    monkeypatch.setattr(type(here), "memory", 100)
    with pytest.raises(StudyError) as refused:
        go()
    count = next(iter(lock.models.values())).parameters
    assert f"{count:,} parameters" in str(refused.value) and "smaller model" in str(refused.value)
    assert not here.ran and not list(store.keys())


def test_what_trains_every_weight_needs_its_gradients_and_moments_too(bureau):
    bureau.replace("{method: fake.trainer,", "{method: full,")
    lock, jobs = lock_of(bureau), list(bureau.plan().jobs())
    count = next(iter(lock.models.values())).parameters

    def methods(room):
        found = unfit(jobs, lock, room)
        return {job.spec["method"]["name"] for job in jobs if job.key in found}

    assert methods(16 * count) == set()
    assert methods(16 * count - 1) == {"full"}
    assert methods(4 * count - 1) == {"full", "fake.asker"}


def test_numbers_that_are_not_known_are_null_in_json(cell):
    from smalltune.cli.forecasts import forecast_record
    from smalltune.cli.verbs import print_json

    found = forecast([cell], nothing, lambda key: False, workers=lambda peak: 1)
    record = forecast_record(found)
    assert "jobs" not in record and math.isnan(record["total"]["seconds"])
    assert json.dumps(record) and print_json(record) is None
