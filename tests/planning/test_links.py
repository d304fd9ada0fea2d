"""Entries that name each other: other tasks asked too, training on another task, starting after."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.core.job import HEAVY, UNPLANNED
from smalltune.planning.forecast import forecast
from smalltune.planning.locking import lock_in_force
from smalltune.planning.measuring import measuring

FREE = {
    "once": 0.0,
    "token": 0.0,
    "item": 0.0,
    "fits": False,
    "peak": 1,
    "bytes": 1,
    "item_bytes": 1,
}
LINKED = {
    "train": {
        "once": 100.0, "step": 0.0, "judge": 0.0, "rows": 8, "trained": 10, "peak": 1,
        "bytes": 1, "step_bytes": 1, "weights_bytes": 1,
    },
    "merge": {"once": 10.0, "peak": 1, "bytes": 1, "weights_bytes": 1},
    "predict": FREE,
    "score": FREE,
    "splits": {name: {"rows": 8, "tokens": 80} for name in ("train", "dev", "test")},
    "load": 5.0,
    "drawn": False,
}  # fmt: skip

STUDY = """\
name: linked
models: {tiny: {source: ./base}}
tasks:
  own:
    kind: classification
    files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}
    labels: {0: bad, 1: good}
    also: [prose, orders]
  orders: {kind: instructions, files: {train: o.jsonl, dev: o.jsonl, test: o.jsonl}, trained: false}
  prose: {kind: language_modelling, files: {all: text.jsonl}, trained: false}
methods:
  floor: {method: fake.reader, tasks: own}
  asked: {method: zero_shot}
  first: {method: fake.merger, on: orders, tasks: own}
  second: {method: fake.trainer, after: first, tasks: own}
  alone: {method: fake.trainer, tasks: own}
