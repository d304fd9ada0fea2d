"""What the meters of a trial's jobs say reaches its row of costs."""

import math

import pyarrow.parquet
import pytest

from smalltune.analysis import export

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
