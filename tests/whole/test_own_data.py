"""A table of one's own, however odd: it works, or one message says what, where and what to do.

Each odd file meets `new` and `run`. All that work are run as tasks of one study, and all that do
not as tasks of another one, so that the machine is started twice and not a hundred times.
"""

import bz2
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

WORDS = ["lovely", "warm", "bright", "kind", "fresh", "calm"]
ROWS = [
    (f"row {n} is {WORDS[n % 6]} and {WORDS[n % 5]}", ("bad", "good")[n % 2]) for n in range(24)
]


def table(rows=ROWS, *, between=",", end="\n", head=("text", "label")) -> str:
    """Return rows as CSV, with quotes only where they are needed."""
    import csv

    file = io.StringIO()
    writer = csv.writer(file, delimiter=between, lineterminator=end)
    writer.writerows([head, *rows])
    return file.getvalue()


def objects(rows=ROWS) -> list[dict]:
    return [{"text": text, "label": label} for text, label in rows]


def lines(rows=ROWS) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects(rows))


def parquet(rows, **columns) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    made = pyarrow.table({"text": [r[0] for r in rows], "label": [r[1] for r in rows], **columns})
    pyarrow.parquet.write_table(made, file)
    return file.getvalue()


def zstd(text: str) -> bytes:
    import zstandard

    data, half = text.encode(), len(text) // 2
    return b"".join(
        zstandard.ZstdCompressor().compress(each) for each in (data[:half], data[half:])
    )


