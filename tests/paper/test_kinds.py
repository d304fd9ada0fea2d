"""Tasks of several kinds in one study: each is told by its own measures, and nothing untrue."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from smalltune.api.view import study_view
from smalltune.paper.asking import answering, asking
from smalltune.paper.build import build
from smalltune.paper.naming import inline
from smalltune.paper.view import ANSWERS, MetricView, TaskView
from smalltune.planning.locking import lock_anew
from smalltune.planning.reading import read_study

ITEMS = 9
LONG = "A very long answer & more of it. " * 20
WRITTEN = {
    "token_f1": MetricView("token_f1", "Token F1", True, "higher"),
    "exact_match": MetricView("exact_match", "Exact match", True, "higher"),
    "length_ratio": MetricView("length_ratio", "Length ratio", False, "neither"),
}
DECODING = {"longest": 24, "beams": 4, "length_penalty": 0.6, "stop": "line"}
STUDY = """\
tasks:
  walks: {why: Facts.}
  choices:
    kind: multiple_choice
    files: {train: rows.jsonl, dev: rows.jsonl, test: rows.jsonl}
  notes:
    kind: language_modelling
    files: {train: text.jsonl, dev: text.jsonl, test: text.jsonl}
  reviews: {}
  spelt: {kind: reviews, answered: written}
  chats:
    kind: instructions
    files: {train: chats.jsonl, dev: chats.jsonl, test: chats.jsonl}
