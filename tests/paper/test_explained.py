"""What measures judge is told as it is: of which answers, by which numbers, and how far."""

import json
from dataclasses import replace

import pytest

from smalltune.analysis.results import Results
from smalltune.paper import latex
from smalltune.paper.asking import add_asking, answering, asking, chatting
from smalltune.paper.build import build
from smalltune.paper.explained import explained
from smalltune.paper.numbers import Numbers
from smalltune.paper.view import MethodView


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


def test_how_much_a_written_label_may_take_is_told(view):
    written = replace(view.tasks[0], answers="written labels", decoding={"beyond": 4})
    study, numbers = replace(view, tasks=(written,)), Numbers()
    (said,) = asking(study, trains=False)
    assert r"may write \askingBeyondReviews{} tokens more than the longest label" in said
    add_asking(study, numbers)
    assert numbers["askingBeyondReviews"].value == 4
    (older,) = asking(replace(study, tasks=(replace(written, decoding={}),)), trains=False)
    assert "may write" not in older


def test_a_chat_is_told_of_and_what_it_does_to_conversations_and_demonstrations(view):
    assert chatting(view, ["reviews"]) == ()
    chat = replace(view.models[0], chat=True)
    study = replace(view, models=(chat,))
    (said,) = chatting(study, ["reviews"])
    assert said.startswith("The model is asked in its chat template: the prompt is the user's turn")
    talks = replace(study, tasks=(replace(view.tasks[0], talks=True),))
    assert len(chatting(talks, [])) == 1
    assert "Conversations of Reviews are given turn by turn" in chatting(talks, ["reviews"])[1]
    shown = MethodView("few", "few_shot", "Few-shot", why="x", options={"shots": 4})
    told = chatting(replace(talks, methods=(shown,)), ["reviews"])
    assert "The solved items of few-{}shot are earlier turns of the same" in told[2]
    two = replace(view, models=(chat, replace(chat, name="other", title="Other", chat=False)))
    assert chatting(two, [])[0].startswith("micro-{}llama is asked in its own chat template")


@pytest.mark.parametrize(
    ("more", "cut", "share"),
    [
        ({"turns_dropped": 8, "texts_cut": 0}, "0", "only"),
        ({"turns_dropped": 8, "texts_cut": 2}, "2", "cut"),
        ({"turns_dropped": 8}, "--", "unknown"),
        ({"turns_dropped": 0}, "8", "no exchange"),
    ],
)
def test_the_paper_of_a_chat_counts_lost_exchanges_apart_from_cut_texts(
    view, results, tmp_path, monkeypatch, more, cut, share
):
    read = Results.token_facts

    def counted(self, task, model):
        found = read(self, task, model)
        splits = {split: {**facts, **more} for split, facts in found.splits.items()}
        return replace(found, splits=splits)

    monkeypatch.setattr(Results, "token_facts", counted)
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    task = replace(view.tasks[0], answers="likelihood", options={"longest": 24}, talks=True)
    study = replace(view, tasks=(task,), models=(replace(view.models[0], chat=True),))
    built = build(study, results, tmp_path / "paper")
    text = section(built, "data")
    numbers = json.loads((built.folder / "numbers.json").read_text())
    assert numbers["truncatedTrainReviews"]["printed"] == cut
    assert (r"\tokensTurnsDroppedTrainReviews{} training rows and" in text) is (cut != "8")
    assert (r"\tokensTurnsDroppedTestReviews{} test rows lost exchanges." in text) is (cut != "8")
    where = "were cut at the end of the system's text, and of the question where that does not do"
    assert (where in text) is (share in ("cut", "no exchange")) and "at their end" not in text
    assert ("fit by themselves, which is so in no row." in text) is (share == "only")
    assert "None was cut" not in text
    assert "Conversations of Reviews are given turn by turn" in section(built, "setup")
