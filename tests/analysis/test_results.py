"""Results are read from the store alone, and what is not there is named."""

import json
import subprocess
import sys

import numpy as np
import pytest

from smalltune.analysis.results import read
from smalltune.core.errors import DataError, StoreError


def test_a_sample_holds_every_seed_and_item_with_their_keys(small):
    results = small().results()
    sample = results.sample("micro", "lora", "reviews", "test", "accuracy")
    assert sample.stats.shape == (6, 12, 1)
    assert sample.seeds == (0, 1, 2, 3, 4, 5)
    assert sample.items == tuple(f"test-{i}" for i in range(12))
    assert sample.keys == tuple(t.score["test"] for t in results.trials if t.method == "lora")
    assert results.complete and not sample.gaps and sample.seeded


def test_a_method_without_a_model_is_found_beside_any_model(small):
    sample = small().results().sample("micro", "majority", "reviews", "test", "accuracy")
    assert sample.model == "-" and sample.seeds == (None,) and not sample.seeded
    assert sample.per_seed.tolist() == [0.5]


def test_the_axes_of_the_study_keep_their_order(small):
    results = small().results()
    assert results.methods == ("majority", "full", "lora")
    assert results.models == ("micro",) and results.tasks == ("reviews",)
    assert results.splits == ("dev", "test")
    assert results.metrics == ("accuracy", "macro_f1", "nll") == results.measured("reviews")
    assert results.cells[0] == ("-", "majority", "reviews")


def test_a_missing_trial_is_a_gap_with_its_name_and_reason(small):
    made = small()
    gap = made.add("lora", 6, {"dev": [0.5] * 12, "test": [0.6] * 12}, write=False)
    made.store.write_failure(gap.job("predict"), "the loss is not a number")
    results = made.results()
    assert not results.complete
    assert [(g.trial, g.split) for g in results.missing] == [
        ("micro/lora/reviews/6", "dev"),
        ("micro/lora/reviews/6", "test"),
    ]
    assert results.missing[0].reason == "failed: the loss is not a number"
    sample = results.sample("micro", "lora", "reviews", "test", "accuracy")
    assert sample.gaps == ("micro/lora/reviews/6",) and len(sample.seeds) == 6


def test_a_method_with_no_score_yet_gives_an_empty_sample(small):
    made = small()
    made.add("ia3", 0, {"test": [0.5] * 12}, write=False)
    sample = made.results().sample("micro", "ia3", "reviews", "test", "accuracy")
    assert sample.seeds == () and sample.gaps == ("micro/ia3/reviews/0",)
    assert sample.per_seed.shape == (0,)


def test_methods_scored_on_different_items_are_an_error(made):
    made.data({"test": [0, 1, 0]})
    made.add("full", 0, {"test": [0.2, 0.8, 0.1]})
    made.data({"test": [0, 1, 1]})
    made.add("lora", 0, {"test": [0.2, 0.8, 0.1]})
    results = made.results()
    results.sample("micro", "full", "reviews", "test", "accuracy")
    with pytest.raises(DataError, match=r"not scored on the same test items.*test-2"):
        results.sample("micro", "lora", "reviews", "test", "accuracy")


def test_an_unknown_method_names_the_nearest(small):
    with pytest.raises(DataError, match=r"no trials micro/lorra/reviews. Did you mean 'micro/lora"):
        small().results().sample("micro", "lorra", "reviews", "test", "accuracy")


def test_a_metric_that_was_not_scored_is_an_error(small):
    with pytest.raises(DataError, match="the test score has no 'bits_per_byte', only accuracy"):
        small().results().sample("micro", "lora", "reviews", "test", "bits_per_byte")


def test_a_score_by_another_version_of_the_metric_is_an_error(small, monkeypatch):
    results = small().results()
    monkeypatch.setattr("smalltune.metrics.accuracy.Accuracy.version", 99)
    with pytest.raises(DataError, match=r"scored by version \d of the metric, this is version 99"):
        results.sample("micro", "lora", "reviews", "test", "accuracy")


def test_a_truncated_artifact_is_an_error(small):
    made = small()
    results = made.results()
    key = next(t.score["test"] for t in results.trials if t.method == "lora")
    path = made.store.folder(key) / "scores.jsonl"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(StoreError, match="damaged artifact"):
        results.sample("micro", "lora", "reviews", "test", "accuracy")


def test_predictions_are_joined_with_the_rows_of_the_data(small):
    row = small().results().predictions("micro/lora/reviews/3", "test")[1]
    assert row.fields == {"text": "text 1"} and row.gold == "good"
    assert set(row.log_probs) == {"bad", "good"}
    assert sum(np.exp(list(row.log_probs.values()))) == pytest.approx(1)


def test_facts_and_training_logs_are_read(small):
    results = small().results()
    assert results.data_facts("reviews")["splits"]["test"]["rows"] == 12
    assert len(results.training_log("micro/lora/reviews/0")) == 8
    assert results.training_log("-/majority/reviews/-") == []


def test_costs_add_up_what_a_trial_took(small):
    costs = {cost.trial: cost for cost in small().results().costs}
    lora, majority = costs["micro/lora/reviews/0"], costs["-/majority/reviews/-"]
    assert (lora.train_seconds, lora.predict_seconds, lora.seconds) == (3.0, 0.5, 6.0)
    assert lora.cpu_seconds == 8.0 and lora.peak_memory_bytes == 1000
    assert (lora.trainable_parameters, lora.total_parameters, lora.steps) == (10, 1000, 8)
    assert lora.device == "cpu" and lora.parts == ("train", "predict dev", "predict test")
    assert np.isnan(majority.train_seconds) and np.isnan(majority.trainable_parameters)


def test_a_comparison_across_devices_is_flagged(small):
    made = small()
    assert made.results().mixed == ()
    made.add("lora", 7, {"test": [0.7] * 12}, trains=True, device="cuda")
    assert made.results().mixed == (
        "device: cpu (-/majority/reviews/-), cuda (micro/lora/reviews/7)",
    )


def test_text_with_any_line_separator_is_read_whole(made):
    data = made.data({"test": [0, 1]})
    rows = [
        {"id": f"test-{i}", "fields": {"text": "one\u2028two\x85three"}, "label": "bad"}
        for i in range(2)
    ]
    made.store.remove(data.key)
    made.commit(data, {"test.jsonl": rows, "facts.json": {}})
    made.add("full", 0, {"test": [0.2, 0.8]})
    assert len(made.results().predictions("micro/full/reviews/0", "test")) == 2


def test_reading_results_imports_neither_torch_nor_scipy_nor_pyarrow(small):
    made = small()
    made.results()
    code = (
        "import json, sys\n"
        "from smalltune.core.store import Store\n"
        "from smalltune.analysis.results import read\n"
        "from smalltune.analysis import contrasts, export, samples, tables\n"
        "store = Store(sys.argv[1])\n"
        "read(store, store.read_plan('made')).sample('micro', 'lora', 'reviews', 'test', 'nll')\n"
        "heavy = {'torch', 'scipy', 'pyarrow', 'matplotlib', 'sklearn', 'pandas'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code, str(made.store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_plan_record_is_all_that_is_needed(small):
    made = small()
    record = json.loads(json.dumps(made.results().store.read_plan("made")))
    del record["analysis"]
    results = read(made.store, record)
    assert results.primary == "accuracy" and results.declared == {}