def zipped(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return file.getvalue()


def with_row(row: int, text: str, label: object):
    """Return the rows with one of them, counted from 1, replaced."""
    return [*ROWS[: row - 1], (text, label), *ROWS[row:]]


PAIRS = [(text, {"good": 1.0, "bad": 0.0}[label]) for text, label in ROWS]
MANY = [(f"text {n} about {n % 300}", f"class {n % 300:03}") for n in range(900)]
WIDE = [(*row, *map(str, range(3000))) for row in ROWS]

WORKS = {
    "utf-16.csv": table().encode("utf-16"),
    "utf-16-big-endian.csv": b"\xfe\xff" + table().encode("utf-16-be"),
    "utf-8-with-a-mark.csv": b"\xef\xbb\xbf" + table().encode(),
    "line breaks in quotes.csv": table(with_row(3, "two\nlines\r\nand three", "good")),
    "quotes in quotes.csv": table(with_row(3, 'she said "fine", twice', "good")),
    "crlf.csv": table(end="\r\n"),
    "cr.csv": table(end="\r"),
    "semicolons.csv": table(with_row(2, "one; two, three", "good"), between=";"),
    "tabs.csv": table(between="\t"),
    "sep.csv": "sep=;\n" + table(between=";"),
    "blank lines.csv": "\n" + table().replace("\nrow 4", "\n\n\nrow 4") + "\n\n",
    "table.tsv": table(between="\t"),
    "a huge cell.csv": table(with_row(5, "word " * 2_000_000, "good")),
    "list.json": json.dumps(objects(), indent=2),
    "list.jsonl": json.dumps(objects()),
    "lines.json": lines(),
    "lines.jsonl": lines(),
    "gzip.csv.gz": gzip.compress(table().encode()),
    "zstd in two frames.jsonl.zst": zstd(lines()),
    "three hundred classes.csv": table(MANY),
    "floats.csv": table(PAIRS),
    "floats.jsonl": lines(PAIRS),
    "floats.parquet": parquet(PAIRS),
    "booleans.jsonl": lines([(text, label == "good") for text, label in ROWS]),
    "booleans.parquet": parquet([(text, label == "good") for text, label in ROWS]),
    "numbers.csv": table([(text, n % 3 - 1) for n, (text, _) in enumerate(ROWS)]),
    "many columns.csv": table(WIDE, head=("text", "label", *(f"c{n}" for n in range(3000)))),
    "données à moi.csv": table(),
    "UPPER.CSV": table(),
}  # fmt: skip

FAILS = {
    "cp1252.csv": (
        table(with_row(7, "a café by the sea", "good")).encode("cp1252"),
        ":8: not UTF-8 (byte 0xe9). It may be Windows-1252 or Latin-1, where this reads 'café'; "
        "if so: iconv -f WINDOWS-1252 -t UTF-8 {path} > cp1252-utf8.csv",
    ),
    "packed cp1252.csv.gz": (
        gzip.compress(table(with_row(7, "a café", "good")).encode("cp1252")),
        "gzip -dc '{path}' | iconv -f WINDOWS-1252 -t UTF-8 > 'packed cp1252-utf8.csv'",
    ),
    "cut within a character.csv": (
        table().encode() + "one more café".encode()[:-1],
        ":26: ends within a character: is the file whole?",
    ),
    "utf-16 without its mark.csv": (
        table().encode("utf-16-le"),
        ":1: a NUL byte, which no text has: is the file damaged, or UTF-16 without its mark?",
    ),
    "nul.csv": (table(with_row(4, "a\0b", "good")), ":5: a NUL byte"),
    "open quote.csv": (
        table() + '"never closed,good\n',
        ":26: a quote is opened in the row that begins here and never closed",
    ),
    "bare quote.csv": (
        table() + '"he said "no" to me",good\nmore,bad\n',
        ":26: a quote within a quoted cell of the row that begins here must be doubled",
    ),
    "ragged.csv": (
        table(with_row(2, "first\nsecond", "good")) + "a, b,good\n",
        ", row 25 (line 27): 3 cells where the header has 2 columns: check quotes and separators",
    ),
    "two separators.csv": ("text;label|x\n", ":1: what separates the columns of 'text;label|x'?"),
    "twins.csv": (table(head=("text", "text")), ":1: two columns are named 'text'"),
    "twins.parquet": ("twins", ": two columns are named 'text'"),
    "no label.csv": (
        table(with_row(5, "a\nb", "")),
        ", row 5 (line 6): the column 'label' holds no label: fill it in or drop the row",
    ),
    "blank label.csv": (table(with_row(5, "a", " ")), ", row 5 (line 6): the column 'label' holds"),
    "nan label.csv": (table(with_row(5, "a", "NaN")), ", row 5 (line 6): the column 'label' holds"),
    "a class called null.csv": (
        table(with_row(5, "a", "null")),
        ", row 5 (line 6): the column 'label' holds 'null', which is read as no label: rename the "
        "class or drop the row",
    ),
    "null label.jsonl": (lines(with_row(5, "a", None)), ", row 5: the column 'label' holds no"),
    "nan label.jsonl": (lines(with_row(5, "a", float("nan"))), ", row 5: the column 'label' holds"),
    "null label.parquet": ("null", ", row 5: the column 'label' holds no label"),
    "label key gone.jsonl": (lines() + '{"text": "x"}\n', ", row 25: no column 'label'"),
    "no text.csv": (
        table(with_row(5, "", "good")),
        ", row 5 (line 6): the column 'text' holds no text: fill it in or drop the row",
    ),
    "blank text.json": (
        json.dumps(objects(with_row(5, " \n\t", "good")), indent=1),
        ", row 5 (line 18): the column 'text' holds no text",
    ),
    "parquet.csv": (parquet(ROWS), ": a Parquet file: name it parquet.parquet"),
    "csv.parquet": (table(), ": text, not Parquet: name it csv.csv"),
    "half.parquet": (parquet(ROWS)[:300], ": not a readable Parquet file"),
    "gzip.csv": (gzip.compress(table().encode()), ": packed with gzip: name it gzip.csv.gz"),
    "plain.csv.gz": (table(), ": not packed with gzip, as its name says: name it plain.csv"),
    "half.csv.gz": (gzip.compress(table().encode())[:-30], ": not a whole gzip file"),
    "half.jsonl.zst": (zstd(lines())[:-30], ": not a whole zstd file"),
    "bzip2.csv": (bz2.compress(table().encode()), ": packed with bzip2: name it bzip2.csv.bz2"),
    "excel.csv": (
        zipped(**{"[Content_Types]__xml": "", "xl/workbook__xml": ""}),
        ": an Excel workbook (or another Office file): save it there as `CSV UTF-8`",
    ),
    "zip.csv": (
        zipped(train__csv=table()),
        ": a ZIP archive: unpack it and give a table that is in it (train.csv)",
    ),
    "pdf.csv": ("%PDF-1.7\n", ": a PDF: a table has to be exported from its source"),
    "page.csv": ("\n<!DOCTYPE html>\n<html>", ": a web page, not a table"),
    "pointer.csv": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        ": a Git LFS pointer, not the data: fetch them: git lfs pull",
    ),
    "json.csv": (lines(), ": JSON, not CSV: name it json.jsonl"),
    "csv.jsonl": (table(), ":1: not JSON (Expecting value). Each line is one object"),
    "cut.json": (json.dumps(objects(), indent=1)[:-20], ":96: not JSON (Expecting property name"),
    "half a character.jsonl": (lines() + '{"text": "x \\ud83d"}\n', ":25: half a character ("),
    "half of one.json": ('[{"text": "x \\ud83d", "label": "good"}]', ":1: half a character ("),
    "numbers.json": ("[1, 2, 3]", ":1: must hold a list of JSON objects"),
    "no suffix": (table(), ": of what format? The name must end in one of .csv, .tsv, .jsonl"),
    "empty.csv": ("", ": the train split is empty"),
    "header only.csv": ("text,label\n", ": the train split is empty"),
}  # fmt: skip

