"""What the meters of a trial's jobs say reaches its row of costs."""

import math
from dataclasses import replace

import pyarrow.parquet
import pytest

from smalltune.analysis import export
from smalltune.core.job import Job

SPEED = {"tokens_per_second": 400.0, "flops_per_second": 2e9, "share_of_peak": 0.25}


def test_speed_operations_and_setup_are_columns(small, tmp_path):
    made = small()
    phases = {"setup": 2.0, "train": 3.0, "predict": 0.5}
    made.add("lora", 7, {"test": [0.7] * 12}, trains=True, speed=SPEED, phases=phases)
    export.write(made.results(), tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "costs.parquet").to_pylist()
    row = next(row for row in table if row["trial"] == "micro/lora/reviews/7")
    assert row["setup_seconds"] == 4.0
    for part in ("", "predict_"):
        assert row[f"{part}tokens_per_second"] == 400.0
        assert row[f"{part}share_of_peak"] == pytest.approx(0.25)
    other = next(row for row in table if row["trial"] == "-/majority/reviews/-")
    assert math.isnan(other["share_of_peak"]) and math.isnan(other["flops"])


def test_the_dev_loss_of_a_trial_is_part_of_its_cost_and_of_the_total(small):
    made = small()
    trial = made.add("lora", 7, {"test": [0.7] * 12}, trains=True)

    def costs():
        results = made.results()
        return next(c for c in results.costs if c.trial == trial.id), results.spent

    (before, spent), asked = costs(), Job("predict", 1, {"ask": "likelihood"}, {})
    took = {"seconds": 5.0, "cpu_seconds": 7.0, "peak_memory_bytes": 9000}
    made.commit(asked, {"predictions.jsonl": []}, took)
    made.trials[-1] = replace(trial, loss=asked)
    after, whole = costs()
    assert after.parts == (*before.parts, "loss dev") and asked.key in after.keys
    assert (after.seconds - before.seconds, whole.seconds - spent.seconds) == (5.0, 5.0)
    assert after.cpu_seconds - before.cpu_seconds == 7.0 and after.peak_memory_bytes == 9000
    assert after.stored_bytes > before.stored_bytes
    assert after.predict_seconds == before.predict_seconds
