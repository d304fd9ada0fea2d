"""`smalltune new` on a table of one's own: guessed, shown, confirmed, and planned at once."""

import csv
import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from smalltune.data.profile import Columns, profile
from smalltune.planning.guessing import guess
from smalltune.planning.reading import read_study

LONG = "this is what somebody wrote about it, number"


def table(name: str, columns: dict[str, object], rows: int = 20) -> Path:
    """Write a CSV; a column is a function of the row's number, or a text that ends in it."""
    with Path(name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for n in range(rows):
            writer.writerow([c(n) if callable(c) else f"{c} {n}" for c in columns.values()])
    return Path(name)


def two(n):
    return "ab"[n % 2]


def three(n):
    return n % 3


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def type_(*words: str):
    from smalltune.cli.commands import app

    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": LONG, "label": three}, (("text",), "label", None)),
        ({"said": LONG, "what": three}, (("said",), "what", None)),
        ({"what": three, "said": LONG}, (("said",), "what", None)),
        ({"kind": two, "label": three, "x": LONG}, (("x",), "label", None)),
        ({"kind": three, "sort": two, "x": LONG}, (("x",), "sort", None)),
        ({"url": f"https://{'x' * 90}/", "Review": LONG, "y": two}, (("Review",), "y", None)),
        ({"title": "short", "notes": LONG, "y": two}, (("notes",), "y", None)),
        ({"": lambda n: n, "text": LONG, "label": two}, (("text",), "label", "")),
        ({"text": LONG, "label": two, "row_id": lambda n: n * 7}, (("text",), "label", "row_id")),
        ({"text": LONG, "label": two, "price": lambda n: n * 7}, (("text",), "label", None)),
        ({"id": three, "text": LONG, "label": two}, (("text",), "label", None)),
        (
            {"hypothesis": LONG, "premise": f"{LONG} {LONG}", "gold": three},
            (("premise", "hypothesis"), "gold", None),
        ),
    ],
)
def test_columns_are_guessed_by_what_they_hold_and_by_their_names(columns, expected):
    found = guess(profile(table("t.csv", columns)), text=(), label=None, id=None)
    assert found == Columns(*expected)


def test_a_table_sorted_by_label_is_understood():
    columns = {"text": LONG, "label": lambda n: "bad" if n < 15_000 else "good"}
    path = table("t.csv", columns, rows=30_000)
    assert guess(profile(path), text=(), label=None, id=None).label == "label"


def test_what_is_given_stays_and_the_rest_is_guessed_around_it():
    shown = profile(table("t.csv", {"title": LONG, "text": LONG, "label": two, "kind": three}))
    assert guess(shown, text=("title",), label=None, id=None).text == ("title",)
    assert guess(shown, text=(), label="kind", id=None).label == "kind"


def test_without_a_terminal_nothing_is_written_and_the_command_is_given(tmp_path):
    path = table("my own.csv", {"nr": lambda n: n, "the text": LONG, "label": two})
    done = type_("new", "mine", "--data", str(path))
    assert done.exit_code == 1
    assert "2 values: a 10, b 10" in done.stdout
    assert f"{LONG} 1" in done.stdout
    assert not Path("studies").exists()
    command = done.stderr.strip().partition("If they are right: ")[2]
    assert "--text 'the text' --label label --id nr" in command
    assert type_(*shlex.split(command)[1:]).exit_code == 0
    assert read_study(Path("studies/mine/study.yaml")).tasks[0].options["id"] == "nr"


