"""The study as a user holds it in Python."""

from pathlib import Path

import pytest

import smalltune as st
from smalltune.api.study import store_of
from smalltune.api.view import study_view
from smalltune.core.errors import StudyError


@pytest.fixture
def study(bureau, store):
    bureau.read()
    return st.load(bureau.folder, store.root)


def test_a_store_lies_beside_the_studies_unless_another_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("SMALLTUNE_STORE", raising=False)
    assert store_of(tmp_path / "studies" / "a" / "study.yaml") == tmp_path / ".smalltune"
    assert store_of(tmp_path / "alone" / "study.yaml") == tmp_path / "alone" / ".smalltune"
    monkeypatch.setenv("SMALLTUNE_STORE", "/var/answers")
    assert store_of(tmp_path / "a" / "study.yaml") == Path("/var/answers")
    assert store_of(tmp_path / "a" / "study.yaml", "/mine") == Path("/mine")


def test_a_study_runs_on_a_backend_of_ones_own_and_leaves_it_open(study, here):
    assert study.run(backend=here).ok
    assert str(study.run(backend=here)) == "nothing to do: 4 trials, 20 jobs stored"
    assert not here.closed
    assert {each.state for each in study.status()} == {"done"}


def test_a_stage_that_does_not_exist_is_named(study, here):
    with pytest.raises(StudyError, match=r"no stage 'trian' to run until\. Did you mean 'train'"):
        study.run(until="trian", backend=here)


def test_a_trial_is_found_by_its_id_or_by_what_tells_it_apart(study, here):
    study.run(backend=here)
    trial = study.trial("tiny/tuned/own/1")
    assert study.trial(method="tuned", seed=1).id == trial.id
    assert trial.done and trial.scores("test") == {"accuracy": 0.5, "nll": 0.5}
    with pytest.raises(StudyError, match="means 2 trials"):
        study.trial(method="tuned")
    with pytest.raises(StudyError, match="no trial with method='lora'"):
        study.trial(method="lora")
    with pytest.raises(StudyError, match="were dropped after use: set `keep_weights: true`"):
        trial.weights()
    with pytest.raises(StudyError, match="trains no weights"):
        study.trial(method="floor").weights()


def test_the_paper_sees_the_study_as_plain_values(study):
    view = study_view(study.spec, study.locked)
    assert view.models[0].facts["parameters"] == 36
    assert view.tasks[0].labels == {"0": "bad", "1": "good"}
    assert view.tasks[0].prompt == "{text} was"
    tuned, floor = view.method("tuned"), view.method("floor")
    assert tuned.training["learning_rate"] == 0.002 and floor.training == {}
    assert (tuned.trains, floor.uses_model) == (True, False)
    assert view.contrasts[0].a == "tuned" and not view.tuned


def test_the_paper_says_on_which_models_a_method_is_another(study, monkeypatch):
    kind = next(m.kind for m in study.spec.methods if m.name == "asked")
    monkeypatch.setattr(
        kind, "remark", lambda self, config: f"it sees {config['model_type']}", raising=False
    )
    view = study_view(study.spec, study.locked)
    told = study.locked.models["tiny"].config["model_type"]
    titles = tuple(model.title for model in view.models)
    assert view.method("asked").remarks == {f"it sees {told}": titles}
    assert view.method("floor").remarks == {}


def test_a_tuned_method_shows_what_was_tried(bureau, store):
    bureau.replace("method: fake.trainer,", "method: fake.trainer, tune: {rank: [2, 4]},").read()
    study = st.load(bureau.folder, store.root)
    view = study_view(study.spec, study.locked)
    assert view.tuned and view.method("tuned").tuned == {"rank": (2, 4)}