seeds: 2
"""


@pytest.fixture
def linked(bureau):
    (bureau.folder / "text.jsonl").write_text('{"text": "so it goes"}\n')
    (bureau.folder / "o.jsonl").write_text('{"instruction": "Say so.", "output": "So."}\n')
    return bureau.write(STUDY)


def trial(plan, id):
    return next(each for each in plan.trials if each.id == id)


def behind(trial, stage):
    seen = set()
    return [j for goal in trial.goals for j in goal.walk(seen) if j.stage == stage]


def chain(job):
    """Return the stages from a training back to the first one, with the rows that each learned."""
    rows = job.inputs["tokens"].inputs["data"].label
    base = job.inputs.get("base")
    return [rows, *(chain(base.inputs["weights"]) if base else [])]


# Other tasks


def test_only_what_is_trained_is_asked_other_tasks_too(linked):
    also = {each.id: set(each.also) for each in linked.plan().trials}
    assert also["tiny/alone/own/1"] == also["tiny/second/own/0"] == {"prose", "orders"}
    assert not also["tiny/asked/own/-"] and not also["-/floor/own/-"]


def test_another_task_is_answered_by_the_same_weights_with_its_own_rows_and_metrics(linked):
    found = trial(linked.plan(), "tiny/alone/own/0")
    weights = found.job("train")
    for name, metrics in (("prose", {"bits_per_byte"}), ("orders", {"perplexity"})):
        score = found.also[name]
        predict = score.inputs["predictions"]
        assert predict.inputs["weights"].key == weights.key
        assert score.spec["split"] == "test" and set(score.spec["metrics"]) == metrics
        assert score.inputs["data"].label == f"prepare {name}"
        assert predict.inputs["tokens"].inputs["data"].key == score.inputs["data"].key
    assert len(behind(found, "train")) == 1


def test_the_base_and_what_was_trained_answer_the_same_rows(linked):
    plan = linked.plan()
    before = trial(plan, "tiny/asked/prose/-").evaluations["test"]
    after = trial(plan, "tiny/alone/own/0").also["prose"]
    assert before.inputs["data"].key == after.inputs["data"].key
    assert before.spec == after.spec


def test_asking_another_task_too_changes_no_other_key(linked):
    with_it = linked.keys()
    without = linked.replace("    also: [prose, orders]\n", "").keys()
    assert without < with_it
    assert all(job.stage in ("predict", "score") for job in linked.plan().jobs()
               if job.key in with_it - without)  # fmt: skip


def test_a_study_that_does_not_open_test_asks_other_tasks_on_dev(linked):
    found = trial(linked.plan("evaluations=[dev]"), "tiny/alone/own/0")
    assert {score.spec["split"] for score in found.also.values()} == {"dev"}


def test_the_record_names_the_other_answers_apart_from_the_trials_own(linked):
    record = trial(linked.plan(), "tiny/alone/own/0").record()
    assert set(record["score"]) == {"dev", "test"}
    assert set(record["also"]) == {"prose", "orders"}
    assert record["also"]["prose"]["score"] not in record["score"].values()


# Training on another task


def test_one_training_serves_every_task_that_is_asked(linked):
    linked.replace("on: orders, tasks: own", "on: orders")
    plan = linked.plan()
    mine = [each for each in plan.trials if each.method == "first" and each.seed == 0]
    assert {each.task for each in mine} == {"own", "orders", "prose"}
    assert len({each.job("train").key for each in mine}) == 1
    assert chain(mine[0].job("train")) == ["prepare orders"]
    assert mine[0].job("train").label == "train tiny/first/orders/0"


def test_its_tuning_is_one_choice_by_the_dev_rows_of_what_it_learns(linked):
    linked.replace("on: orders, tasks: own", "on: orders, tune: {rank: [2, 4]}")
    opened = [job for job in linked.plan().open]
    assert [job.label for job in opened] == ["select tiny/first/orders"]
    assert opened[0].spec["metric"] == "perplexity"
    assert {job.inputs["data"].label for job in opened[0].inputs.values()} == {"prepare orders"}


# Starting after another method


def test_a_method_starts_from_what_the_other_made_with_the_same_seed(linked):
    plan = linked.plan()
    for seed in (0, 1):
        second, first = (trial(plan, f"tiny/{name}/own/{seed}") for name in ("second", "first"))
        train = second.job("train")
        assert train.inputs["base"].stage == "merge"
        assert train.inputs["base"].inputs["weights"].key == first.job("train").key
        assert chain(train) == ["prepare own", "prepare orders"]
        assert all(each.inputs["base"].key == train.inputs["base"].key
                   for each in behind(second, "predict"))  # fmt: skip
        assert [job.stage for job in second.built] == ["train", "merge"]
        assert second.record()["train"] == train.key
    assert trial(plan, "tiny/alone/own/0").built == []


def test_what_comes_after_leaves_the_keys_of_the_others_alone(linked):
    with_it = linked.keys()
    assert linked.replace("  second: {method: fake.trainer, after: first, tasks: own}\n", "")
    assert linked.keys() < with_it


def test_a_method_that_trains_nothing_can_ask_what_another_made_once_a_seed(linked):
    linked.replace("asked: {method: zero_shot}", "asked: {method: zero_shot, after: first}")
    plan = linked.plan()
    asked = [each for each in plan.trials if each.method == "asked" and each.task == "prose"]
    assert [each.seed for each in asked] == [0, 1]
    assert asked[0].record()["train"] is None
    assert [job.stage for job in asked[0].built] == ["train", "merge"]


def test_tuning_goes_step_by_step_and_starts_wait_for_what_reads_them(linked):
    linked.replace("on: orders, tasks: own", "on: orders, tasks: own, tune: {rank: [2, 4]}")
    linked.replace("after: first, tasks: own", "after: first, tasks: own, tune: {rank: [1, 3]}")
    answers = {}
    first = linked.plan(known=answers.get)
    assert [job.label for job in first.open] == ["select tiny/first/orders"] and not first.starts
    assert not [each for each in first.trials if each.method in ("first", "second")]
    answers[first.open[0].key] = {"index": 1, "options": {"rank": 4}}
    second = linked.plan(known=answers.get)
    labels = [job.label for job in second.open]
    assert labels == ["select tiny/first/orders", "select tiny/second/own"]
    starts = {job.spec["seed"] for job in second.starts}
    assert starts == {0, 1}
    assert all(job.spec["method"]["options"]["rank"] == 4 for job in second.starts)
    waiting = {key for key, readers in second.readers().items() if UNPLANNED in readers}
    assert waiting == {job.key for job in second.starts}
    tuned = next(job for job in second.open if "second" in job.label)
    bases = {j.spec["seed"] for j in tuned.walk(set()) if j.stage == "merge"}
    assert bases == {1_000_003}
    answers[tuned.key] = {"index": 0, "options": {"rank": 1}}
    third = linked.plan(known=answers.get)
    assert len(third.trials) == 3 + 1 + 3 * 2 and not third.starts
    assert {job.key for job in second.starts} <= {job.key for job in third.jobs()}


def test_whatever_reads_weights_or_models_is_named_in_the_plan(linked):
    plan = linked.plan()
    jobs = {job.key: job for job in plan.jobs()}
    readers = plan.record()["readers"]
    heavy = {job.key for job in jobs.values() if job.stage in HEAVY}
    assert set(readers) == heavy
    start = next(job for job in jobs.values() if job.stage == "merge")
    assert {jobs[key].stage for key in readers[start.key]} == {"train", "predict"}
    weights = start.inputs["weights"]
    assert {jobs[key].stage for key in readers[weights.key]} == {"merge", "predict"}


def test_a_chain_of_three_is_planned(linked):
    linked.replace("fake.trainer, after: first", "fake.merger, after: first")
    linked.replace("alone: {method: fake.trainer,", "alone: {method: fake.trainer, after: second,")
    train = trial(linked.plan(), "tiny/alone/own/0").job("train")
    assert chain(train) == ["prepare own", "prepare own", "prepare orders"]


def test_a_front_of_virtual_tokens_may_start_after_another_method(linked):
    new = "{method: prompt_tuning, tasks: own, after: first}"
    linked.replace("{method: fake.trainer, tasks: own}", new)
    assert linked.read() is not None


# What is refused

WRONG = [
    ("also: [prose, orders]", "also: prse", "no task 'prse' in this study. Did you mean 'prose'?"),
    ("also: [prose, orders]", "also: own", "own names itself under `also`"),
    ("trained: false}\nmethods", "trained: false, also: own}\nmethods",
     "no method of this study trains weights for prose"),
    ("on: orders", "on: oders", "no task 'oders' in this study. Did you mean 'orders'?"),
    ("{method: zero_shot}", "{method: zero_shot, on: orders}", "and zero_shot trains none"),
    ("after: first", "after: frist", "no method 'frist' in this study. Did you mean 'first'?"),
    ("after: first", "after: asked", "asked trains no weights, so there is nothing to start from"),
    ("after: first", "after: alone", "what alone trains cannot be made part of the model's own"),
    ("fake.reader,", "fake.reader, after: first,", "fake.reader asks no model"),
    ("fake.merger,", "fake.merger, after: first,", "it comes after itself: first after first"),
    ("{method: fake.trainer, tasks: own}", "{method: from_scratch, tasks: own, after: first}",
     "from_scratch draws all weights anew"),
    ("{method: fake.trainer, tasks: own}", "{method: lora, with: full, tasks: own}",
     "`with` names what instruct trains with"),
    ("first: {method: fake.merger, on: orders,", "first: {method: instruct,",
     "`on` is missing: it names the task whose instructions are learned. This study has: orders"),
    ("first: {method: fake.merger, on: orders,", "first: {method: instruct, on: own,",
     "it learns to write answers, and the task 'own' has none"),
    ("first: {method: fake.merger,", "first: {method: instruct, with: zero_shot,",
     "instruct cannot train with zero_shot"),
    ("alone: {method: fake.trainer, tasks: own}", "alone: {method: fake.trainer, tasks: prose}",
     "alone trains weights, and prose says `trained: false`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_a_wrong_link_is_refused_once_with_its_line(linked, old, new, said):
    linked.replace(old, new)
    with pytest.raises(StudyError) as told:
        linked.read()
    lines = str(told.value).splitlines()
    assert len(lines) == 1 and said in lines[0], lines
    assert lines[0].startswith("study.yaml:")


def test_a_circle_of_two_is_refused_at_both(linked):
    linked.replace("fake.trainer, after: first", "fake.merger, after: first")
    linked.replace("fake.merger, on: orders", "fake.merger, after: second, on: orders")
    with pytest.raises(StudyError, match="first after second after first"):
        linked.read()


def test_a_base_held_in_bfloat16_cannot_be_what_others_start_from(linked):
    with pytest.raises(StudyError, match="second would start from weights that bfloat16 rounds"):
        linked.read("base_dtype=bfloat16")


def test_instruct_trains_with_the_method_that_it_is_given(linked):
    linked.replace("{method: fake.merger, on: orders, tasks: own}",
                   "{method: instruct, with: lora, rank: 2, on: orders, tasks: own}")  # fmt: skip
    study = linked.read()
    first = next(method for method in study.methods if method.name == "first")
    assert (first.method, first.said.title) == ("lora", "Instruction tuning with LoRA")
    train = trial(linked.plan(), "tiny/first/own/0").job("train")
    assert train.spec["method"]["name"] == "lora"
    assert train.spec["method"]["options"]["rank"] == 2
    assert train.spec["training"]["learning_rate"] == 3e-3


# What a forecast measures


def told(bureau):
    """Return the labels of what tells about the jobs of each cell, by the jobs' labels."""
    study = bureau.read()
    found = measuring(study, lock_in_force(study)[0], bureau.plan(), lambda key: None, {})
    labels = {job.key: job.label for one in found for job in chain_of(one)}
    return {
        one.where: {labels[key]: teller.label for key, teller in one.jobs.items()} for one in found
    }