def test_json_tells_the_guess_and_then_what_was_written():
    path = table("t.csv", {"text": LONG, "label": two})
    done = type_("new", "mine", "--data", str(path), "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["study"] is None
    assert told["columns"] == {"text": ["text"], "label": "label", "id": None}
    done = type_(*shlex.split(told["command"])[1:], "--json")
    told = json.loads(done.stdout)
    assert told["study"] == "studies/mine/study.yaml"
    assert told["labels"]["a"] == {"word": "a", "rows": 10}


def on_a_terminal(*words: str, typed: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "smalltune", *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(timeout=60), seen.decode()


def test_on_a_terminal_other_columns_may_be_typed_before_yes():
    path = table("t.csv", {"nr": lambda n: n, "text": LONG, "more": LONG, "label": two, "k": three})
    typed = "label=wrong\nblue\nlabel=k id=none text=text text=more\ny\n"
    code, seen = on_a_terminal("new", "mine", "--data", str(path), typed=typed)
    assert code == 0
    assert "no column 'wrong'" in seen
    assert "'blue': type y, n, or columns" in seen
    task = read_study(Path("studies/mine/study.yaml")).tasks[0]
    assert task.options["text"] == ["text", "more"] or task.options["text"] == ("text", "more")
    assert (task.options["label"], task.options.get("id")) == ("k", None)


@pytest.mark.parametrize("typed", ["\n", "n\n", "\x04"])
def test_on_a_terminal_anything_but_yes_writes_nothing(typed):
    path = table("t.csv", {"text": LONG, "label": two})
    code, seen = on_a_terminal("new", "mine", "--data", str(path), typed=typed)
    assert code == 1
    assert "nothing is written before the columns are confirmed" in seen
    assert not Path("studies").exists()


HOSTILE = ['"quoted": #1', "{braces}", "a\\b", "ä\u2028ö", "\U0001f600", "- dash", "&x *y !z", "~"]


def test_names_and_labels_of_any_kind_come_back_from_the_study_file_as_they_are():
    columns = {'a {b} "c": #d': LONG, "la\tbel": lambda n: HOSTILE[n % len(HOSTILE)]}
    path = table("~odd, näme.csv", columns, rows=40)
    test = table("test.csv", columns | {'a {b} "c": #d': f"not {LONG}"}, rows=40)
    done = type_("new", "mine", "--data", str(path), "--test", str(test), "--yes")
    assert done.exit_code == 0, done.output
    task = read_study(Path("studies/mine/study.yaml")).tasks[0].task
    assert task.columns == ('a {b} "c": #d',)
    assert task.label == "la\tbel"
    assert set(task.labels) == set(HOSTILE)


def test_a_fifth_of_each_label_is_test_and_a_single_row_stays_in_train():
    columns = {"text": LONG, "label": lambda n: "rare" if n == 7 else two(n)}
    done = type_("new", "mine", "--data", str(table("t.csv", columns, rows=41)), "--yes")
    assert done.exit_code == 0, done.output
    rows = {
        role: list(
            map(json.loads, Path(f"studies/mine/data/{role}.jsonl").read_text().split("\n")[:-1])
        )
        for role in ("train", "test")
    }
    assert [len(rows["train"]), len(rows["test"])] == [33, 8]
    assert sorted(row["label"] for row in rows["test"]) == list("aaaabbbb")
    together = [row["text"] for part in rows.values() for row in part]
    assert sorted(together) == sorted(f"{LONG} {n}" for n in range(41))


def test_tables_of_ones_own_for_test_and_dev_are_named_and_not_copied():
    for role in ("train", "test", "dev"):
        table(f"{role}.csv", {"text": role, "label": two})
    words = [word for role in ("test", "dev") for word in (f"--{role}", f"{role}.csv")]
    done = type_("new", "mine", "--data", "train.csv", *words, "--yes")
    assert done.exit_code == 0, done.output
    content = yaml.safe_load(Path("studies/mine/study.yaml").read_text())
    files = content["tasks"]["train"]["files"]
    assert files == {role: f"../../{role}.csv" for role in ("train", "test", "dev")}
    assert "dev" not in content["tasks"]["train"]
    assert [path.name for path in Path("studies/mine").iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("roles", [("test",), ("dev", "test"), ("test", "dev")])
def test_a_train_table_that_is_repeated_whole_is_refused_before_anything_is_written(roles):
    table("train.csv", {"text": LONG, "label": two})
    table("other.csv", {"text": "other", "label": two})
    table("again.csv", {"text": f"{LONG.upper()}:", "label": two})
    words = [f"--{roles[0]}", "again.csv"] + ([f"--{roles[1]}", "other.csv"] if roles[1:] else [])
    done = type_("new", "mine", "--data", "train.csv", *words, "--yes")
    assert (done.exit_code, done.stderr) == (
        1,
        f"train.csv: every row of it is repeated in {roles[0]}, which leaves none to train on: "
        "are they one file?\n",
    )
    assert not Path("studies").exists()


def test_what_test_and_dev_repeat_between_them_leaves_nothing_to_train_on():
    table("train.csv", {"text": LONG, "label": two}, rows=20)
    table("test.csv", {"text": LONG, "label": two}, rows=12)
    table("dev.csv", {"text": lambda n: f"{LONG} {n + 8}", "label": two}, rows=12)
    words = ["--test", "test.csv", "--dev", "dev.csv", "--yes"]
    done = type_("new", "mine", "--data", "train.csv", *words)
    assert done.exit_code == 1 and "every row of it is repeated in dev" in done.stderr
    table("dev.csv", {"text": lambda n: f"{LONG} {n + 9}", "label": two}, rows=10)
    assert type_("new", "mine", "--data", "train.csv", *words).exit_code == 0


@pytest.mark.parametrize("words", [(), ("--test", "test.csv")])
def test_a_table_whose_texts_are_all_alike_is_refused_before_anything_is_written(words):
    table("t.csv", {"text": lambda n: "The same!" if n % 3 else "the same", "label": two})
    table("test.csv", {"text": LONG, "label": two})
    done = type_("new", "mine", "--data", "t.csv", *words, "--text", "text", "--yes")
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("t.csv: all texts in the column 'text' are alike: ")
    assert not Path("studies").exists()


def test_a_few_texts_over_and_over_are_refused_before_anything_is_written():
    path = table("t.csv", {"text": lambda n: f"text {'abc'[n % 3]}", "label": two}, rows=90)
    done = type_("new", "mine", "--data", str(path), "--text", "text", "--label", "label", "--yes")
    assert done.exit_code == 1
    assert done.stderr.startswith(
        "t.csv: 3 different texts in 90 rows: every row of train would be"
    )
    assert not Path("studies").exists()


def test_dev_is_a_fifth_of_what_is_left_of_train_where_test_repeats_rows():
    table("train.csv", {"text": LONG, "label": two}, rows=100)
    table("test.csv", {"text": LONG, "label": two}, rows=90)
    done = type_("new", "mine", "--data", "train.csv", "--test", "test.csv", "--yes")
    assert done.exit_code == 0, done.output
    assert read_study(Path("studies/mine/study.yaml")).tasks[0].task.dev["rows"] == 2


def test_a_study_that_cannot_be_written_leaves_no_rows_behind():
    path = table("t.csv", {"text": LONG, "label": two})
    Path("studies/mine").mkdir(parents=True)
    Path("studies/mine/study.yaml").symlink_to("nowhere/study.yaml")
    done = type_("new", "mine", "--data", str(path), "--yes")
    assert done.exit_code == 1
    assert [path.name for path in Path("studies").rglob("*")] == ["mine", "study.yaml"]


def test_a_users_own_file_is_never_written_over():
    path = table("t.csv", {"text": LONG, "label": two})
    Path("mine/data").mkdir(parents=True)
    own = path.rename("mine/data/test.jsonl")
    before = own.read_bytes()
    other = table("t.csv", {"text": LONG, "label": two})
    done = type_("new", "./mine", "--data", str(other), "--yes")
    assert done.exit_code == 1
    assert done.stderr.startswith("mine/data/test.jsonl is there already")
    assert own.read_bytes() == before
    assert not Path("mine/study.yaml").exists()


def test_columns_without_a_table_are_refused():
    done = type_("new", "mine", "--label", "x")
    assert done.exit_code == 1
    assert "give it with --data" in done.stderr
