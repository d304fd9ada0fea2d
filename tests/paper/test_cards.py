"""Data cards: what was counted is printed with its origin, and what was not is a dash."""

import json
import re
from dataclasses import replace

import pytest

from smalltune.data.remarks import remarks
from smalltune.paper import latex
from smalltune.paper.build import build
from smalltune.paper.cards import MOST, card_tables
from smalltune.paper.counts import add_counts, label_names
from smalltune.paper.figures import lengths
from smalltune.paper.naming import Names
from smalltune.paper.numbers import Numbers
from smalltune.paper.readme import readme
from smalltune.paper.remarked import KEPT, note_counts, note_text
from smalltune.paper.trace import trace

SAID = {
    "duplicatesNearTrainReviews": 6,
    "acrossExactTrainTestReviews": 2,
    "acrossNearTrainDevReviews": 5,
    "nearThresholdReviews": 0.8,
    "tokensMeanTestReviews": 19.5,
    "tokensLongestTestReviews": 90,
    "truncatedShareTrainReviews": 0.1,
    "tokensLimitReviews": 64,
    "droppedPartOfADevSentenceReviews": 41,
}


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


def card(view, results) -> str:
    numbers = Numbers()
    add_counts(view, results, numbers)
    return card_tables(view, results, numbers, {"socher2013sst"})["reviews"]


def test_what_was_counted_is_a_number_that_leads_to_its_artifact(built, results):
    records = json.loads((built.folder / "numbers.json").read_text())
    assert {name: records[name]["value"] for name in SAID} == SAID
    for name in SAID:
        found = trace(built.folder, name, results.store)
        stage = "tokens" if name.startswith(("tok", "trunc")) else "prepare"
        assert found.origins[0].stage == stage and found.source.startswith(stage), name


def test_the_card_has_every_count_and_says_what_stands_behind_it(built):
    text = section(built, "appendix")
    card = text[text.index("Data card of Reviews") :]
    for name in SAID:
        assert f"\\{name}" in card or name == "tokensLimitReviews", name
    for said in (
        "MinHash of word trigrams, similarity of at least", "train rows repeated in dev:",
        "Language & English", "\\citet{socher2013sst}", "occurs nowhere \\& is listed",
    ):  # fmt: skip
        assert said.replace(",", ",") in card.replace(",{}", ","), said
    assert re.search(r"Exact twins in train & & \\cell\{\\acrossExactTrainDevReviews\} &", card)


def test_every_number_of_a_note_is_a_macro_that_leads_to_its_artifact(
    view, make_results, tmp_path, monkeypatch
):
    said = [
        "1198 train rows are a part of a test row, word for word, and were kept",
        "dev holds 41 rows and not 2000: no more rows",
        "of SST-2, 0.5 to 12,500 rows.",
    ]
    results = make_results(tmp_path / "store", lora=0.9, full=0.7, notes=said)
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    folder = build(view, results, tmp_path / "paper").folder
    text = (folder / "sections" / "appendix.tex").read_text().replace("{,}", ",")
    note = re.search(r"Notes & (.*) \\\\", text)[1].replace(r"\mbox{-}2", "")
    assert not re.search(r"\d", note)
    records = json.loads((folder / "numbers.json").read_text())
    macros = re.findall(r"\\(note\w+)\{\}", note)
    assert [(records[m]["value"], records[m]["printed"]) for m in macros] == [
        (1198, "1,198"), (41, "41"), (2000, "2,000"), (0.5, "0.5"), (12500, "12,500"),
    ]  # fmt: skip
    for name in macros:
        assert trace(folder, name, results.store).origins[0].stage == "prepare"
    assert r"\noteOneCountOneReviews{} train rows" in note and "; dev holds" in note
    data = " ".join((folder / "sections" / "data.tex").read_text().split()).replace(",{}", ",")
    kept = "train rows are a part of a test row, word for word, and were kept."
    assert rf"Besides, \noteOneCountOneReviews{{}} {kept}" in data and "dev holds" not in data


def test_the_text_finds_what_the_preparation_says_of_rows_that_were_kept(view):
    told = remarks({"train": [], "dev": [], "test": []}, ["bad"], parts=True)
    notes = {"notes": ["dev holds 41 rows", *told]}
    said = note_text(notes, ["bad"], Names(view), "t", saying=KEPT)
    assert told[-1].endswith(KEPT) and said.endswith(KEPT)
    assert said.count("\\note") == 1 and "ThreeCountOneT" in said