AT_NEW = {
    "empty.csv": ("", ": no rows: a table needs a line of column names and rows below it"),
    "header only.csv": ("text,label\n", ": no rows: a table needs a line of column names"),
    "one label.csv": (table([(t, "good") for t, _ in ROWS]), "every row has the label 'good'"),
    "all differ.csv": (
        table([(f"a long text of number {n}", f"k{n}") for n in range(24)]),
        "24 different values in 24 rows of the column 'label': labels repeat, and these hardly do",
    ),
    "case.csv": (
        table(with_row(3, "x", "Good ")),
        "the labels 'Good ' and 'good' in the column 'label' differ only in case or blanks",
    ),
    "no header.csv": (
        table(head=(f"{'it was a long day and ' * 5} so on", "good")),
        "looks like a text, not a column's name: put a line with the columns' names above",
    ),
    "few rows.csv": (table(ROWS[:6]), "6 rows, too few to set test and dev rows apart"),
    "no texts.csv": (table([(n, n % 2) for n in range(24)]), "no column holds texts"),
    "no labels.csv": (
        table([(text, text[::-1]) for text, _ in ROWS], head=("text", "x")),
        "no column looks like labels (2 to 1,000 short values that repeat): name it with --label",
    ),
}  # fmt: skip


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder in which files are written and verbs are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, content: str | bytes) -> Path:
    if name == "twins.parquet":
        content = twins()
    elif name == "null label.parquet":
        content = parquet(with_row(5, "a", None))
    path = Path(name).absolute()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def twins() -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    columns = [pyarrow.array(["a", "b"]), pyarrow.array(["x", "y"])]
    made = pyarrow.Table.from_arrays(columns, names=["text", "text"])
    pyarrow.parquet.write_table(made, file)
    return file.getvalue()


