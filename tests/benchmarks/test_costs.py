"""What a study cost: forecasts against what was taken, and the phases of its jobs."""

import json
from types import SimpleNamespace

import pytest
from harness import forecasts, profiles, studies, texts


def test_a_ratio_of_a_forecast_is_forecast_over_actual():
    cost = {
        "forecast_seconds": 6.0, "seconds": 8.0, "cpu_seconds": 12.0,
        "forecast_peak_memory_bytes": 3e9, "peak_memory_bytes": 2e9,
        "forecast_stored_bytes": 500, "stored_bytes": 1000,
    }  # fmt: skip
    found = forecasts._ratios(cost)
    assert found == {"wall": 0.75, "cpu": 0.5, "memory": 1.5, "stored": 0.5}


def test_phases_are_summed_over_the_jobs_of_a_stage(tmp_path):
    jobs = [("train", {"train": 2.0, "setup": 0.5}), ("train", {"train": 1.0}), ("score", {})]
    for number, (stage, phases) in enumerate(jobs):
        folder = tmp_path / "artifacts" / "ab" / str(number)
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"stage": stage}))
        (folder / "provenance.json").write_text(json.dumps({"phases": phases}))
    assert profiles._phases(tmp_path) == {"train: train": 3.0, "train: setup": 0.5}


def test_the_profile_of_a_study_is_that_of_its_run_in_the_middle(monkeypatch):
    runs = iter([{"taken": 9.0, "parts": "slow"}, {"taken": 1.0}, {"taken": 3.0, "parts": "mid"}])
    monkeypatch.setattr(profiles, "_one_study", lambda plan, data: next(runs))
    plan = profiles.Plan("micro", "lora", seeds=2)
    found = profiles._study(plan, None)
    assert found == {"taken": 3.0, "parts": "mid", "totals": [1.0, 3.0, 9.0]}


def test_processes_are_charged_with_the_clock_over_all_of_them(tmp_path, monkeypatch):
    asked = []

    def run(command, environment):
        asked.append((command[3:], environment))
        out = tmp_path / command[5].rpartition("/")[2]
        out.mkdir()
        (out / "scores.json").write_text(json.dumps({"accuracy": 0.5, "loss": 1.5, "more": 1}))
        return {"wall": 2.0, "cpu": 3.0}

    monkeypatch.setattr(studies, "_run", run)
    plan = SimpleNamespace(method="lora", peers=2, batch=16)
    found = studies._processes(plan, tmp_path, "one_by_one")
    assert found["accuracy"] == [0.5, 0.5] and found["loss"] == [1.5, 1.5]
    assert found["cpu"] == {"once": 0.0, "each": 3.0, "measured": [3.0, 3.0]}
    assert 0 < found["wall"]["each"] < 2.0  # nothing was run
    assert [words[1] for words, _ in asked] == ["0", "1"]
    assert {env["OMP_NUM_THREADS"] for _, env in asked} == {str(studies.cores())}
    studies._processes(plan, tmp_path, "side_by_side_packed")
    assert [words[-1] for words, _ in asked] == ["16", "16", "packed", "packed"]


def test_a_command_that_fails_is_named_with_what_it_said():
    with pytest.raises(RuntimeError, match=r"(?s)-c raise SystemExit.*failed:.*no rows"):
        studies._run([studies.sys.executable, "-c", "raise SystemExit('no rows')"], {})


def test_data_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="name the folder of the data with --data"):
        texts.draw_rows(tmp_path, "sst2", "train", 4)
