"""`smalltune new` on tables whose answers are texts, choices or exchanges."""

import json
import shlex
from pathlib import Path

import pytest
from planning.test_new import on_a_terminal
from typer.testing import CliRunner

from smalltune.data.profile import profile
from smalltune.planning.guessing import guess
from smalltune.planning.locking import lock_in_force
from smalltune.planning.reading import read_study

LONG = "this is what somebody wrote about the matter at some length, number"
SHORT = "what was said, in brief, number"


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(name, count=20, **columns):
    """Write JSON lines; a column is a function of the row's number, or a text that ends in it."""
    with Path(name).open("w") as file:
        for n in range(count):
            row = {k: c(n) if callable(c) else f"{c} {n}" for k, c in columns.items()}
            file.write(json.dumps(row) + "\n")
    return Path(name)


def type_(*words):
    from smalltune.cli.commands import app

    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def written(*words):
    """Type `smalltune new mine` with the words; return the task of the study that it wrote."""
    done = type_("new", "mine", *words)
    assert done.exit_code == 0, done.output
    return read_study(Path("studies/mine/study.yaml"))


def listed(n):
    return [f"one {n}", f"two {n}", f"three {n}"]


KINDS = [
    ({"article": LONG, "highlights": SHORT}, "generation", ("article",), "highlights", ()),
    ({"dialogue": LONG, "summary": SHORT, "topic": SHORT}, "generation", ("dialogue",), "summary"),
    (
        {"context": LONG, "question": SHORT, "answers": lambda n: {"text": [f"it {n}"]}},
        "generation",
        ("context", "question"),
        "answers.text",
    ),
    ({"instruction": LONG, "input": lambda n: "", "output": SHORT}, "instructions", (), ""),
    ({"prompt": LONG, "completion": SHORT}, "instructions", (), ""),
    (
        {"messages": lambda n: [{"role": "user", "content": "a"}]},
        "instructions",
        (),
        "",
    ),
    (
        {"question": LONG, "choices": listed, "answer": lambda n: n % 3},
        "multiple_choice",
        ("question",),
        "answer",
        ("choices",),
    ),
    (
        {
            "question": LONG,
            "choices": lambda n: {"text": listed(n), "label": ["A", "B", "C"]},
            "answerKey": lambda n: "ABC"[n % 3],
        },
        "multiple_choice",
        ("question",),
        "answerKey",
        ("choices.text",),
    ),
    (
        {"goal": LONG, "sol1": "so", "sol2": "or so", "label": lambda n: n % 2},
        "multiple_choice",
        ("goal",),
        "label",
        ("sol1", "sol2"),
    ),
    *(
        (
            {"question": LONG, **dict.fromkeys("ABCD", SHORT), name: lambda n: "ABCD"[n % 4]},
            "multiple_choice",
            ("question",),
            name,
            ("A", "B", "C", "D"),
        )
        for name in ("right", "key", "what the teacher said")
    ),
    (
        {"question": LONG, **dict.fromkeys("ABC", SHORT), "right": lambda n: n % 3},
        "multiple_choice",
        ("question",),
        "right",
        ("A", "B", "C"),
    ),
    (
        {"question": LONG, **dict.fromkeys("ABC", SHORT), "seen": lambda n: n % 3},
        "classification",
        None,
        "seen",
    ),
    ({"body": LONG}, "language_modelling", ("body",), ""),
    ({"id": lambda n: f"n{n}", "body": LONG}, "language_modelling", ("body",), ""),
    ({"text": LONG, "summary": SHORT, "label": lambda n: n % 2}, "classification", None, "label"),
    ({"a": LONG, "b": LONG, "label": lambda n: n % 2}, "classification", None, "label"),
    ({"text": LONG, "target": lambda n: n % 3}, "classification", ("text",), "target"),
]  # fmt: skip


@pytest.mark.parametrize("case", KINDS, ids=lambda case: "-".join(case[0]))
def test_the_kind_of_task_is_known_by_the_columns(case):
    columns, kind, texts, label, *choices = case
    found = guess(profile(table("t.jsonl", **columns)), text=(), label=None, id=None)
    assert (found.kind, found.label) == (kind, label)
    assert found.text == texts or texts is None
    assert found.choices == (choices[0] if choices else ())


