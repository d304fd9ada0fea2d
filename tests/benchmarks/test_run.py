import argparse
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness.results import Results

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "run.py"
CHILD = """
import json, sys
from pathlib import Path
for name in [text.partition("=")[2] for text in sys.argv if text.startswith("--pair=")]:
    if name == "train:b":
        sys.exit("b is broken")
    (Path(__file__).parents[1] / "logs" / f"{name.replace(':', '-')}.json").write_text(
        json.dumps({"measured": name, "machine": {"packages": {"torch": "2"}}})
    )
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The script, with a child that measures nothing and ends at the pair `train:b`."""
    spec = importlib.util.spec_from_file_location("benchmark_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "run.py").write_text(CHILD)
    monkeypatch.setattr(module, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(module, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(module, "_has_gpu", lambda: False)
    monkeypatch.setattr(module, "_place", lambda: {"packages": {"torch": "2"}})
    monkeypatch.setattr(sys, "argv", ["run.py"])
    return module


def pairs(*names, needs=""):
    plan = SimpleNamespace(shape="micro")
    return [
        SimpleNamespace(
            name=name, kind=name.partition(":")[0], plan=plan, needs=needs, setting={"is": name}
        )
        for name in names
    ]


ASKED = argparse.Namespace(
    again=False, quick=False, loaded=False, threads=1, data=Path("data"),
    checkpoints=Path("checkpoints"),
)  # fmt: skip


def test_a_pair_that_breaks_fails_alone_and_those_behind_it_are_measured(run, tmp_path):
    results = Results(tmp_path / "results.json")
    failed = run.run_all(pairs("train:a", "train:b", "train:c"), results, ASKED)
    assert failed == ["train:b"]
    assert results.pairs["train:a"]["measured"] == "train:a"
    assert results.pairs["train:b"]["failed"] == "b is broken (see logs/train-micro.log)"
    assert results.pairs["train:c"]["measured"] == "train:c"


def test_a_second_run_measures_only_what_is_not_finished(run, tmp_path, capsys):
    results = Results(tmp_path / "results.json")
    run.run_all(pairs("train:a"), results, ASKED)
    run.run_all(pairs("train:a", "train:c"), Results(tmp_path / "results.json"), ASKED)
    assert "1 of 2 pairs to measure" in capsys.readouterr().out


def test_a_pair_is_measured_again_with_other_packages(run, tmp_path, capsys, monkeypatch):
    run.run_all(pairs("train:a"), Results(tmp_path / "results.json"), ASKED)
    monkeypatch.setattr(run, "_place", lambda: {"packages": {"torch": "3"}})
    run.run_all(pairs("train:a"), Results(tmp_path / "results.json"), ASKED)
    assert capsys.readouterr().out.count("1 of 1 pairs to measure") == 2


@pytest.mark.parametrize(("others", "loaded", "failed"), [
    (1.0, False, ["study:a", "study:b"]), (1.0, True, []), (0.1, False, []), (None, False, []),
])  # fmt: skip
def test_what_the_clock_times_is_refused_on_a_busy_machine(
    run, tmp_path, capsys, monkeypatch, others, loaded, failed
):
    from harness import machine

    monkeypatch.setattr(machine.Load, "others", lambda self: others)
    monkeypatch.setattr(run, "LOOK", 0.0)
    asked = argparse.Namespace(**{**vars(ASKED), "loaded": loaded})
    results = Results(tmp_path / "results.json")
    assert run.run_all(pairs("study:a", "train:a", "study:b"), results, asked) == failed
    assert set(results.pairs) == {"train:a", "study:a", "study:b"} - {*failed}
    assert capsys.readouterr().out.count("--loaded") == bool(failed)


def test_the_profile_of_a_study_is_refused_apart_from_those_of_a_step(run, tmp_path, monkeypatch):
    from harness import machine

    monkeypatch.setattr(machine.Load, "others", lambda self: 1.0)
    monkeypatch.setattr(run, "LOOK", 0.0)
    results = Results(tmp_path / "results.json")
    asked = pairs("profile:micro:lora", "profile:study:lora")
    assert run.run_all(asked, results, ASKED) == ["profile:study:lora"]
    assert set(results.pairs) == {"profile:micro:lora"}


def test_what_needs_a_gpu_is_left_out_without_one(run, tmp_path):
    results = Results(tmp_path / "results.json")
    assert run.run_all(pairs("train:a", needs="needs a CUDA device"), results, ASKED) == []
    assert results.pairs == {}
