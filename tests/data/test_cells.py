"""Cells and files that cannot be used: each kind says what, where and what to do, in one line."""

import gzip
import json

import pytest

from smalltune.core.errors import DataError
from smalltune.core.plugins import load
from smalltune.data.cells import no_column

DEV = {"dev": {"rows": 4}}
PASSAGE = "a passage of number {}"
KINDS = {
    "one text": (
        "classification",
        {"text": "t", "label": "y", "labels": {"0": "no", "1": "yes"}, **DEV},
        lambda n: {"t": f"text {n}", "y": n % 2},
    ),
    "two texts": (
        "classification",
        {"text": ("t", "p"), "label": "y", "labels": {"true": "yes", "false": "no"}, **DEV},
        lambda n: {"t": f"is it {n}?", "p": PASSAGE.format(n), "y": n % 2 == 0},
    ),
    "several answers": (
        "generation",
        {"text": ("t", "p"), "reference": "y.text", "extractive": True, **DEV},
        lambda n: {
            "t": f"which, {n}?",
            "p": PASSAGE.format(n),
            "y": {"text": [str(n), f"no. {n}"]},
        },
    ),
    "several summaries": (
        "generation",
        {"text": "t", "reference": ("y", "z"), **DEV},
        lambda n: {"t": PASSAGE.format(n), "y": f"tells of {n}", "z": f"a tale of {n}"},
    ),
    "choices": (
        "multiple_choice",
        {"text": "t", "choices": "c", "answer": "y", **DEV},
        lambda n: {"t": f"which, {n}?", "c": [f"this {n}", f"that {n}"], "y": n % 2},
    ),
    "instructions": (
        "instructions",
        DEV,
        lambda n: {"instruction": f"Do {n}.", "input": "", "output": f"Done {n}."},
    ),
    "running text": ("language_modelling", {"text": "t"}, lambda n: {"t": PASSAGE.format(n)}),
}
ASKED = {"instructions": "instruction"}
ANSWER = {"instructions": "output"}


def lines(path, rows):
    path.write_text(
        "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    )
    return path


def refusal(folder, name, bad, *, at=6, packed=False):
    """Return what is said of a file whose row `at`, counted from one, is `bad` (of a good one)."""
    kind, options, row = KINDS[name]
    rows = [row(n) for n in range(20)]
    rows[at - 1] = bad(rows[at - 1])
    train = lines(folder / "train.jsonl", rows)
    if packed:
        (folder / "train.jsonl.gz").write_bytes(gzip.compress(train.read_bytes()))
        train = folder / "train.jsonl.gz"
    files = {
        "train": [train],
        "test": [lines(folder / "test.jsonl", [row(n) for n in range(20, 26)])],
    }
    if kind == "language_modelling":
        files["dev"] = [lines(folder / "dev.jsonl", [row(n) for n in range(30, 36)])]
    task = load("smalltune.tasks", kind)(**options)
    with pytest.raises(DataError) as error:
        task.look(files)
        task.split(files)
    said = str(error.value)
    assert said.startswith((f"{train}, row {at}: ", f"{train}:{at}: ")) and "\n" not in said
    return said


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("value", [7, 2.5, True, ["a"], {"a": "b"}])
def test_a_cell_that_is_no_text_is_shown_with_its_column_and_a_remedy(tmp_path, name, value):
    column = ASKED.get(name, "t")
    said = refusal(tmp_path, name, lambda row: {**row, column: value})
    assert f"the column {column!r} holds {value!r}, which is no text: write it " in said


@pytest.mark.parametrize("name", KINDS)
def test_a_column_that_is_missing_is_said_with_the_nearest_one(tmp_path, name):
    column = ASKED.get(name, "t")
    said = refusal(tmp_path, name, lambda row: {f"{column}s": "x", **_but(row, column)})
    near = column if name == "instructions" else f"{column}s"
    assert f"Did you mean {near!r}?" in said


@pytest.mark.parametrize("name", KINDS)
def test_an_empty_object_and_a_broken_line_are_said_with_the_line(tmp_path, name):
    assert "the row is empty. Fill it in or drop it" in refusal(tmp_path, name, lambda row: {})
    for packed in (False, True):
        said = refusal(tmp_path, name, lambda row: json.dumps(row)[:-4], packed=packed)
        assert "not JSON (" in said and said.endswith("Mend the line or drop it")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("one text", 7, "the label 7 is not among the study's labels: 0, 1. Give it a word under"),
        ("one text", None, "the column 'y' holds no label: fill it in or drop the row"),
        ("two texts", "True", "Did you mean 'true'? Write it alike in the file and in the study"),
        ("several answers", None, "'y' holds None, and not an object with 'text' in it. Name "),
        ("several answers", {"text": [7]}, "the column 'y.text' holds 7, which is no text"),
        ("several summaries", 7, "the column 'y' holds 7, which is no text: write it in quotes"),
        ("choices", None, "no answer says which choice is right: fill it in or drop the row"),
        ("choices", 2, "or of the choices: where places count from one, say `first: 1`"),
        ("choices", "C", "or of the choices: mend it or drop the row"),
        ("instructions", 7, "the column 'output' holds 7, which is no text"),
    ],
)
def test_an_answer_that_is_none_is_shown_with_a_remedy(tmp_path, name, value, said):
    column = ANSWER.get(name, "y")
    assert said in refusal(tmp_path, name, lambda row: {**row, column: value})


def test_a_long_cell_is_shown_by_its_beginning():
    said = no_column({"answers": "word " * 100}, "answers.text")
    assert "'word word" in said and len(said) < 200


def test_choices_may_be_a_list_in_the_cell_of_a_csv(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f'"which, {n}?","[""this {n}"", ""that""]",{n % 2}\n' for n in range(20))
    path.write_text(f"t,c,y\n{rows}")
    kind, options, _ = KINDS["choices"]
    task = load("smalltune.tasks", kind)(**options, test={"rows": 4})
    splits = task.split({"train": [path], "test": [path]})
    assert {row.choices[1] for row in splits.train} == {"that"}
    path.write_text(f"t,c,y\n{rows}last?,\"['this', 'that']\",0\n")
    with pytest.raises(
        DataError, match=r"row 21 \(line 22\): the choices are .* as JSON text such"
    ):
        task.split({"train": [path], "test": [path]})


def _but(row, column):
    return {name: value for name, value in row.items() if name != column}
