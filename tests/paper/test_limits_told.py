"""What a limit, groups and several references do to the rows is told as it is."""

from dataclasses import replace

import pytest

from smalltune.analysis.results import Results
from smalltune.paper import latex
from smalltune.paper.build import build

DRAWN = "drawn with a fixed seed"


def section(report, name: str) -> str:
    return " ".join((report.folder / "sections" / f"{name}.tex").read_text().split())


@pytest.fixture
def told(view, results, tmp_path, monkeypatch):
    """Return the function that builds the paper of rows with more facts and other settings."""
    read = Results.data_facts

    def give(more, **task):
        def facts(self, name):
            found = read(self, name)
            splits = {split: {**each, **more} for split, each in found["splits"].items()}
            return {**found, "splits": splits}

        monkeypatch.setattr(Results, "data_facts", facts)
        monkeypatch.setattr(Results, "groups", lambda *asked: ())
        monkeypatch.setattr(latex, "find_engine", lambda: None)
        study = replace(view, tasks=(replace(view.tasks[0], **task),))
        return build(study, results, tmp_path / "paper")

    return give


def test_a_limit_that_a_single_group_passes_is_not_said_to_hold(told):
    text = section(told({"groups": 3}, held={"test": 30, "dev": 2000}), "data")
    most = r"At most \limitTestReviews{} test rows and \limitDevReviews{} dev rows were to be kept"
    assert f"{most}, {DRAWN} in whole groups: the same" in text
    first = r"The first group drawn for test is larger than that and was kept whole"
    assert rf"{first}, with \rowsTestReviews{{}} rows." in text and "drawn for dev" not in text


@pytest.mark.parametrize("labelled", [True, False])
def test_a_limit_that_holds_is_told_and_labels_only_where_there_are_some(told, labelled):
    task = {} if labelled else {"labels": {}, "answers": "text"}
    text = section(told({}, held={"test": 300}, **task), "data")
    share = " so that each label keeps its share" if labelled else ""
    assert rf"At most \limitTestReviews{{}} test rows were kept, {DRAWN}{share}: the same" in text
    assert "The first group" not in text


@pytest.mark.parametrize("groups", [1, 3])
def test_a_test_split_of_one_group_says_why_it_has_no_interval_over_groups(told, groups):
    report = told({"groups": groups})
    rows, setup = section(report, "data"), section(report, "setup")
    assert ("the test rows are all of one group." in rows) is (groups == 1)
    assert ("cover the seeds alone, and what runs once has none." in setup) is (groups == 1)
    assert (r"the test rows are of \groupsTestReviews{} groups." in rows) is (groups == 3)
    assert ("a group counts as a whole" in setup) is (groups == 3)


def test_repeats_with_another_reference_are_called_so(told):
    plain = section(told({}), "data")
    several = section(told({"references": 160, "reference_words_mean": 3.0}), "data")
    assert r"repeat an earlier one: \duplicatesExactTrainReviews" in plain
    said = r"repeat an earlier one, be it with another reference: \duplicatesExactTrainReviews"
    assert said in several and "how likely the first is" not in several
    more = {"references": 160, "reference_words_mean": 3.0}
    only = section(told(more, answers="likelihood", options={"longest": 9}), "data")
    assert "words each; how likely the first is, is judged." in only