def test_a_study_of_summaries_is_written_planned_and_its_rows_are_parted(tmp_path):
    table("news.jsonl", 60, nr=lambda n: n, article=LONG, summary=SHORT)
    study = written("--data", "news.jsonl", "--yes")
    (task,) = study.tasks
    assert task.kind == "generation"
    assert (task.task.text, task.task.reference) == ("article", "summary")
    assert task.task.prompt == "{article}\nSummary:"
    assert task.task.stop == "line" and 16 <= task.task.longest < 64
    assert {m.name for m in study.methods} == {"zero_shot", "full", "lora"}
    assert study.primary == "rougeL"
    files = {role: [Path("studies/mine") / p for p in each] for role, each in task.files.items()}
    splits = task.task.split(files)
    sizes = [len(part) for part in (splits.train, splits.dev, splits.test)]
    assert sizes == [36, 12, 12]
    assert [path.name for path in Path("studies/mine").iterdir()] == ["study.yaml"]
    done = type_(
        "plan", "studies/mine", "--json", "--no-forecast", "--store", str(tmp_path / "store")
    )
    assert json.loads(done.stdout)["states"]["missing"] == 1 + 6 + 6


def test_answers_in_another_script_are_scored_by_what_can_count_them():
    table("news.jsonl", 40, article=LONG, summary=lambda n: "мир " * (n + 1))
    study = written("--data", "news.jsonl", "--yes")
    assert study.primary == "chrf" and "rougeL" not in study.metrics
    assert study.tasks[0].scored_by == ("chrf", "invalid_rate", "unended_rate")
    assert lock_in_force(study)[0].tasks.keys() == {"news"}


def test_answers_that_stand_in_the_text_are_judged_as_such():
    table("asked.jsonl", 40, context=lambda n: f"{LONG} {n}", answer=lambda n: f"number {n}")
    study = written("--data", "asked.jsonl", "--text", "context", "--target", "answer")
    assert study.tasks[0].task.extractive and study.primary == "token_f1"


def test_columns_that_are_named_decide_over_what_they_hold():
    table("t.jsonl", body=LONG, kind=lambda n: n % 2, note=SHORT)
    task = written("--data", "t.jsonl", "--text", "body", "--target", "note").tasks[0].task
    assert (task.text, task.reference) == ("body", "note")


def test_a_study_of_choices_counts_places_as_the_file_does():
    table("quiz.jsonl", question=LONG, options=listed, answer=lambda n: n % 3 + 1)
    study = written("--data", "quiz.jsonl", "--yes")
    task = study.tasks[0].task
    assert (task.choices, task.answer, task.most, task.first) == ("options", "answer", 3, 1)
    assert [m.name for m in study.methods][:2] == ["majority", "zero_shot"]
    assert study.primary == "accuracy"


@pytest.mark.parametrize(
    ("right", "noted"),
    [("ABCD", True), ("1234", True), ("0123", True), (("good", "bad", "so", "no"), False)],
)
def test_labels_that_say_which_of_the_columns_left_out_is_right_are_remarked_on(right, noted):
    parts = {name: f"{name} {SHORT}" for name in "ABCD"}
    table("t.jsonl", 40, question=LONG, **parts, right=lambda n: right[n % 4])
    words = ["new", "mine", "--data", "t.jsonl", "--text", "question", "--label", "right"]
    told = json.loads(type_(*words, "--json").stdout)
    assert any("A, B, C, D are not used" in note for note in told["notes"]) == noted
    assert read_study(Path("studies/mine/study.yaml")).tasks[0].kind == "classification"


def test_the_choices_that_a_remark_names_make_it_a_multiple_choice():
    parts = {name: f"{name} {SHORT}" for name in "ABCD"}
    table("t.jsonl", 40, question=LONG, **parts, right=lambda n: "ABCD"[n % 4])
    words = ["--data", "t.jsonl", "--text", "question", "--label", "right"]
    told = json.loads(type_("new", "first", *words, "--json").stdout)
    give = told["notes"][0].rpartition(" give ")[2]
    task = written(*words, *shlex.split(give)).tasks[0]
    assert (task.kind, task.task.choices) == ("multiple_choice", ("A", "B", "C", "D"))


def test_a_study_of_instructions_needs_no_column_to_be_named():
    table("own.jsonl", instruction=LONG, output=lambda n: f"{SHORT} {n}\nand more")
    study = written("--data", "own.jsonl", "--yes")
    assert study.tasks[0].kind == "instructions"
    assert study.primary == "perplexity"


def test_tables_of_ones_own_for_test_and_dev_are_used_as_they_are():
    for role in ("train", "test", "dev"):
        table(f"{role}.jsonl", article=f"{role} {LONG}", summary=SHORT)
    words = ["--test", "test.jsonl", "--dev", "dev.jsonl", "--yes"]
    task = written("--data", "train.jsonl", *words).tasks[0]
    assert set(task.files) == {"train", "test", "dev"}
    assert not task.task.test and not task.task.dev


