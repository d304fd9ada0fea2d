"""Exports, tables and samples: what leaves the store, and that it leaves it the same each time."""

import json
import math

import pyarrow.parquet
import pytest

from smalltune.analysis import export, tables
from smalltune.analysis.intervals import estimate
from smalltune.analysis.samples import choose


def test_scores_have_one_row_per_trial_split_and_item(small, tmp_path):
    export.write(small().results(), tmp_path / "results")
    table = pyarrow.parquet.read_table(tmp_path / "results" / "scores.parquet")
    assert table.num_rows == 13 * 2 * 12
    assert table.column_names[:9] == [
        "trial", "model", "method", "task", "seed", "split", "item", "gold", "predicted",
    ]  # fmt: skip
    assert table.column_names[9:] == ["accuracy", "macro_f1", "nll"]
    first = table.slice(0, 1).to_pylist()[0]
    assert first["trial"] == "-/majority/reviews/-" and first["seed"] is None
    assert first["accuracy"] == 1.0 and len(first["macro_f1"]) == 6


def test_the_mean_of_the_exported_rows_is_the_estimate(small, tmp_path):
    results = small().results()
    export.write(results, tmp_path)
    rows = pyarrow.parquet.read_table(tmp_path / "scores.parquet").to_pylist()
    mine = [r["nll"] for r in rows if r["method"] == "lora" and r["split"] == "test"]
    found = estimate(results.sample("micro", "lora", "reviews", "test", "nll"))
    assert sum(mine) / len(mine) == pytest.approx(found.value)


def test_answers_give_the_same_bytes_and_costs_stand_apart(small, tmp_path):
    made = small()
    export.write(made.results(), tmp_path / "one")
    export.write(made.results(), tmp_path / "two")
    for name in ("scores.parquet", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert "seconds" not in (tmp_path / "one" / "summary.json").read_text()
    costs = pyarrow.parquet.read_table(tmp_path / "one" / "costs.parquet").to_pylist()
    assert len(costs) == 13 and costs[1]["train_seconds"] == 3.0


def test_the_summary_holds_estimates_contrasts_and_keys(small, tmp_path):
    results = small().results()
    export.write(results, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["study"] == "made" and summary["complete"] is True
    assert len(summary["estimates"]) == 18
    one = summary["contrasts"][0]
    assert one["contrast"] == "lora - full" and len(one["differences"]) == 6
    assert one["verdict"] in ("better", "worse", "no reliable difference")
    keys = {key for trial in results.trials for key in trial.score.values()}
    assert keys == {key for found in summary["estimates"] for key in found["keys"]}


def test_what_is_undefined_is_null_and_what_is_missing_is_named(small, tmp_path):
    made = small(seeds=(0,))
    made.add("lora", 1, {"test": [0.5] * 12}, write=False)
    export.write(made.results(), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["complete"] is False
    assert summary["missing"][0]["trial"] == "micro/lora/reviews/1"
    assert summary["contrasts"][0]["p"] is None


def test_an_empty_study_is_still_written(made, tmp_path):
    made.data({"test": [0, 1]})
    made.add("full", 0, {"test": [0.1, 0.9]}, write=False)
    export.write(made.results(), tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["estimates"] == []


def test_the_scores_table_has_a_row_per_method(small):
    rows = tables.scores(small().results())
    assert [row["method"] for row in rows] == ["majority", "full", "lora"]
    lora = rows[2]
    assert lora["accuracy_low"] < lora["accuracy"] < lora["accuracy_high"]
    assert lora["seeds"] == 6 and lora["covers"] == "seeds and items"
    assert lora["trainable_parameters"] == 10 and len(lora["keys"]) == 6
    assert rows[0]["seeds"] == 0 and rows[0]["covers"] == "items"
    assert math.isnan(rows[0]["trainable_parameters"])


def test_the_costs_table_averages_over_the_trials_that_are_there(small):
    made = small()
    made.add("lora", 6, {"test": [0.5] * 12}, write=False)
    lora = tables.costs(made.results())[2]
    assert lora["runs"] == 6 and lora["train_seconds"] == 3.0 and lora["total_seconds"] == 36.0
    assert lora["peak_memory_bytes"] == 1000 and lora["device"] == "cpu"


def test_an_undefined_number_prints_as_a_dash(small):
    results = small(seeds=(0,)).results()
    found = estimate(results.sample("micro", "lora", "reviews", "test", "accuracy"))
    assert tables.text(found, percent=True).count("\N{EN DASH}") == 0
    undefined = results.sample("micro", "lora", "reviews", "test", "accuracy")
    one_item = type(undefined)(
        **{**vars(undefined), "stats": undefined.stats[:, :1], "items": undefined.items[:1]}
    )
    one_item = type(one_item)(**{**vars(one_item), "metric": _loss()})
    assert tables.text(estimate(one_item), percent=False).endswith("[\N{EN DASH}, \N{EN DASH}]")


def _loss():
    from smalltune.metrics.nll import NegativeLogLikelihood

    return NegativeLogLikelihood


# Examples


def test_examples_are_the_same_for_the_same_seed_and_hold_no_item_twice(small):
    results = small().results()
    chosen = choose(results, "micro", "reviews", each=2, seed=1)
    assert chosen == choose(results, "micro", "reviews", each=2, seed=1)
    assert len({example.id for example in chosen}) == len(chosen)
    assert [e.kind for e in chosen][:2] == ["disagreement", "disagreement"]
    assert {e.id for e in chosen} != {e.id for e in choose(results, "micro", "reviews", seed=2)}


def test_examples_show_where_methods_part_and_where_all_fail(made):
    made.data({"test": [0, 0, 0, 0, 0, 1]})
    made.add("majority", None, {"test": [0.1, 0.1, 0.1, 0.9, 0.9, 0.9]}, model="-")
    made.add("full", 0, {"test": [0.1, 0.9, 0.9, 0.9, 0.9, 0.9]})
    made.add("full", 1, {"test": [0.1, 0.9, 0.9, 0.9, 0.9, 0.9]})
    results, drawn = made.results(), set()
    for seed in range(40):
        found = choose(results, "micro", "reviews", each=1, seed=seed)
        assert len({e.id for e in found}) == 3
        chosen = {e.kind: e for e in found}
        split = chosen["disagreement"]
        assert split.id in ("test-1", "test-2") and split.value == {"majority": 1.0, "full": 0.0}
        assert split.said["full"] == {"good": 1.0} and len(split.keys) == 6
        assert split.fields == {"text": split.id.replace("test-", "text ")}
        assert chosen["hardest"].id in ("test-3", "test-4")
        drawn.add(chosen["random"].id)
    assert drawn == {f"test-{i}" for i in range(6)}  # the others take nothing away from it
