"""A whole study by names on the hub: a real model, SST-2's columns, the real clients."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from hub.conftest import write_table

STORIES = Path(__file__).parents[3] / "shared" / "checkpoints" / "stories260K"

STUDY = {
    "name": "by-name",
    "models": {"stories": {"source": "karpathy/stories260K"}},
    "tasks": {"sst2": {"dev": {"rows": 8, "whole": False}, "limit": {"train": 32}}},
    "methods": {"majority": None, "zero_shot": None, "full": {"steps": 2, "batch_size": 8}},
    "seeds": 1,
    "max_length": 64,
}


@pytest.fixture
def stories(root: Path) -> None:
    """Put the real checkpoint on the hub."""
    if not STORIES.is_dir():
        pytest.skip("the checkpoint is not at ../shared/checkpoints/stories260K")
    folder = root / "models" / "karpathy" / "stories260K"
    folder.mkdir(parents=True)
    for path in STORIES.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


@pytest.fixture
def type_(client, tmp_path):
    """Type a verb on the study in a process of its own."""
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(STUDY))

    def run(verb: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return client.run("-m", "smalltune", verb, str(file), *words, **more)

    return run


def test_the_libraries_themselves_take_the_hub_for_the_hub(client, stories):
    code = """
import datasets, transformers
model = transformers.AutoModelForCausalLM.from_pretrained("karpathy/stories260K")
tokeniser = transformers.AutoTokenizer.from_pretrained("karpathy/stories260K")
one = datasets.load_dataset("stanfordnlp/sst2")
two = datasets.load_dataset("nyu-mll/glue", "sst2", split="validation")
print(model.num_parameters(), len(tokeniser), len(one["train"]), two[0]["sentence"])
"""
    done = client.run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "260032 512 80 it was cold for reason 791900\n"


def test_a_study_by_names_runs_once_and_then_without_the_hub(
    type_, client, hub, root, stories, tmp_path
):
    unlocked = type_("plan")
    assert unlocked.returncode == 1
    assert "karpathy/stories260K is not locked yet: run `smalltune lock STUDY`" in unlocked.stderr
    assert hub.count() == 0

    locked = type_("lock")
    assert locked.returncode == 0, locked.stderr
    commit = hub.commit("stanfordnlp/sst2", "datasets")
    start = f"data sst2/train: hub:stanfordnlp/sst2@{commit}/data/train-00001-of-00002.parquet, "
    assert any(line.startswith(start) for line in locked.stdout.splitlines())
    assert "model stories: hub:karpathy/stories260K@" in locked.stdout
    lock = json.loads((tmp_path / "study.lock").read_text())
    assert set(lock["tasks"]["sst2"]["files"]) == {"test", "train"}
    assert hub.count(".parquet") == hub.count("model.safetensors") == 0

    # What main says after the lock is not what was locked.
    shutil.rmtree(root / "datasets" / "stanfordnlp" / "sst2" / "data")
    (root / "models" / "karpathy" / "stories260K" / "config.json").write_text("{}")
    asked = hub.count()
    assert type_("plan").returncode == 0 and hub.count() == asked
    first = type_("run", "--workers", "1")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "fetching stanfordnlp/sst2 data/train-00000-of-00002.parquet" in first.stderr
    assert "fetching karpathy/stories260K model.safetensors" in first.stderr

    asked = hub.count()
    again = type_("run", HF_HOME=str(tmp_path / "nothing"))
    assert again.stdout.startswith("nothing to do: 3 trials"), again.stdout + again.stderr
    assert hub.count() == asked

    hub.__exit__()
    elsewhere = ("--store", str(tmp_path / "other"), "--workers", "1")
    offline = type_("run", *elsewhere, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stdout + offline.stderr
    scores = [
        sorted(p.read_bytes() for p in (tmp_path / store).glob("artifacts/*/*/scores.jsonl"))
        for store in (".smalltune", "other")
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 6
    third = ("--store", str(tmp_path / "third"))
    bare = type_("run", *third, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "no"))
    assert bare.returncode == 1 and "it is not in the cache (HF_HOME)" in bare.stderr
    assert "Traceback" not in bare.stderr and "fetching" not in bare.stderr


def test_a_wrong_wait_is_a_line_and_not_a_traceback(type_):
    done = type_("lock", SMALLTUNE_HUB_WAIT="abc")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "SMALLTUNE_HUB_WAIT=abc: it must be a number of seconds" in done.stderr


def test_a_model_on_the_hub_and_its_copy_in_a_folder_are_one_model(type_, stories, tmp_path):
    def digests():
        done = type_("lock")
        assert done.returncode == 0, done.stderr
        model = json.loads((tmp_path / "study.lock").read_text())["models"]["stories"]
        return model["digest"], model["tokeniser"], model["parameters"], model["dtype"]

    by_name = digests()
    before = (tmp_path / "study.lock").read_bytes()
    assert digests() == by_name and (tmp_path / "study.lock").read_bytes() == before
    changed = {**STUDY, "models": {"stories": {"source": str(STORIES)}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(changed))
    assert digests() == by_name


def test_data_that_arrive_wrong_stop_the_run_before_anything_is_stored(
    type_, hub, stories, tmp_path
):
    assert type_("lock").returncode == 0
    hub.misbehave("corrupt", times=-1, where="train-00001-of-00002.parquet")
    done = type_("run")
    assert done.returncode == 1
    assert "data/train-00001-of-00002.parquet at " in done.stderr and "expected" in done.stderr
    assert not list((tmp_path / ".smalltune").glob("artifacts/*/*"))
    hub.troubles.clear()
    assert type_("run", "--until", "prepare").returncode == 0


def test_what_the_hub_does_not_have_is_named_with_its_line(type_, hub, stories, tmp_path):
    text = """\
