"""Solved items that have no room are left out, and paper and `results` say in how many answers."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from smalltune.api.study import load
from smalltune.cli.commands import app
from smalltune.paper import latex


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_folder):
    """Return a study in which sixty solved items have no room and two have."""
    folder = tmp_path_factory.mktemp("shown")
    why = {"why": "It is here."}
    content = {
        "models": {"tiny": {"source": str(tiny_folder), **why}},
        "tasks": {"reviews": {"limit": {"test": 6, "dev": 4}, **why}},
        "methods": {
            name: {"method": "few_shot", "shots": shots, "title": name.title(), **why}
            for name, shots in (("two", 2), ("sixty", 60))
        },
        "seeds": [0, 1],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    load(folder, folder / "store").run(workers=1)
    return folder


def test_results_say_how_many_answers_saw_fewer_solved_items(folder):
    words = ["results", str(folder), "--store", str(folder / "store")]
    said = CliRunner().invoke(app, words).output
    assert "tiny/sixty/reviews: 12 of 12 answers on test saw fewer solved items than asked" in said
    assert "tiny/two/reviews" not in said
    summary = json.loads((folder / "results" / "summary.json").read_text())
    assert {one["split"]: one["short"] for one in summary["shown_fewer"]} == {"dev": 8, "test": 12}
    assert "of 8 answers on dev" in CliRunner().invoke(app, [*words, "--split", "dev"]).output


def test_the_paper_says_so_in_numbers_that_lead_to_the_predictions(folder, monkeypatch):
    monkeypatch.setattr(latex, "find_engine", lambda: None)
    study = load(folder, folder / "store")
    study.paper()
    text = " ".join((folder / "paper" / "sections" / "setup.tex").read_text().split())
    said = r"shown in \shownFewerSixtyReviews{} of the \shownOfSixtyReviews{} answers of sixty"
    assert f"{said} to the test rows" in text and "shownFewerTwo" not in text
    numbers = json.loads((folder / "paper" / "numbers.json").read_text())
    numbers = numbers.get("numbers", numbers)
    one = numbers["shownFewerSixtyReviews"]
    assert one["value"] == 12 and numbers["shownOfSixtyReviews"]["value"] == 12
    keys = {trial.predict["test"] for trial in study.results().trials if trial.method == "sixty"}
    assert set(one["keys"]) == keys and len(keys) == 2