@pytest.mark.parametrize(
    ("note", "values"),
    [
        ("no row has the labels 3, class 7 and 2 more", [2]),
        ("3 rows lack the label 3", [3]),
        ("train has no row with the label 3, which dev asks for 15 times", [15]),
    ],
)
def test_a_label_in_digits_is_a_name_and_no_count(note, values):
    found = note_counts({"notes": [note]}, ["2", "3", "class 7"])
    assert [value for _, value, _ in found] == values


def test_a_note_that_is_too_long_is_cut_between_words_and_numbers(view):
    notes = {"notes": ["12345 " * 300]}
    found = list(note_counts(notes, []))
    assert {value for _, value, _ in found} == {12345}
    assert note_text(notes, [], Names(view), "t").count("\\note") == len(found)


def test_the_text_tells_what_was_cut_and_what_repeats(built):
    text = section(built, "data")
    counts = "\\truncatedTestReviews{} (\\truncatedShareTestReviews{})"
    assert f"{counts} were cut at their end to fit \\tokensLimitReviews" in text
    assert "the same words as a training row: \\acrossExactTrainTestReviews{};" in text
    assert "\\ref{tab:card-reviews} is the data card" in text


def test_an_artifact_from_before_prints_dashes(view, make_results, tmp_path):
    results = make_results(tmp_path / "old", lora=0.9, full=0.7, counted=False)
    report = build(view, results, tmp_path / "paper")
    records = json.loads((report.folder / "numbers.json").read_text())
    assert "acrossExactTrainTestReviews" not in records
    assert records["tokensLongestTrainReviews"]["printed"] == "--"  # cut, so not known
    assert "Exact twins in train & & -- & --" in section(report, "appendix")
    assert "nearly the same" not in section(report, "data")
    assert not (report.folder / "figures" / "lengths.pdf").exists()


def test_a_study_planned_before_tokens_were_recorded_has_a_card_all_the_same(view, results):
    from smalltune.analysis.results import read

    record = json.loads(json.dumps(results.store.read_plan("tiny")))
    for trial in record["trials"]:
        del trial["tokens"]
    older = read(results.store, record)
    assert older.token_facts("reviews", "micro") is None
    assert "Tokens per row, mean & -- & -- & --" in card(view, older)


def test_of_many_labels_the_card_lists_the_most_frequent(view, results):
    labels = {str(n): f"class {n}" for n in range(300)} | {"a": "negative", "b": "positive"}
    task = replace(view.tasks[0], labels=labels)
    text = card(replace(view, tasks=(task,)), results)
    assert len(re.findall(r"^\\quad ", text, re.MULTILINE)) == MOST - 2
    assert "\\quad negative" in text and "\\quad positive" in text
    assert "the most frequent of \\cell{\\labelsReviews} labels" in text


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["good", "bad"], ["good", "bad"]),
        (["C", "C++", "Java"], ["label 1", "label 2", "Java"]),
        (["\u597d", "\u574f"], ["label 1", "label 2"]),
    ],
)
def test_labels_that_letters_cannot_tell_apart_are_numbered(labels, words):
    assert list(label_names(labels).values()) == words


def test_the_figure_shows_each_split_as_a_density_and_the_cut(results):
    figure = lengths.draw(results)
    (ax,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "train", "dev", "test", "cut",
    ]  # fmt: skip
    values, edges, _ = ax.patches[0].get_data()
    assert sum(v * (b - a) for v, a, b in zip(values, edges, edges[1:], strict=False)) == (
        pytest.approx(100)
    )
    assert [line.get_xdata()[0] for line in ax.lines] == [64] and ax.get_xlim()[1] > 64


def test_the_readme_carries_the_data_with_their_counts(view, results, built):
    numbers = json.loads((built.folder / "numbers.json").read_text())
    text = readme(view, results, numbers, pdf=False)
    for said in (
        "- language: English", "due to: socher2013sst", "at most 90; cut in test: 10.0 %",
        "train rows repeated in dev: 3", "with the same words as a training row: 2",
    ):  # fmt: skip
        assert said in text, said