@pytest.mark.parametrize("case", KINDS[:9], ids=lambda case: "-".join(case[0]))
def test_the_command_that_is_given_writes_the_study_that_was_shown(case):
    columns, kind = case[:2]
    if "messages" in columns:
        turns = [("user", LONG), ("assistant", SHORT)]
        columns = {
            "messages": lambda n: [{"role": role, "content": f"{s} {n}"} for role, s in turns]
        }
    table("t.jsonl", **columns)
    done = type_("new", "mine", "--data", "t.jsonl", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["columns"]["kind"]) == (1, kind)
    done = type_(*shlex.split(told["command"])[1:])
    assert done.exit_code == 0, done.output
    assert read_study(Path("studies/mine/study.yaml")).tasks[0].kind == kind


@pytest.mark.parametrize(
    ("columns", "words", "said"),
    [
        (
            {"article": LONG, "summary": lambda n: 7 if n == 4 else f"{SHORT} {n}"},
            (),
            "t.jsonl, row 5: the column 'summary' holds 7, which is no text",
        ),
        (
            {"question": LONG, "choices": listed, "answer": lambda n: "D" if n == 4 else "A"},
            (),
            "t.jsonl, row 5: the answer 'D' is none of the letters A, B, C",
        ),
        ({"text": LONG, "more": LONG}, ("--target", "mare"), "t.jsonl: no column 'mare'. Did you"),
        (
            {"text": LONG, "kind": lambda n: n % 2},
            ("--label", "kind", "--target", "text"),
            "a task has labels or texts to be written: give --label or --target",
        ),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(columns, words, said):
    table("t.jsonl", **columns)
    done = type_("new", "mine", "--data", "t.jsonl", *words, "--yes")
    assert done.exit_code == 1
    assert done.stderr.startswith(said)
    assert not Path("studies").exists()


def test_a_study_of_running_text_is_written_and_its_documents_are_held_out():
    Path("notes.txt").write_text("\n\n".join(f"{LONG} {n}\nand more." for n in range(200)))
    study = written("--data", "notes.txt", "--yes")
    (task,) = study.tasks
    assert (task.kind, study.primary) == ("language_modelling", "bits_per_byte")
    assert set(task.files) == {"text"}
    splits = task.task.split({"text": [Path("notes.txt")]})
    assert min(len(splits.dev), len(splits.test)) >= 10
    assert {m.name for m in study.methods} == {"zero_shot", "full", "lora"}


def test_running_text_with_splits_of_its_own_keeps_them():
    for role in ("train", "dev", "test"):
        table(f"{role}.jsonl", 5, body=f"{role}: {LONG}")
    more = ("--dev", "dev.jsonl", "--test", "test.jsonl", "--yes")
    (task,) = written("--data", "train.jsonl", *more).tasks
    assert set(task.files) == {"train", "dev", "test"} and task.task.text == "body"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--test", "test.txt"), "t.txt: running text has files of train, dev and test, or one"),
        ((), "t.txt: too few documents to hold dev and test out of them"),
    ],
)
def test_running_text_that_cannot_be_parted_is_refused(words, said):
    for name in ("t.txt", "test.txt"):
        Path(name).write_text(f"{name}.\n\nTwo.")
    done = type_("new", "mine", "--data", "t.txt", *words, "--yes")
    assert (done.exit_code, Path("studies").exists()) == (1, False)
    assert done.stderr.startswith(said)


def test_too_few_rows_to_part_are_refused():
    table("t.jsonl", 6, article=LONG, summary=SHORT)
    done = type_("new", "mine", "--data", "t.jsonl", "--yes")
    assert (done.exit_code, done.stderr) == (
        1,
        "t.jsonl: 6 rows, too few to set test and dev rows apart: give 10 or more, or tables of "
        "their own\n",
    )


def test_on_a_terminal_texts_to_be_written_may_be_chosen_instead_of_labels():
    table("t.jsonl", body=LONG, note=SHORT, kind=lambda n: n % 2, label=lambda n: n % 2)
    typed = "target=note text=body\ntarget=nothing\ny\n"
    code, seen = on_a_terminal("new", "mine", "--data", "t.jsonl", typed=typed)
    assert code == 0, seen
    assert "task: generation" in seen and "no column 'nothing'" in seen
    task = read_study(Path("studies/mine/study.yaml")).tasks[0]
    assert (task.kind, task.task.reference) == ("generation", "note")


def test_on_a_terminal_labels_may_be_chosen_instead_of_texts():
    table("t.jsonl", body=LONG, summary=SHORT, mood=lambda n: "ab"[n % 2])
    code, seen = on_a_terminal("new", "mine", "--data", "t.jsonl", typed="label=mood\ny\n")
    assert code == 0, seen
    assert "task: generation" in seen
    task = read_study(Path("studies/mine/study.yaml")).tasks[0]
    assert (task.kind, task.task.label) == ("classification", "mood")