name: by-name
models:
  stories: {source: karpathy/stories260K}
tasks:
  sst2:
    source: nyu-mll/glue
    splits: {train: train, test: valid}
methods: {zero_shot: }
seeds: 1
"""
    (tmp_path / "study.yaml").write_text(text)
    hub.gate("karpathy/stories260K")
    assert type_("lock").stderr == (
        "study.yaml:3: karpathy/stories260K: a gated model: accept its licence on its hub page, "
        "then set HF_TOKEN\n"
    )
    assert type_("lock", HF_TOKEN="hf_good").stderr == (
        "study.yaml:5: nyu-mll/glue: it has no split 'valid'. Did you mean 'validation'?\n"
    )


def test_a_worker_that_does_not_find_what_was_fetched_says_where_it_looked(client):
    code = """
from smalltune.core.errors import SmalltuneError
from smalltune.models.sources import locate, locate_file
for find, ref in (
    (locate, "hub:some/model@" + "0" * 40),
    (locate_file, "hub:some/table@" + "0" * 40 + "/data/train.csv"),
):
    try:
        find(ref)
    except SmalltuneError as error:
        print(error)
"""
    done = client.run("-c", code)
    end = (
        "000000000000 is not in the hub's cache (HF_HOME): `smalltune run` fetches it before its "
        "jobs start; does the worker see the same cache?"
    )
    assert done.stdout.splitlines() == [
        f"some/model at {end}", f"some/table data/train.csv at {end}",
    ]  # fmt: skip


def test_references_that_a_metric_cannot_see_are_refused_once_they_are_fetched(
    type_, root, stories, tmp_path
):
    rows = [{"text": f"item {n}", "said": f"Привет, мир номер {n}"} for n in range(40)]
    write_table(root / "datasets" / "some" / "greetings" / "data" / "train-0.parquet", rows)
    greetings = {
        "kind": "generation", "source": "some/greetings",
        "splits": {"train": "train", "test": "train"},
        "test": {"rows": 5}, "dev": {"rows": 5}, "reference": "said", "prompt": "{text}:",
    }  # fmt: skip
    own = {**STUDY, "tasks": {"greetings": greetings}, "methods": {"zero_shot": None}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(own))
    assert type_("lock").returncode == 0
    assert type_("plan", "--no-forecast").returncode == 0, "nothing is fetched yet"
    for verb in (["run"], ["plan", "--no-forecast"]):
        done = type_(*verb)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "of the first 40 test rows, rougeL can count less than half. ROUGE" in done.stderr
    assert not list((tmp_path / ".smalltune").glob("artifacts/*/*"))
    own["tasks"]["greetings"]["metrics"] = ["chrf"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(own))
    assert type_("plan", "--no-forecast").returncode == 0
