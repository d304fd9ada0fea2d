"""The study of all tasks: none is forgotten, none is judged on a handful, no rate is left out."""

import hashlib
import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from smalltune.core.plugins import load, names
from smalltune.kinds import Task
from smalltune.paper.numbers import macro_name
from smalltune.planning.cells import cells
from smalltune.planning.reading import read_study

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "all-tasks"
SHARED = ROOT.parent / "shared"
STEPS, ITEMS = 50, 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a copy of the study, with its tables made, as far from ../shared as the original."""
    if not (SHARED / "corpora").is_dir():
        pytest.skip("the study's data are not at ../shared")
    root = tmp_path_factory.mktemp("root")
    (root / "shared").symlink_to(SHARED, target_is_directory=True)
    folder = root / "main" / "studies" / "all-tasks"
    folder.mkdir(parents=True)
    for name in ("study.yaml", "study.lock"):
        shutil.copyfile(STUDY / name, folder / name)
    sys.path.insert(0, str(STUDY))
    try:
        importlib.import_module("tables").make(folder / "made")
    finally:
        sys.path.remove(str(STUDY))
    return folder


@pytest.fixture(scope="module")
def study(folder):
    return read_study(folder / "study.yaml")


@pytest.fixture(scope="module")
def summary():
    return json.loads((STUDY / "results" / "summary.json").read_text())


def test_every_task_that_smalltune_has_is_in_the_study(study):
    assert {task.kind for task in study.tasks} == set(names("smalltune.tasks"))


def test_every_kind_is_in_the_study(study):
    modules = [importlib.import_module(f"smalltune.kinds.{n}") for n in names("smalltune.kinds")]
    offered = [getattr(module, name) for module in modules for name in module.__all__]
    kinds = {one for one in offered if isinstance(one, type) and issubclass(one, Task)}
    asked = {base for task in study.tasks for base in load("smalltune.tasks", task.kind).__mro__}
    assert kinds and kinds <= asked


def test_a_method_trains_on_every_task_for_long_enough(study):
    trained = [cell for cell in cells(study) if cell.method.kind.trains]
    assert {cell.task.name for cell in trained} == {task.name for task in study.tasks}
    for cell in trained:
        assert cell.method.settled()[1]["steps"] >= STEPS, cell.id


def test_the_rate_of_invalid_outputs_is_asked_wherever_there_can_be_one(study):
    for task in study.tasks:
        if "invalid_rate" in task.metrics:
            assert "invalid_rate" in study.metrics_of(task), task.name


def test_the_made_tables_are_those_that_the_lock_pins(study, folder):
    lock = json.loads((folder / "study.lock").read_text())
    pinned = {
        file["path"]: file["sha256"]
        for task in lock["tasks"].values()
        for files in task["files"].values()
        for file in files
    }
    made = sorted(path for path in (folder / "made").rglob("*-*.*") if path.is_file())
    for path in made:
        said = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(folder).as_posix()
        assert said == pinned.get(name) or said in pinned.values(), name
    assert sum(path.startswith("hub:") for path in pinned) == 6


def test_the_results_tell_every_task_on_enough_items(study, summary):
    assert summary["complete"]
    told = {(e["task"], e["method"]): e for e in summary["estimates"] if e["split"] == "test"}
    assert told.keys() == {(cell.task.name, cell.method.name) for cell in cells(study)}
    for (task, method), estimate in told.items():
        assert estimate["items"] >= ITEMS, (task, method)


def test_the_results_tell_the_rate_of_invalid_outputs(study, summary):
    for task in study.tasks:
        rates = [
            e["value"]
            for e in summary["estimates"]
            if (e["task"], e["metric"]) == (task.name, "invalid_rate")
        ]
        wanted = len(study.methods) if "invalid_rate" in task.metrics else 0
        assert len(rates) == wanted and all(0 <= rate <= 1 for rate in rates), task.name


def test_the_trainings_of_the_results_took_the_steps_that_were_asked(study):
    import pyarrow.parquet as pq

    rows = pq.read_table(STUDY / "results" / "costs.parquet").to_pylist()
    trained = {row["trial"]: row["steps"] for row in rows if row["train_seconds"] > 0}
    wanted = {cell.id for cell in cells(study) if cell.method.kind.trains}
    assert trained.keys() == wanted
    assert min(trained.values()) >= STEPS


def test_the_paper_that_is_kept_tells_the_study_as_it_is(study):
    numbers = json.loads((STUDY / "paper" / "numbers.json").read_text())
    assert numbers["seedsCount"]["value"] == len(study.seeds)
    told = numbers["movedTasksFull"]["printed"]
    for task in study.tasks:
        assert task.said.title in told
        longest = {**task.task.prompt_options(), **task.task.decoding_options()}.get("longest")
        kept = numbers.get(macro_name("askingLongest", task.name), {}).get("value")
        assert kept == longest, task.name


def test_no_texts_of_data_under_other_licences_are_kept():
    kept = (STUDY / ".gitignore").read_text().splitlines()
    assert {"results/scores.parquet", "results/examples.csv"} <= set(kept)
