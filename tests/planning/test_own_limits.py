"""A task's own metrics and limits: what they change in the plan, and what is said of wrong ones."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.data.limits import VERSION

TASK = '    prompt: "{text} was"\n'
BESIDE = "  prose: {kind: language_modelling, files: {all: text.jsonl}}\n"


def scored(plan, task):
    return [set(j.spec["metrics"]) for t in plan.trials if t.task == task
            for j in t.evaluations.values()]  # fmt: skip


@pytest.fixture
def both(bureau):
    (bureau.folder / "text.jsonl").write_text('{"text": "so it goes"}\n')
    bureau.replace("methods:\n", f"{BESIDE}methods:\n")
    return bureau.replace(
        "floor: {method: fake.reader,", "floor: {method: fake.reader, tasks: own,"
    )


def test_a_task_is_scored_by_its_own_metrics_and_the_others_by_the_studys(both):
    both.replace("all: text.jsonl}", "all: text.jsonl}, metrics: [perplexity, bits_per_byte]")
    study = both.read()
    assert study.metrics == ("accuracy", "nll", "perplexity", "bits_per_byte")
    plan = both.plan()
    assert all(found == {"perplexity", "bits_per_byte"} for found in scored(plan, "prose"))
    assert all(found == {"accuracy", "nll"} for found in scored(plan, "own"))


@pytest.mark.parametrize(
    ("extractive", "usual"), [("true", {"token_f1", "exact_match"}), ("false", {"rougeL", "chrf"})]
)
def test_answers_out_of_a_text_are_scored_as_answers_where_nothing_is_said(both, extractive, usual):
    (both.folder / "qa.jsonl").write_text('{"text": "so it goes", "answer": "it"}\n')
    asked = f"""  asked:
    {{kind: generation, files: {{train: qa.jsonl, test: qa.jsonl}}, text: text, prompt: "{{text}}",
     reference: answer, extractive: {extractive}}}
"""
    both.replace("methods:\n", f"{asked}methods:\n")
    both.replace("metrics: [accuracy, nll]\n", "")
    study = both.read()
    (task,) = (task for task in study.tasks if task.name == "asked")
    assert set(study.metrics_of(task)) == usual | {"invalid_rate", "unended_rate"}


def test_a_tasks_own_metric_leaves_the_keys_of_other_tasks_alone(both):
    both.replace("metrics: [accuracy, nll]\n", "")
    keys = {j.key for t in both.plan().trials if t.task == "own" for j in t.evaluations.values()}
    both.replace("all: text.jsonl}", "all: text.jsonl}, metrics: [perplexity]")
    after = {j.key for t in both.plan().trials if t.task == "own" for j in t.evaluations.values()}
    assert keys == after


def test_a_metric_that_cannot_judge_the_task_is_refused_with_the_nearest_one(both):
    both.replace("all: text.jsonl}", "all: text.jsonl}, metrics: [perplexty, accuracy]")
    with pytest.raises(StudyError) as told:
        both.read()
    assert "prose cannot be scored by 'perplexty'. Did you mean 'perplexity'?" in str(told.value)
    assert "prose cannot be scored by 'accuracy'" in str(told.value)


def test_a_task_that_no_metric_of_the_study_can_judge_is_refused(both):
    with pytest.raises(StudyError, match="no metric of the study can judge the task 'prose'"):
        both.read()


def test_a_limit_on_test_changes_the_data_and_what_follows_for_every_seed_alike(bureau):
    before = bureau.plan()
    bureau.replace(TASK, f"{TASK}    limit: {{test: 1, dev: 2}}\n")
    after = bureau.plan()
    prepared = [job for job in after.jobs() if job.stage == "prepare"]
    (limit,) = (job.spec["limit"] for job in prepared)
    assert limit == {"dev": 2, "test": 1, "seed": 0, "version": VERSION}
    assert [t.id for t in after.trials] == [t.id for t in before.trials]
    assert not {j.key for j in before.jobs()} & {j.key for j in after.jobs()}


def test_a_limit_on_train_leaves_the_data_alone(bureau):
    bureau.replace(TASK, f"{TASK}    limit: {{train: 1}}\n")
    assert "limit" not in next(j for j in bureau.plan().jobs() if j.stage == "prepare").spec


def test_a_limit_on_another_split_is_refused_with_the_nearest_one(bureau):
    bureau.replace(TASK, f"{TASK}    limit: {{tests: 1}}\n")
    with pytest.raises(
        StudyError, match=r"unknown key 'tests' in tasks\.own\.limit\. Did you mean 'te"
    ):
        bureau.read()
