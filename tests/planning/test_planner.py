"""Planning: the same question has the same key, and another question has another."""

import json
import subprocess
import sys

import pytest

from smalltune.core.errors import StudyError


def labels(plan, stage):
    return sorted(job.label for job in plan.jobs() if job.stage == stage)


def test_what_a_method_declares_decides_its_axes(bureau):
    ids = [trial.id for trial in bureau.plan().trials]
    assert ids == [
        "-/floor/own/-", "tiny/asked/own/-", "tiny/tuned/own/0", "tiny/tuned/own/1",
    ]  # fmt: skip


def test_drawn_rows_give_a_method_without_training_the_seed_axis(bureau):
    bureau.replace('    prompt: "{text} was"', '    prompt: "{text} was"\n    limit: {train: 1}')
    ids = [trial.id for trial in bureau.plan().trials]
    assert ids[:3] == ["-/floor/own/0", "-/floor/own/1", "tiny/asked/own/-"]


def test_planning_twice_gives_the_same_plan(bureau):
    assert bureau.plan().record() == bureau.plan().record()


def test_one_more_seed_adds_only_that_seeds_jobs(bureau):
    before, after = bureau.plan(), bureau.plan("seeds=3")
    keys = {job.key for job in before.jobs()}
    assert keys < {job.key for job in after.jobs()}
    assert sorted(job.label for job in after.jobs() if job.key not in keys) == [
        "predict tiny/tuned/own/2 dev",
        "predict tiny/tuned/own/2 test",
        "score tiny/tuned/own/2 dev",
        "score tiny/tuned/own/2 test",
        "train tiny/tuned/own/2",
    ]


def test_one_more_metric_scores_again_and_trains_nothing(bureau):
    keys = bureau.keys()
    more = [job for job in bureau.plan("metrics=[accuracy, nll, macro_f1]").jobs()]
    assert {job.stage for job in more if job.key not in keys} == {"score"}


def test_where_things_lie_is_not_part_of_the_question(bureau, tmp_path):
    before = bureau.keys()
    moved = tmp_path / "elsewhere"
    bureau.folder.rename(moved)
    (moved / "data" / "train.csv").rename(moved / "rows.csv")
    bureau.folder = moved
    bureau.replace("data/train.csv", "rows.csv")
    assert bureau.keys() == before


@pytest.mark.parametrize(
    "change",
    ["title=Another", "models.tiny.why=Another", "keep_weights=true", "contrasts=[]", "alpha=0.01"],
)
def test_what_is_only_said_is_not_part_of_the_question(bureau, change):
    assert bureau.keys(change) == bureau.keys()


def test_a_value_that_is_the_default_may_as_well_be_left_out(bureau):
    spelt = bureau.keys("methods.tuned.rank=8", "training.batch_size=16")
    assert spelt == bureau.keys()


def test_two_names_for_one_question_are_one_question(bureau):
    keys = bureau.keys()
    bureau.replace("  tuned:", "  again: {method: fake.trainer, rank: 8}\n  tuned:")
    assert bureau.keys() == keys


def test_training_options_reach_only_what_trains(bureau):
    keys = bureau.keys()
    changed = [job for job in bureau.plan("training.learning_rate=0.5").jobs()]
    assert {job.stage for job in changed if job.key not in keys} == {"train", "predict", "score"}
    new = [job.label for job in changed if job.key not in keys]
    assert all("tuned" in label for label in new)
    classify = next(job for job in changed if job.stage == "classify")
    assert classify.spec["method"]["options"] == {"strength": 1.0}


def test_a_methods_value_wins_over_the_studys_and_that_over_the_methods_default(bureau):
    def rate(*changes):
        train = next(job for job in bureau.plan(*changes).jobs() if job.stage == "train")
        return train.spec["training"]["learning_rate"]

    assert rate() == 0.002
    assert rate("training.learning_rate=0.1") == 0.1
    assert rate("training.learning_rate=0.1", "methods.tuned.learning_rate=0.3") == 0.3


def test_all_methods_of_a_task_share_its_rows_and_its_tokens(bureau):
    plan = bureau.plan()
    assert labels(plan, "prepare") == ["prepare own"]
    assert labels(plan, "tokens") == ["tokens tiny/own"]


def test_texts_are_no_longer_than_the_model_reads(bureau):
    def length(*changes):
        jobs = bureau.plan(*changes).jobs()
        return next(job for job in jobs if job.stage == "tokens").spec["max_length"]

    assert (length(), length("max_length=16")) == (64, 16)


TUNED = "tune: {rank: [2, 4], learning_rate: [0.1, 0.2]}"