def type_(*words: str):
    from smalltune.cli.commands import app

    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def run(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "smalltune", "run", str(folder), "--workers", "1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def study(tasks: dict) -> dict:
    return {"tasks": tasks, "methods": {"majority": {}}, "seeds": 1}


def test_odd_tables_that_can_be_read_become_studies_that_run(desk):
    tasks = {}
    for number, (name, content) in enumerate(WORKS.items()):
        done = type_("new", f"study-{number}", "--data", str(put(name, content)), "--yes")
        assert done.exit_code == 0, (name, done.output)
        made = yaml.safe_load(Path(f"studies/study-{number}/study.yaml").read_text())
        ((_, entry),) = made["tasks"].items()
        assert entry["text"] == "text" and entry["label"] == "label", name
        test = f"../study-{number}/{entry['files']['test']}"
        entry["files"] = {"train": str(Path(name).absolute()), "test": test}
        tasks[f"t{number}"] = entry
    Path("studies/all").mkdir()
    Path("studies/all/study.yaml").write_text(yaml.safe_dump(study(tasks)))
    done = run(Path("studies/all"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*FAILS, *AT_NEW])
def test_a_table_that_cannot_be_used_ends_new_in_one_message(desk, name):
    content, message = {**FAILS, **AT_NEW}[name]
    path = put(name, content)
    done = type_("new", "mine", "--data", str(path), "--yes")
    assert done.exit_code == 1
    assert done.stderr.startswith(str(path)), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert message.format(path=path) in done.stderr
    assert not list(Path("studies").rglob("*.*"))


def test_the_same_tables_end_a_run_in_one_message_each(desk):
    good = put("good.csv", table())
    labels = {word: word for word in ("good", "bad")}
    tasks, messages = {}, {}
    for number, (name, (content, message)) in enumerate(FAILS.items()):
        path = put(name, content)
        files = {"train": str(path), "test": str(good)}
        dev = {"rows": 4, "seed": number}  # so that equal bytes under two names are two jobs
        kind = {"kind": "classification", "labels": labels}
        tasks[f"t{number}"] = {**kind, "files": files, "dev": dev}
        messages[f"t{number}"] = str(path), message.format(path=path)
    before = run_all(tasks)
    early = {task for task, (path, _) in messages.items() if path in before.stderr}
    assert early and early < tasks.keys() and before.stdout == ""
    later = run_all({task: entry for task, entry in tasks.items() if task not in early})
    for task, (path, message) in messages.items():
        said = before.stderr if task in early else later.stdout
        found = "\n".join(line for line in said.splitlines() if path in line)
        assert found.count("\n") == 0 and found, path
        assert task in early or found.startswith("failed: prepare ")
        assert message in found


def run_all(tasks):
    """Run a study of these tasks, one of which at least must fail with a message."""
    Path("studies/all").mkdir(parents=True, exist_ok=True)
    Path("studies/all/study.yaml").write_text(yaml.safe_dump(study(tasks)))
    done = run(Path("studies/all"))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_a_label_seen_only_in_test_is_noted_and_the_study_runs(desk):
    put("train.csv", table())
    put("test.csv", table([*ROWS[:4], ("something else", "odd"), ("and more", "odd")]))
    done = type_("new", "mine", "--data", "train.csv", "--test", "test.csv", "--yes")
    assert done.exit_code == 0, done.output
    assert (
        "note: test has labels that train lacks, in 2 rows: 'odd': none is learned" in done.stderr
    )
    study_file = Path("studies/mine/study.yaml")
    content = yaml.safe_load(study_file.read_text())
    assert content["tasks"]["train"]["labels"] == {"bad": "bad", "good": "good", "odd": "odd"}
    study_file.write_text(yaml.safe_dump({**content, **study(content["tasks"]), "contrasts": []}))
    assert run(study_file.parent).returncode == 0
    assert type_("results", "mine").exit_code == 0


def test_ids_must_differ_and_the_rows_are_named(desk):
    rows = [(f"id-{n}", text, label) for n, (text, label) in enumerate(ROWS)]
    path = put(
        "own.csv", table([*rows, ("id-3", "once more", "good")], head=("key", "text", "label"))
    )
    done = type_("new", "mine", "--data", str(path), "--yes", "--json")
    assert json.loads(done.stdout)["columns"]["id"] is None, "no id is guessed that is not one"
    done = type_("new", "other", "--data", str(path), "--yes", "--id", "key")
    assert done.exit_code == 1
    twice = f"{path}, row 25 (line 26): the id 'id-3' is that of row 4 (line 5) too"
    assert done.stderr.startswith(twice)
    content = yaml.safe_load(Path("studies/mine/study.yaml").read_text())
    content["tasks"]["own"] |= {"id": "key"}
    content["tasks"]["own"]["files"]["train"] = str(path)
    Path("studies/mine/study.yaml").write_text(yaml.safe_dump(study(content["tasks"])))
    done = run(Path("studies/mine"))
    assert done.returncode == 1
    assert done.stdout.count(twice) == 1


def test_a_folder_or_nothing_in_place_of_a_table_is_said(desk):
    (desk / "own.csv").mkdir()
    assert (
        type_("new", "mine", "--data", "own.csv").stderr == "own.csv: a folder: give a file in it\n"
    )
    assert type_("new", "mine", "--data", "no.csv").stderr == "no.csv: no such file\n"


DROP = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may read everything"
)
def test_a_table_that_may_not_be_read_is_said(desk):
    path = put("own.csv", table())
    path.chmod(0)
    command = [
        *(DROP if os.geteuid() == 0 else []),
        sys.executable,
        "-m",
        "smalltune",
        "new",
        "mine",
    ]
    done = subprocess.run(
        [*command, "--data", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"{path}: no permission to read it: ask its owner, or chmod +r\n",
    )
