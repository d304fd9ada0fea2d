"""Qualitative tables: items to read and counted errors, as files that any program opens."""

import csv
import io

import pytest

from smalltune.analysis import export
from smalltune.analysis.errors import categories
from smalltune.analysis.qualitative import EACH, as_csv, error_rows, example_rows
from smalltune.analysis.samples import choose


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_files_lie_beside_the_scores_and_the_same_answers_give_the_same_bytes(small, tmp_path):
    made = small()
    first = export.write(made.results(), tmp_path / "one", {"reviews": "English"})
    export.write(made.results(), tmp_path / "two", {"reviews": "English"})
    assert {"examples.csv", "errors.csv"} <= {path.name for path in first}
    for name in ("examples.csv", "errors.csv"):
        data = (tmp_path / "one" / name).read_bytes()
        assert data and data == (tmp_path / "two" / name).read_bytes()


def test_each_chosen_item_has_a_row_for_each_method(small, tmp_path):
    results = small().results()
    export.write(results, tmp_path)
    rows = read(tmp_path / "examples.csv")
    chosen = choose(results, "micro", "reviews", each=EACH)
    assert [(r["item"], r["method"]) for r in rows] == [
        (one.id, method) for one in chosen for method in one.value
    ]
    first = chosen[0]
    assert rows[0]["asked"] == "\n".join(first.fields.values())
    assert (rows[0]["right"], rows[0]["chosen"]) == (first.gold, first.kind)
    assert float(rows[0]["value"]) == pytest.approx(first.value[rows[0]["method"]], rel=1e-5)


def test_an_item_that_nobody_answered_has_no_answers_and_none_that_is_invalid(made):
    made.ask("wiki", [{"fields": {"text": "Some text."}, "references": ["and more"]}])
    trial = made.say("full", 0, ["x"], task="wiki")
    asked = trial.evaluations["test"].inputs["predictions"]
    made.store.remove(asked.key)
    line = {"id": "test-0", "log_probs": [-7.0], "tokens": 3, "predicted": ""}
    files = {"predictions.jsonl": [line], "labels.json": {"names": []}, "facts.json": {}}
    made.commit(asked, files)
    (row,) = example_rows(made.results())
    assert (row["answers"], row["wrote"], row["asked"]) == ("", "", "Some text.")


def test_each_category_has_a_row_for_each_method_with_what_was_counted(small):
    results = small().results()
    rows = error_rows(results, {"reviews": "English"})
    found = categories(results, "micro", "reviews", language="English")
    assert len(rows) == sum(len(one.cells) for one in found) > 0
    assert all("{}" not in row["what"] for row in rows)
    for row in rows:
        counted = row["measure"] == "share"
        assert (row["count"] is not None) == counted
        if counted and row["of"]:
            assert row["value"] == pytest.approx(row["count"] / row["of"])


def test_no_rows_are_an_empty_file():
    assert as_csv([]) == ""


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@sum(a)", "\tx"])
def test_a_text_is_never_a_formula_and_numbers_stay_numbers(text):
    rows = [{"asked": text, "value": -0.5, "count": None, "none": float("nan")}]
    (row,) = csv.DictReader(io.StringIO(as_csv(rows)))
    assert row == {"asked": f"'{text}", "value": "-0.5", "count": "", "none": ""}


def test_line_breaks_quotes_and_commas_come_back_as_they_were():
    rows = [{"asked": 'a "b",\nc;\td', "right": "\N{GRINNING FACE}"}]
    assert list(csv.DictReader(io.StringIO(as_csv(rows)))) == rows