def test_tuning_runs_come_first_and_final_trials_wait_for_their_answer(bureau):
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNED},")
    plan = bureau.plan()
    assert [trial.method for trial in plan.trials] == ["floor", "asked"]
    (select,) = plan.open
    assert [c["rank"] for c in select.spec["candidates"]] == [2, 2, 4, 4]
    trains = [job for job in plan.jobs() if job.stage == "train"]
    assert len(trains) == 4
    assert {job.spec["seed"] for job in trains} == {1_000_003}
    assert {
        job.spec["split"] for job in plan.jobs() if "tuning" in job.label and job.stage == "predict"
    } == {"dev"}


def test_a_final_run_depends_on_its_values_and_not_on_how_they_were_found(bureau):
    plain = bureau.keys("methods.tuned.rank=4", "methods.tuned.learning_rate=0.2")
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNED},")
    choice = {"index": 3, "options": {"rank": 4, "learning_rate": 0.2}}
    plan = bureau.plan(known=lambda key: choice)
    scores = {job.key for trial in plan.trials for job in trial.evaluations.values()}
    assert len(plan.trials) == 4
    assert scores <= plain


def test_a_metric_that_is_only_reported_does_not_touch_the_tuning(bureau):
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNED},")
    (before,) = bureau.plan().open
    (after,) = bureau.plan("metrics=[accuracy, macro_f1]").open
    (other,) = bureau.plan("tuning.metric=nll").open
    assert before.key == after.key != other.key
    assert (before.spec["better"], other.spec["better"]) == ("higher", "lower")


def test_tuning_works_for_methods_without_a_model(bureau):
    bureau.replace("method: fake.reader,", "method: fake.reader, tune: {strength: [1.0, 9.0]},")
    (select,) = bureau.plan().open
    found = bureau.plan(known=lambda key: {"index": 1, "options": {"strength": 9.0}})
    assert select.label == "select -/floor/own"
    classify = next(
        job for job in found.trials[0].evaluations["test"].walk(set()) if job.stage == "classify"
    )
    assert classify.spec["method"]["options"] == {"strength": 9.0}


def test_a_task_without_labels_has_no_place_for_a_method_that_answers_with_labels(bureau):
    (bureau.folder / "text.jsonl").write_text(json.dumps({"text": "so it goes"}) + "\n")
    bureau.write(
        """\
        models: {tiny: {source: ./base}}
        tasks:
          prose: {kind: language_modelling, files: {all: text.jsonl}}
        methods:
          floor: {method: fake.reader}
        seeds: 1
        """
    )
    with pytest.raises(StudyError) as error:
        bureau.read()
    assert str(error.value) == (
        "study.yaml:5: floor answers with labels, and prose is running text, which asks nothing"
    )


def test_a_study_may_train_from_a_configuration_alone(bureau):
    (bureau.folder / "base" / "model.safetensors").unlink()
    plan = bureau.replace("source: ./base", "config: ./base").plan()
    train = next(job for job in plan.jobs() if job.stage == "train")
    assert train.sources["model"] == f"config:{(bureau.folder / 'base').resolve()}"


def test_reading_locking_and_planning_import_no_heavy_library(bureau):
    bureau.read()
    code = f"""
import sys
sys.path.insert(0, {str(__import__("pathlib").Path(__file__).parent / "plugins")!r})
import smalltune as st
study = st.load({str(bureau.file)!r}, {str(bureau.folder / "store")!r})
study.plan(), study.status(), study.record()
heavy = {{"torch", "transformers", "peft", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WRITES = """
    kind: generation
    files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}
    reference: label
    prompt: "{text} was"
    why: It is short.
"""


def test_the_loss_on_dev_is_asked_for_where_texts_are_written_and_changes_no_other_key(bureau):
    labelled = bureau.keys()
    assert bureau.keys("dev_loss=true") == labelled
    begin, end = bureau.text.index("\n    kind: cla"), bureau.text.index("methods:")
    bureau.text = bureau.text[:begin] + WRITES + bureau.text[end:]
    bureau.replace("  floor: {method: fake.reader, why: To have a floor.}\n", "")
    bureau.replace("metrics: [accuracy, nll]\n", "")
    plain, asked = bureau.keys(), bureau.plan("dev_loss=true")
    more = {job.key: job for job in asked.jobs() if job.key not in plain}
    assert {job.spec["ask"] for job in more.values()} == {"likelihood"}
    assert {job.spec["split"] for job in more.values()} == {"dev"}
    assert len(more) == len(asked.trials) == 3
    assert {trial.record()["loss"] for trial in asked.trials} == set(more)
