"""What measures judge is told as it is: of which answers, by which numbers, and how far."""

from dataclasses import replace

import pytest

from smalltune.paper.explained import explained


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