def chain_of(one):
    return [*(job for jobs in one.trials.values() for job in jobs), *one.tuning]


def test_what_starts_from_another_training_is_measured_piece_by_piece(linked):
    found = told(linked)["tiny/second/own"]
    assert found["train tiny/first/orders/0"] == "measure tiny/first/orders"
    assert found["merge tiny/first/orders/0"] == "measure tiny/first/orders"
    assert found["train tiny/second/own/0"] == "measure tiny/second/own"
    assert found["predict tiny/second/own/0 test"] == "measure tiny/second/own"
    assert found["score tiny/second/own/0 also prose test"] == "measure tiny/second/prose"


def test_what_learns_another_task_steps_as_there_and_answers_as_here(linked):
    found = told(linked)["tiny/first/own"]
    assert found["train tiny/first/orders/1"] == "measure tiny/first/orders"
    assert found["predict tiny/first/own/1 test"] == "measure tiny/first/own"


def test_only_what_others_start_from_is_measured_as_a_merge_too(linked):
    study = linked.read()
    found = measuring(study, lock_in_force(study)[0], linked.plan(), lambda key: None, {})
    merged = {job.label for one in found for job in one.measures if job.spec.get("merged")}
    assert {label.rpartition("/")[0] for label in merged} == {"measure tiny/first"}


