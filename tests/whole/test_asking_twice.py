"""Asking twice costs nothing, and a larger question costs its difference."""

import json
import re

import pytest


@pytest.fixture
def finished(workshop):
    workshop.first = workshop.run()
    return workshop


def stages(workshop, report):
    """Return how often each stage ran in a report."""
    counts = {}
    for path in workshop.store.glob("artifacts/*/*/manifest.json"):
        if path.parent.name in report["done"]:
            stage = json.loads(path.read_text())["stage"]
            counts[stage] = counts.get(stage, 0) + 1
    return counts


def test_a_second_run_has_nothing_to_do(finished):
    assert stages(finished, finished.first) == {
        "prepare": 1,
        "tokens": 1,
        "train": 4,
        "predict": 2 * (1 + 2 + 2),
        "classify": 2 * 2,
        "score": 2 * (1 + 1 + 1 + 2 + 2),
    }
    assert finished.run()["done"] == []
    assert "nothing to do" in finished("run").stdout.lower()


def test_one_more_seed_runs_that_seed_only(finished):
    report = finished.write(seeds=[0, 1, 2]).run()
    assert stages(finished, report) == {"train": 2, "predict": 4, "score": 4}


def test_another_reported_metric_scores_again_and_trains_nothing(finished):
    report = finished.write(metrics=["accuracy", "nll", "macro_f1"]).run()
    assert set(stages(finished, report)) == {"score"}


def test_another_text_or_title_runs_nothing(finished):
    finished.content["models"]["tiny"]["why"] = "Another reason."
    assert finished.write(title="Another title").run()["done"] == []


def test_a_changed_method_leaves_the_others_alone(finished):
    finished.content["methods"]["lora"]["rank"] = 2
    report = finished.write().run()
    assert stages(finished, report) == {"train": 2, "predict": 4, "score": 4}


def test_weights_are_dropped_when_scored_and_not_trained_again(finished):
    assert not list(finished.store.glob("artifacts/*/*/weights/*.safetensors"))
    assert finished.run()["done"] == []


def test_kept_weights_can_be_exported_and_load_without_smalltune(workshop, tiny_folder):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    workshop.write(keep_weights=True).run()
    for name in ("full", "lora"):
        target = workshop.folder / f"out-{name}"
        done = workshop("export", f"tiny/{name}/own/0", str(target))
        assert done.returncode == 0, done.stderr
        assert "accuracy" in (target / "README.md").read_text().lower()
        assert len(AutoTokenizer.from_pretrained(target)) == 4096
    AutoModelForCausalLM.from_pretrained(workshop.folder / "out-full")
    base = AutoModelForCausalLM.from_pretrained(tiny_folder)
    PeftModel.from_pretrained(base, workshop.folder / "out-lora")
    target = workshop.folder / "merged"
    done = workshop("export", "tiny/lora/own/1", str(target), "--merged")
    assert done.returncode == 0, done.stderr
    AutoModelForCausalLM.from_pretrained(target)
    card = (target / "README.md").read_text()
    assert "merged into the base" in card and "Transformers opens this folder" in card
    for row in (r"\| test \| this model \|", r"\| test \| mean of 2 seeds \|"):
        assert re.search(row + r" \d+\.\d \[\d+\.\d, \d+\.\d\] \|", card)


def test_finished_work_moves_in_one_file_and_damage_is_refused(finished, tmp_path):
    moved, file = tmp_path / "other", tmp_path / "work.zip"
    exported = finished("store", "export", str(file))
    assert exported.returncode == 0, exported.stderr
    assert finished("store", "import", str(file), store=moved).returncode == 0
    assert finished.run(store=moved)["done"] == []
    scores = finished.files("score", "scores.jsonl")
    assert scores == finished.files("score", "scores.jsonl", store=moved)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    refused = finished("store", "import", str(file), store=tmp_path / "third")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
