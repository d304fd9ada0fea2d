import json
import re
from pathlib import Path

import pytest
from harness.catalogue import GPU, catalogue, chosen, quick
from harness.results import Results

ROOT = Path(__file__).parents[2]


def test_every_name_is_there_once_and_quick_pairs_are_pairs_of_the_catalogue():
    names = [pair.name for pair in catalogue()]
    assert len(set(names)) == len(names)
    assert {pair.name for pair in quick()} <= set(names)


def test_an_aim_names_what_the_pair_measures():
    for pair in catalogue():
        variants = {*getattr(pair.plan, "variants", ())} if pair.aims else set()
        tuned = any(name.startswith("trainer_") for name in variants)
        more = {"best"} if tuned else set()
        kinds = {
            "train": {"share"},
            "trials": {"dearest", "flat"},
            "profile": {"meters"},
            "forecast": {"forecast_wall", "forecast_memory"},
        }
        more |= kinds.get(pair.kind, set())
        assert set(pair.aims) <= variants | more, pair.name


def test_pairs_are_chosen_by_the_beginning_of_their_names():
    found = [pair.name for pair in chosen(catalogue(), ["train:micro:lora", "study"])]
    assert found and all(name.startswith(("train:micro:lora", "study")) for name in found)
    with pytest.raises(ValueError, match="no pair begins with nothing"):
        chosen(catalogue(), ["nothing"])


def test_what_is_too_large_for_a_cpu_says_so():
    from harness.shapes import SHAPES

    for pair in catalogue():
        shape = getattr(pair.plan, "shape", "micro")
        assert pair.needs == GPU or not SHAPES[shape].gpu
    there = {pair.name for pair in catalogue() if pair.needs}
    assert {"train:0.5b:full:sst2", "train:0.5b:lora:ag_news", "train:0.5b:lora:boolq"} <= there
    assert not any(name.startswith(("train:micro", "train:15m")) for name in there)


def test_the_median_of_a_large_training_is_one_of_five():
    (large,) = chosen(catalogue(), ["train:0.5b:lora:sst2"])
    assert large.plan.rounds[0] == 5


def test_the_sizes_kept_of_a_checkpoint_are_its_own():
    from harness.shapes import SHAPES

    checkpoints = ROOT.parent / "shared" / "checkpoints"
    for shape in SHAPES.values():
        config = checkpoints / shape.folder / "config.json"
        if shape.folder and config.is_file():
            there = json.loads(config.read_text())
            assert {name: there[name] for name in shape.config} == shape.config


def test_a_finished_pair_stays_finished_until_its_plan_changes(tmp_path):
    first, second = catalogue()[:2]
    results = Results(tmp_path / "results.json")
    known = {"packages": {"torch": "2"}, "cpu": "one", "cores": 2}
    machine = {"packages": {"torch": "2"}, "machine": {"cpu": "one", "cores": 2}}
    results.keep(first.name, {"setting": first.setting, "machine": machine})
    read = Results(tmp_path / "results.json")
    assert read.finished(first.name, first.setting, known)
    assert not read.finished(first.name, second.setting, known)
    assert not read.finished(second.name, second.setting, known)
    for other in ({"packages": {"torch": "3"}}, {"cpu": "another"}, {"cores": 4}):
        assert not read.finished(first.name, first.setting, known | other)


def test_a_record_that_lacks_what_is_read_of_it_now_is_not_finished(tmp_path):
    known = {pair.name: pair for pair in catalogue()}
    results = Results(tmp_path / "results.json")

    def finished(name, **record):
        setting = known[name].setting
        results.keep(name, {"setting": setting, "machine": {}, **record})
        return results.finished(name, setting, {})

    like, plain = {"smalltune_like": {}}, {"smalltune": {}}
    assert not finished("train:micro:full:sst2", flop=1.0, runs=like)
    assert finished("train:micro:full:sst2", flop=1.0, flop_like=1.0, runs=like)
    assert finished("train:0.5b:lora:sst2", flop=1.0, runs=plain)
    assert not finished("evaluate:15m:ag_news:8", flop=1.0, runs=plain)
    assert not finished("study:micro:lora", runs=plain)
    assert not finished("profile:study:lora", parts=[])
    assert finished("profile:study:lora", parts=[], totals=[1.0])
    assert finished("profile:micro:lora", parts=[])
    assert finished("memory:0.5b:lora:sst2", runs=plain)
    assert finished("study:micro:full", refused="accuracy differs")


def test_a_failure_does_not_replace_what_was_measured(tmp_path):
    results = Results(tmp_path / "results.json")
    for record in ({"failed": "first"}, {"measured": 1}, {"failed": "stopped"}):
        results.keep("a", record)
    assert Results(tmp_path / "results.json").pairs["a"] == {"measured": 1}


def test_a_pair_that_failed_is_not_finished(tmp_path):
    pair = catalogue()[0]
    results = Results(tmp_path / "results.json")
    kept = {"setting": pair.setting, "machine": {"packages": {}}, "failed": "out of memory"}
    results.keep(pair.name, kept)
    assert not results.finished(pair.name, pair.setting, {})
    assert json.loads((tmp_path / "results.json").read_text())["pairs"][pair.name]["failed"]


def test_the_peers_are_pinned_and_nothing_is_pinned_a_second_time():
    def pins(path):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", line) for line in lines)
        return {line.partition("==")[0].lower().replace("_", "-") for line in lines}

    peers = pins(ROOT / "benchmarks" / "requirements.txt")
    assert {"trl", "lm-eval"} <= peers
    assert not peers & pins(ROOT / "constraints.txt")
