"""Learning: a trained trial that does not end below the base on dev is marked, with its reason."""

import json
import math

import pytest

from smalltune.analysis import export
from smalltune.core.job import Job, Trial

GOLD = {"dev": [0, 1, 1], "test": [0, 1, 1]}


def add(made, method, seed, *, rows, names=("bad", "good"), trains=True, loss=False):
    """Add a trial whose dev predictions are these rows; with `loss` they stand apart."""
    data, inputs = made.jobs["reviews"], {}
    spec = {"method": {"name": method, "options": {}}, "seed": seed}
    if trains:
        inputs["weights"] = made.commit(Job("train", 1, spec, {"data": data}), {"facts.json": {}})
    files = {"predictions.jsonl": rows, "labels.json": {"names": names}, "facts.json": {}}
    asked = Job("predict", 1, {**spec, "ask": "likelihood"}, {"data": data, **inputs})
    written = Job("predict", 1, {**spec, "split": "dev"}, {"data": data, **inputs})
    if loss:
        made.commit(asked, files)
        text = [{"id": row["id"], "text": "so", "predicted": "so"} for row in rows]
        made.commit(written, {**files, "predictions.jsonl": text})
    else:
        made.commit(written, files)
    score = Job("score", 1, {"split": "dev", "metrics": {}}, {"data": data, "predictions": written})
    made.commit(score, {"scores.jsonl": [], "facts.json": {}})
    made.trials.append(
        Trial("micro", method, "reviews", seed, {"dev": score}, asked if loss else None)
    )


def weighed(*right, gold=GOLD["dev"]):
    """Return rows that give the right labels these probabilities."""
    both = zip(gold, right, strict=True)
    return [
        {"id": f"dev-{i}", "log_probs": [math.log(p if k == g else 1 - p) for k in (0, 1)]}
        for i, (g, p) in enumerate(both)
    ]


def test_a_trial_that_ends_below_the_base_has_learned_and_another_has_failed(made, tmp_path):
    made.data(GOLD)
    add(made, "zero_shot", None, rows=weighed(0.5, 0.5, 0.5), trains=False)
    add(made, "full", 0, rows=weighed(0.8, 0.8, 0.8))
    add(made, "lora", 0, rows=weighed(0.9, 0.1, 0.4))
    full, lora = made.results().learning
    assert (full.status, full.reason) == ("learned", "")
    assert full.loss == pytest.approx(-math.log(0.8)) and full.base_loss == pytest.approx(
        0.6931, abs=1e-4
    )
    assert lora.status == "failed"
    losses = "its dev loss is 1.108 at the end, not below the base's 0.6931"
    assert lora.reason == f"{losses}, and it (nearly) always gives the same answer"
    found = export.summary(made.results())["learning"]
    assert [(one["trial"], one["status"]) for one in found] == [
        ("micro/full/reviews/0", "learned"), ("micro/lora/reviews/0", "failed"),
    ]  # fmt: skip
    assert json.dumps(found)


def test_a_trial_that_gets_clearly_more_right_with_a_higher_loss_is_too_sure(made):
    gold = [0, 1, 1] * 20
    made.data({"dev": gold, "test": gold})

    def rows(*right):
        return weighed(*(right * 20), gold=gold)

    add(made, "zero_shot", None, rows=rows(0.6, 0.4, 0.4), trains=False)
    add(made, "full", 0, rows=rows(0.9, 0.9, 0.05))
    add(made, "lora", 0, rows=rows(0.9, 0.3, 0.05))
    more = [*rows(0.9, 0.3, 0.05)[:57], *weighed(0.9, 0.9, 0.05, gold=gold[:3])]
    add(made, "dora", 0, rows=[row | {"id": f"dev-{i}"} for i, row in enumerate(more)])
    full, lora, dora = made.results().learning
    assert full.loss > full.base_loss and dora.right > dora.base_right
    assert (full.status, lora.status) == ("oversure", "failed")
    assert dora.status == "failed"  # one item more is chance
    assert full.reason.endswith("while 66.7 % of dev is right, of the base 33.3 %")
    assert (full.right, full.base_right) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_more_right_by_always_the_same_answer_has_not_learned(made):
    made.data(GOLD)
    add(made, "zero_shot", None, rows=weighed(0.4, 0.4, 0.4), trains=False)
    always = [0.9 if gold == GOLD["dev"][0] else 0.1 for gold in GOLD["dev"]]
    add(made, "full", 0, rows=weighed(*always))
    (full,) = made.results().learning
    assert full.right > full.base_right and full.loss > full.base_loss
    assert full.status == "failed" and full.reason.endswith("always gives the same answer")


def test_a_loss_that_is_no_number_is_a_failure(made):
    made.data(GOLD)
    add(made, "zero_shot", None, rows=weighed(0.5, 0.5, 0.5), trains=False)
    broken = [{"id": f"dev-{i}", "log_probs": [math.nan, math.nan]} for i in range(3)]
    add(made, "full", 0, rows=broken)
    (full,) = made.results().learning
    assert full.status == "failed" and "is no number" in full.reason


def test_of_a_text_the_loss_is_that_of_its_reference_per_token(made):
    made.data(GOLD)

    def rows(nats):
        return [{"id": f"dev-{i}", "log_probs": [-nats], "tokens": 4} for i in range(3)]

    add(made, "zero_shot", None, rows=rows(8.0), names=(), trains=False, loss=True)
    add(made, "full", 0, rows=rows(2.0), names=(), loss=True)
    add(made, "lora", 0, rows=rows(8.0), names=(), loss=True)
    full, lora = made.results().learning
    assert (full.loss, full.base_loss, full.status) == (0.5, 2.0, "learned")
    assert lora.status == "failed"


def test_without_the_base_or_from_other_weights_nothing_is_known(made):
    made.data(GOLD)
    add(made, "full", 0, rows=weighed(0.1, 0.1, 0.1))
    (full,) = made.results().learning
    assert full.status == "unknown" and math.isnan(full.base_loss)
    add(made, "zero_shot", None, rows=weighed(0.5, 0.5, 0.5), trains=False)
    add(made, "from_scratch", 0, rows=weighed(0.1, 0.1, 0.1))
    assert [one.status for one in made.results().learning] == ["failed", "unknown"]


def test_what_only_puts_something_before_the_text_is_held_against_the_base_too(made):
    made.data(GOLD)
    add(made, "zero_shot", None, rows=weighed(0.5, 0.5, 0.5), trains=False)
    add(made, "prefix_tuning", 0, rows=weighed(0.1, 0.1, 0.1))
    assert [one.status for one in made.results().learning] == ["failed"]


def test_a_text_whose_reference_was_not_asked_for_is_unknown(made):
    made.data(GOLD)
    text = [{"id": f"dev-{i}", "text": "so", "predicted": "so"} for i in range(3)]
    add(made, "zero_shot", None, rows=text, names=(), trains=False)
    add(made, "full", 0, rows=text, names=())
    assert [one.status for one in made.results().learning] == ["unknown"]
