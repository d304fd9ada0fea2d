"""The test split is opened by final scoring only, and the store says how often."""

import json
from dataclasses import replace

import smalltune as st
from smalltune.api.papers import stamp
from smalltune.api.view import study_view
from smalltune.core.openings import add, openings
from smalltune.core.store import Store


def test_only_final_scores_open_test_and_a_second_run_opens_nothing(workshop):
    tune = {"tune": {"strength": [0.1, 1.0, 10.0]}, "why": "To compare."}
    workshop.write(methods={"majority": {"why": "A floor."}, "tfidf": tune}, contrasts=[])
    report = workshop.run()
    found = openings(Store(workshop.store))
    assert {one.label for one in found} == {
        "score -/majority/own/- test", "score -/tfidf/own/- test"
    }  # fmt: skip
    assert {one.job for one in found} < set(report["done"])
    workshop.run()
    assert openings(Store(workshop.store)) == found
    assert "test of own: opened twice by 2 scores of this study\n" in workshop("results").stdout
    plan = json.loads(workshop("plan", "--json", "--no-forecast").stdout)
    told = {"times": 2, "jobs": 2, "others": 0, "unrecorded": 0, "beside": []}
    assert plan["opened"] == {"own": told}


def test_a_paper_is_stale_once_somebody_else_opens_its_test_split(workshop):
    workshop.write(methods={"majority": {"why": "A floor."}}, contrasts=[]).run()
    store = Store(workshop.store)
    study = st.load(workshop.study, store.root)
    view = study_view(study.spec, study.locked)
    before = stamp(study, view)
    assert stamp(study, view) == before
    (one,) = openings(store)
    add(store, [replace(one, job="a" * 64)])
    assert stamp(study, view) != before


def test_looking_again_after_a_change_is_told_as_looking_from_outside(workshop):
    workshop.write(methods={"tfidf": {"why": "To compare."}}, contrasts=[]).run()
    workshop.write(methods={"tfidf": {"why": "To compare.", "ngrams": 1}}).run()
    said = workshop("results").stdout
    assert "test of own: opened once by 1 score of this study, and by 1 score outside it" in said
    checked = workshop("store", "check").stdout
    assert "opened 2 times by 2 scores, last " in checked


def test_a_study_that_leaves_test_closed_shows_its_dev_scores(workshop):
    methods = {"majority": {"why": "A floor."}}
    workshop.write(methods=methods, contrasts=[], evaluations=["dev"]).run()
    said = workshop("results").stdout
    assert said == workshop("results", "--split", "dev").stdout
    assert "50.0 [" in said and "test of own: never opened" in said
