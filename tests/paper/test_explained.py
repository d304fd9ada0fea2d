"""What measures judge is told as it is: of which answers, by which numbers, and how far."""

from dataclasses import replace

import pytest

from smalltune.analysis.results import Results
from smalltune.paper import latex
from smalltune.paper.asking import answering, asking
from smalltune.paper.build import build
from smalltune.paper.explained import explained


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


def test_accuracy_is_of_the_answer_however_it_is_found(view):
    said = explained(view, ())
    assert "the share of items whose answer is the right one" in said
    assert "most likely label" not in said and "On Reviews" not in said


@pytest.mark.parametrize(
    ("prompt", "normalise", "divided"),
    [
        ("{text}", "characters", True), ("{text}", "tokens", True), ("{text}", "none", False),
        ("{text}\n{choices}", "characters", False),
    ],
)  # fmt: skip
def test_where_choices_are_chosen_by_other_numbers_than_judged_it_is_said(
    view, prompt, normalise, divided
):
    decoding = {"normalise": normalise}
    choices = replace(view.tasks[0], answers="choices", prompt=prompt, decoding=decoding)
    said = explained(replace(view, tasks=(choices,)), ()).replace("{}", "")
    told = "gives a choice (for the negative log-likelihood) comes from the summed log-likelihoods"
    assert (told in said and "need not be the most probable choice." in said) is divided
    only = replace(choices, metrics=("accuracy",))
    assert "gives a choice" not in explained(replace(view, tasks=(only,)), ())


def test_a_dash_where_labels_are_written_is_explained(view):
    written = replace(view.tasks[0], answers="written labels")
    said = explained(replace(view, tasks=(written,)), ()).replace("{}", "")
    assert "On Reviews, a language model writes its label and gives the labels no prob" in said
    assert "a dash stands for the negative log-likelihood." in said
    assert "writes" not in explained(replace(view, tasks=(written,), models=()), ())


def test_an_answer_that_is_too_long_is_judged_as_far_as_it_is_said_to_be(view):
    chats = replace(view.tasks[0], answers="likelihood", options={"longest": 96})
    study = replace(view, tasks=(chats,))
    (said,) = asking(study, trains=False)
    assert "as far as the tokens allowed for it reach." in said
    assert r"counts up to \askingLongestReviews{} tokens" in answering(study, chats)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("likelihood", "the answer with its end is longer than the tokens allowed, and is judged"),
        ("text", "the first reference with its end is longer than what the model may write."),
    ],
)
def test_test_rows_with_answers_that_are_too_long_are_counted(
    view, results, tmp_path, answers, said, monkeypatch
):
    read = Results.token_facts

    def counted(self, task, model):
        found = read(self, task, model)
        splits = {split: {**facts, "answers_cut": 3} for split, facts in found.splits.items()}
        return replace(found, splits=splits)

    monkeypatch.setattr(Results, "token_facts", counted)
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    task = replace(view.tasks[0], answers=answers, options={"longest": 24})
    text = section(build(replace(view, tasks=(task,)), results, tmp_path / "paper"), "data")
    start = r"In \tokensAnswersCutTestReviews{} of the test rows"
    assert f"{start} {said}" in text.replace(",{}", ",")
    assert r"In \tokensAnswersCutTrainReviews{} of the training rows" in text
