"""Openings of test splits, as a study sees them: its own scores apart from those of others."""

from smalltune.analysis.openings import opened
from smalltune.core.job import Job
from smalltune.core.openings import note

ROWS = [{"fields": {"text": "Some text."}, "references": ["and more"]}]


def test_another_task_of_the_study_on_the_same_rows_is_not_outside_it(made):
    for task, rows in (("one", ROWS), ("two", ROWS), ("apart", ROWS * 2)):
        made.ask(task, rows)
        for method in ("full", "lora") if task == "one" else ("full",):
            made.say(method, 0, ["and more"] * len(rows), task=task)
    mine = [trial.evaluations["test"] for trial in made.trials]
    for job in (*mine, mine[0]):
        note(made.store, job, "test")
    note(made.store, Job("score", 1, {"by": "another"}, {"data": made.jobs["two"]}), "test")
    told = opened(made.results())
    counts = {task: (one.times, one.jobs, one.others, one.beside) for task, one in told.items()}
    assert counts == {
        "one": (4, 3, 1, ("two",)), "two": (4, 3, 1, ("one",)), "apart": (1, 1, 0, ()),
    }  # fmt: skip


def test_a_task_without_prepared_rows_is_not_there(made):
    made.ask("one", ROWS)
    made.say("full", 0, ["and more"], task="one")
    made.store.remove(made.jobs["one"].key)
    assert opened(made.results()) == {}
