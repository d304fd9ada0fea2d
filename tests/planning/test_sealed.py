"""What decides a choice never sees the test split: nothing behind a `select` job asks for it."""

import pytest

TUNED = "tune: {rank: [2, 4], learning_rate: [0.1, 0.2]}"


@pytest.fixture
def tuned(bureau):
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNED},")
    return bureau.replace(
        "method: fake.reader,", "method: fake.reader, tune: {strength: [1.0, 9.0]},"
    )


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("evaluations=[test]",),
        ("evaluations=[train, dev, test]",),
        ("metrics=[ece_scaled, accuracy]", "tuning.metric=ece_scaled"),
        ("tasks.own.limit={train: 1}",),
        ("training.early_stopping=2",),
    ],
)
def test_nothing_that_a_choice_rests_on_asks_for_test(tuned, changes):
    opened = tuned.plan(*changes).open
    assert len(opened) >= 2
    behind = [job for select in opened for job in select.walk(set())]
    splits = {job.spec["split"] for job in behind if "split" in job.spec}
    assert splits == {"dev"}


def test_each_final_trial_is_scored_on_test_once(tuned):
    plan = tuned.plan(known=lambda key: {"index": 0, "options": {}})
    jobs = [job for job in plan.jobs() if job.stage == "score" and job.spec["split"] == "test"]
    assert len(jobs) == len(plan.trials) > 0