models: {micro-llama: {}}
methods: {zero_shot: {}}
seeds: 1
"""


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


def lines(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def mixed(view, shelf, tmp_path):
    """Return the paper of a study with labels on one task and written texts on another."""
    shelf.add("majority", None, 0.5)
    for seed in range(6):
        for at, method in enumerate(("full", "lora")):
            shelf.add(method, seed, 0.7 + 0.1 * at, "micro")
            texts = [f"Review {i}, bad." if (i + seed) % 3 > at else "" for i in range(ITEMS - 1)]
            shelf.write(method, seed, [*texts, LONG], "micro")
    stories = TaskView(
        "stories", "Stories", "generation", why="They are written.", prompt="{text}\nSummary:",
        answers="text", decoding=DECODING, options={"text": "text", "learn": "each"},
        metrics=tuple(WRITTEN), cite=("socher2013sst",),
    )  # fmt: skip
    reviews = replace(
        view.tasks[0], metrics=tuple(m.name for m in view.metrics), cite=("socher2013sst",)
    )
    both = replace(
        view, tasks=(reviews, stories), metrics=(*view.metrics, *WRITTEN.values()), published=()
    )
    return build(both, shelf.results([*(m.name for m in both.metrics)]), tmp_path / "paper")


def test_each_task_has_a_table_of_its_own_measures_without_empty_columns(mixed):
    text = section(mixed, "results")
    first, second = text.split("\\label{tab:scores-2}")
    assert (
        "Dev, test and interval: accuracy." in first and "Token F1" not in first.split("Diff.")[0]
    )
    assert (
        "Dev, test and interval: token F1." in text and "NLL" not in second.split("\\end{table")[0]
    )
    assert "Tables~\\ref{tab:scores} and \\ref{tab:scores-2} give the scores" in text
    assert "Length ratio" in second


def test_tasks_that_are_due_to_one_work_are_named_together(mixed):
    said = "The data of Reviews and Stories come from~\\citet{socher2013sst}."
    assert said in section(mixed, "related_work")


def test_dev_has_no_column_where_nothing_is_judged_on_it(view, shelf, tmp_path):
    for method in ("full", "lora"):
        shelf.write(method, 0, ["Bad."] * ITEMS, "micro")
    stories = TaskView(
        "stories", "Stories", "generation", why="They are written.", answers="text",
        metrics=tuple(WRITTEN),
    )  # fmt: skip
    only = replace(
        view, tasks=(stories,), methods=tuple(map(view.method, ("full", "lora"))),
        metrics=tuple(WRITTEN.values()), primary="token_f1", contrasts=(), published=(),
    )  # fmt: skip
    text = section(build(only, shelf.results([*WRITTEN]), tmp_path / "paper"), "results")
    assert "Test and interval: token F1." in text
    assert "Method & Test & " in text


def test_a_contrast_is_told_in_the_measure_of_its_task(mixed):
    assert mixed.claims.keys() >= {"claimLoraAgainstFullReviews", "claimLoraAgainstFullStories"}
    numbers = json.loads((mixed.folder / "numbers.json").read_text())
    assert "token F1" in numbers["claimLoraAgainstFullStories"]["printed"]
    assert "accuracy" in numbers["claimLoraAgainstFullReviews"]["printed"]


def test_the_text_says_how_answers_are_written_and_not_that_all_are_label_words(mixed):
    text = section(mixed, "setup")
    assert "On Reviews, a language model sees a prompt and is judged by the log-likelihood" in text
    assert "On Stories, a language model sees a prompt and writes its answer." in text
    assert "beam search with \\askingBeamsStories{} beams" in text
    assert "to the power \\askingLengthPenaltyStories{}" in text
    assert "or with the line, or after \\askingLongestStories{} tokens" in text
    assert (
        "primary measure, fixed beforehand, is accuracy for Reviews; token F1 for Stories" in text
    )


def test_a_task_without_labels_is_not_said_to_have_any(mixed):
    text = section(mixed, "data")
    stories = text[text.index("\\paragraph{Stories.}") : text.index("\\begin{table")]
    assert "labels" not in stories and "most frequent" not in stories
    assert "\\referencesEachTestStories{} references on average" in stories
    assert "equal ones counted once" in stories
    card = section(mixed, "appendix").split("Data card of Stories")[1].split("\\end{table")[0]
    assert "Most frequent label" not in card and "References per row, mean" in card


def test_long_texts_are_cut_where_the_caption_says_so(mixed):
    text = section(mixed, "examples")
    assert "[\\textellipsis{}] marks where a long text was cut." in text
    assert "\\emph{(nothing)}" in text and "First reference" in text
    assert "100\\% bad\\_" in text  # escaped as all that comes from data


def test_errors_are_counts_with_denominators_that_lead_to_their_runs(mixed):
    text = section(mixed, "examples")
    assert "\\label{tab:errors-2}" in text and "nothing written" in text
    numbers = json.loads((mixed.folder / "numbers.json").read_text())
    empty = numbers["errorsFormEmptyLoraStories"]
    assert empty["printed"] == f"{round(empty['value'] * 6 * ITEMS)}/{6 * ITEMS}"
    assert len(empty["keys"]) == len(empty["trials"]) == 6
    assert numbers["errorsLengthShortItemsStories"]["value"] > 0


def test_signatures_stand_in_the_appendix(mixed):
    assert "Token F1 on Stories: \\texttt{words|" in section(mixed, "appendix").replace(
        "\\textbar{}", "|"
    ).replace("\\allowbreak{}", "")


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Matthews correlation", "Matthews correlation"),
        ("Brier score", "Brier score"),
        ("Slot error rate", "slot error rate"),
        ("ROUGE-L", "ROUGE-L"),
        ("chrF", "chrF"),
    ],
)
def test_the_name_of_a_person_keeps_its_capital_in_a_sentence(title, said):
    assert inline(title) == said


def test_a_task_declares_how_it_is_answered(tmp_path):
    lines(tmp_path / "rows.jsonl", {"question": "Who?", "choices": ["a", "b"], "answer": "A"})
    lines(tmp_path / "text.jsonl", {"text": "Once."}, {"text": "Twice."})
    lines(tmp_path / "chats.jsonl", {"instruction": "Sing.", "input": "", "output": "La."})
    (tmp_path / "study.yaml").write_text(STUDY)
    spec = read_study(tmp_path / "study.yaml")
    view = study_view(spec, lock_anew(spec))
    found = {task.name: task.answers for task in view.tasks}
    assert found == {
        "walks": "text", "choices": "choices", "notes": "running text", "reviews": "labels",
        "spelt": "written labels", "chats": "likelihood",
    }  # fmt: skip
    assert set(found.values()) == set(ANSWERS)
    assert view.primary_of("notes") == "bits_per_byte"


def test_labels_that_are_written_are_not_said_to_be_weighed(view):
    written = replace(view.tasks[0], answers="written labels")
    (said,) = asking(replace(view, tasks=(written,)), trains=False)
    assert "writes, greedily" in said and "likelihood" not in said
    assert "``negative'' and ``positive''" in answering(view, written)
    (weighed,) = asking(view, trains=False)
    assert "log-likelihood of the label words" in weighed and "writes" not in weighed


def test_a_method_that_writes_the_same_again_is_not_printed_again(view, shelf, tmp_path):
    texts = [f"Review {i}, bad." for i in range(ITEMS)]
    shelf.write("full", 0, texts, "micro")
    shelf.write("lora", 0, ["The same & again."] * ITEMS, "micro")
    stories = TaskView(
        "stories", "Stories", "generation", why="They are written.", answers="text",
        metrics=tuple(WRITTEN),
    )  # fmt: skip
    only = replace(
        view, tasks=(stories,), methods=tuple(map(view.method, ("full", "lora"))),
        metrics=tuple(WRITTEN.values()), primary="token_f1", contrasts=(), published=(),
    )  # fmt: skip
    text = section(build(only, shelf.results([*WRITTEN]), tmp_path / "paper"), "examples")
    shown = text.count("Reference &") + text.count("First reference &")
    assert text.count("The same \\& again.") == 1
    assert text.count("the same text as above") == shown - 1 > 0
    assert "different texts among those written" in text


def test_the_openings_of_the_test_split_are_told(view, shelf, tmp_path):
    from smalltune.core.openings import note

    for method in ("full", "lora"):
        shelf.write(method, 0, ["Bad."] * ITEMS, "micro")
    jobs = [trial.evaluations["test"] for trial in shelf.trials]
    for job in (jobs[0], jobs[0]):
        note(shelf.store, job, "test")
    stories = TaskView(
        "stories", "Stories", "generation", why="They are written.", answers="text",
        metrics=tuple(WRITTEN),
    )  # fmt: skip
    only = replace(
        view, tasks=(stories,), methods=tuple(map(view.method, ("full", "lora"))),
        metrics=tuple(WRITTEN.values()), primary="token_f1", contrasts=(), published=(),
    )  # fmt: skip
    report = build(only, shelf.results([*WRITTEN]), tmp_path / "paper")
    numbers = json.loads((report.folder / "numbers.json").read_text())
    told = {n: numbers[f"openings{n}"]["value"] for n in ("Times", "Jobs", "Others", "Unrecorded")}
    assert told == {"Times": 2, "Jobs": 1, "Others": 0, "Unrecorded": 1}
    text = section(report, "setup")
    assert r"\openingsTimes{} times in all." in text and "so did" not in text
    assert r"Of \openingsUnrecorded{} stored scores there is no record." in text
