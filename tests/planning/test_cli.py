"""The command line: what is typed, what is printed, and how it ends."""

import json
import os
import re
import subprocess
import sys

import pytest

STUDY = """\
name: floor
tasks:
  own:
    kind: classification
    files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}
    labels: {0: bad, 1: good}
    prompt: "{text} was"
methods:
  majority:
seeds: 1
metrics: [accuracy]
"""


@pytest.fixture
def type_(bureau, tmp_path):
    """Type a command in a folder that holds the study `floor`; return how it ended."""
    bureau.write(STUDY).file.write_text(STUDY)
    (tmp_path / "studies").mkdir()
    bureau.folder.rename(tmp_path / "studies" / "floor")

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "smalltune", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120", **environment},
        )

    return run


def test_a_study_is_planned_run_and_shown_and_the_second_run_has_nothing_to_do(type_, tmp_path):
    before = type_("plan", "floor", "--no-forecast")
    assert before.returncode == 0 and "1 trial: 1 missing" in before.stdout
    assert "1 trial: 5 jobs done, 0 stored before" in type_("run", "floor").stdout
    again = type_("run", "studies/floor")
    assert (again.returncode, again.stdout) == (0, "nothing to do: 1 trial, 5 jobs stored\n")
    assert "1 trial: 1 done" in type_("plan", "studies/floor/study.yaml", "--no-forecast").stdout
    assert "50.0" in type_("results", "floor").stdout
    assert (tmp_path / ".smalltune").is_dir()
    assert (tmp_path / "studies" / "floor" / "results" / "summary.json").is_file()


def test_every_verb_speaks_json(type_):
    assert json.loads(type_("run", "floor", "--json").stdout)["failed"] == []
    plan = json.loads(type_("plan", "floor", "--json", "--no-forecast").stdout)
    assert plan["states"]["done"] == 1 and plan["jobs"]["score"] == [2, 2]
    assert json.loads(type_("results", "floor", "--json").stdout)
    assert json.loads(type_("lock", "floor", "--json").stdout)["dtype"] == "float32"
    assert json.loads(type_("store", "check", "floor", "--json").stdout)["damaged"] == {}
    assert {"what", "ok", "found", "advice", "needed"} == set(
        json.loads(type_("doctor", "--json", HF_HUB_OFFLINE="1").stdout)[0]
    )


def test_a_mistake_is_one_message_without_a_traceback(type_, tmp_path):
    file = tmp_path / "studies" / "floor" / "study.yaml"
    file.write_text(STUDY.replace("majority:", "majorty:"))
    done = type_("run", "floor")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "study.yaml:9: no method 'majorty'. Did you mean 'majority'?\n"
    assert type_("run", "flor").stderr == "no study 'flor'. Did you mean 'floor'?\n"


def test_a_failed_job_is_shown_with_its_reason_and_ends_in_failure(type_, tmp_path):
    data = tmp_path / "studies" / "floor" / "data" / "test.csv"
    data.write_text("text,label\nbetter,1\nneither,2\n")
    done = type_("run", "floor")
    assert done.returncode == 1
    assert "the label '2' is not among the study's labels: 0, 1" in done.stdout
    assert "4 jobs wait for what failed" in done.stdout
    plan = type_("plan", "floor", "--no-forecast")
    assert re.search(r"-/majority/own/-: failed: prepare: .*the label '2'", plan.stdout)
    data.write_text("text,label\nbetter,1\n")
    assert "has changed since the study was locked" in type_("run", "floor").stderr
    assert type_("lock", "floor").returncode == 0
    assert type_("run", "floor").returncode == 0


def test_two_runs_at_once_share_the_work(type_, tmp_path):
    command = [sys.executable, "-m", "smalltune", "run", "floor", "--json", "--workers", "1"]
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        for _ in range(2)
    ]
    reports = [json.loads(process.communicate()[0]) for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    done = [key for report in reports for key in report["done"]]
    assert len(done) == len(set(done)) == 5


def test_finished_work_moves_with_the_command_line(type_, tmp_path):
    type_("run", "floor")
    assert "5 artifacts" in type_("store", "export", "floor", "work.tar.gz").stdout
    moved = type_("store", "floor", "import", "work.tar.gz", "--store", "other")
    assert moved.stdout == "5 artifacts taken, 0 known before, 0 refused\n"
    assert "nothing to do" in type_("run", "floor", "--store", "other").stdout
    assert "nothing to do" in type_("run", "floor", SMALLTUNE_STORE="other").stdout
    assert "is whole" in type_("store", "check", "floor", "--store", "other").stdout
    assert "0 artifacts" in type_("store", "gc", "floor", "--store", "other").stdout
    wrong = type_("store", "chek", "floor")
    assert wrong.returncode == 1 and "Did you mean" not in wrong.stdout


def test_a_paper_without_reasons_is_refused_with_their_lines(type_):
    type_("run", "floor")
    done = type_("paper", "floor")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "study.yaml:3: tasks.own has no `why:`, and a paper must say why it was chosen",
        "study.yaml:9: methods.majority has no `why:`, and a paper must say why it was chosen",
    ]


def test_a_model_that_was_not_trained_or_not_kept_cannot_be_exported(type_):
    done = type_("export", "floor", "-/majority/own/-", "out")
    assert done.stderr == ("-/majority/own/- trains no weights, so there is no model to give out\n")
    assert "no trial 'tiny'" in type_("export", "floor", "tiny", "out").stderr


def test_a_starter_study_can_be_planned_at_once(type_, tmp_path):
    made = type_("new", "first")
    assert made.returncode == 0, made.stderr
    assert "15 trials: 15 missing" in type_("plan", "first", "--no-forecast").stdout
    assert "is there already" in type_("new", "first").stderr


def test_a_starter_study_on_a_table_of_ones_own_can_be_planned_and_run(type_, tmp_path):
    rows = "".join(f"row {n} of {n % 3},{'no' if n % 3 else 'yes'}\n" for n in range(40))
    (tmp_path / "My table.csv").write_text("said,what\n" + rows)
    wrong = type_("new", "mine", "--data", "My table.csv", "--text", "sad", "--label", "what")
    assert wrong.stderr == "My table.csv: no column 'sad'. Did you mean 'said'?\n"
    made = type_("new", "mine", "--data", "My table.csv", "--text", "said", "--label", "what")
    assert made.returncode == 0, made.stderr
    assert "15 trials: 15 missing" in type_("plan", "mine", "--no-forecast").stdout
    assert type_("run", "mine", "--until", "prepare").returncode == 0
    parts = [tmp_path / "studies" / "mine" / "data" / f"{p}.jsonl" for p in ("train", "test")]
    assert [len(part.read_text().splitlines()) for part in parts] == [32, 8]


def test_the_doctor_says_what_is_missing_and_how_to_get_it(type_):
    done = type_("doctor", HF_HUB_OFFLINE="1", PATH="/nowhere")
    assert "hub: HF_HUB_OFFLINE is set" in done.stdout
    assert re.search(r"no +LaTeX: no pdflatex with bibtex\n +-> .*apt-get install", done.stdout)


def test_paths_that_cannot_be_end_in_one_line(type_, tmp_path):
    (tmp_path / "file").touch()
    for words in (
        ("store", "floor", "export", str(tmp_path / "nowhere" / "x")),
        ("store", "floor", "import", str(tmp_path)),
        ("plan", "floor", "--no-forecast", "--store", str(tmp_path / "file")),
    ):
        done = type_(*words)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert done.stderr.startswith(words[-1]) and done.stderr.count("\n") == 1