def test_a_start_that_two_trials_share_is_forecast_once(linked):
    linked.replace("after: first, tasks: own}", "after: first, tasks: own, models: [tiny]}")
    linked.replace(
        "  alone:",
        "  third: {method: fake.trainer, after: first, tasks: own, learning_rate: 0.5}\n  alone:",
    )
    study = linked.read()
    ones = measuring(study, lock_in_force(study)[0], linked.plan(), lambda key: None, {})
    ones = [one for one in ones if one.where in ("tiny/second/own", "tiny/third/own")]
    found = forecast(ones, lambda key: LINKED, lambda key: False, workers=lambda peak: 1)
    trainings = {job.key for one in ones for job in chain_of(one) if job.stage == "train"}
    merges = {job.key for one in ones for job in chain_of(one) if job.stage == "merge"}
    assert (len(trainings), len(merges)) == (2 + 4, 2)
    assert found.total.seconds == pytest.approx(6 * 100 + 4 * 5 + 2 * 10 + 5)
    one = found.trials["tiny/second/own/0"]
    assert one.seconds == pytest.approx(100 + 10 + 100 + 5)


def test_a_tuned_start_that_comes_later_in_the_study_is_told_of_too(linked):
    first = "  first: {method: fake.merger, on: orders, tasks: own}\n"
    tuned = first.replace("}", ", tune: {learning_rate: [0.1, 0.2]}}")
    linked.replace(first, "")
    linked.replace("  alone:", tuned + "  alone:")
    found = told(linked)["tiny/second/own"]
    dev = {teller for label, teller in found.items() if label.startswith("predict tiny/first/")}
    assert dev == {"measure tiny/first/orders"}
