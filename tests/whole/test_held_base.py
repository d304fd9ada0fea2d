"""A study whose frozen base is held in bfloat16, from its file to its scores."""

import json

import pytest


def test_a_held_base_is_another_question_with_nearly_the_same_answer(workshop):
    workshop.write(methods={n: {"why": "To ask."} for n in ("zero_shot", "lora")}, contrasts=[])
    first = workshop.run()
    assert first["failed"] == []
    whole = workshop.files("train", "log.jsonl")
    report = workshop.write(base_dtype="bfloat16").run()
    assert report["failed"] == []
    assert workshop.run()["done"] == []
    half = workshop.files("train", "log.jsonl")
    new = half.keys() - whole.keys()
    assert len(new) == len(whole) == 2

    def losses(logs):
        return sorted(json.loads(log.splitlines()[-1])["loss"] for log in logs)

    assert losses(half[key] for key in new) == pytest.approx(losses(whole.values()), rel=0.02)


def test_a_method_that_trains_the_base_is_refused_before_anything_runs(workshop):
    done = workshop.write(base_dtype="bfloat16")("plan", "--no-forecast")
    assert done.returncode != 0
    assert "full would train weights in bfloat16" in done.stderr
