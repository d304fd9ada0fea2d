"""What is exported stands on its own: moved elsewhere it opens, and its card says what is so."""

import json
import shutil

import pytest
import torch

WHY = {"why": "To have one."}


@pytest.fixture(scope="module")
def kept(tmp_path_factory, tiny_folder):
    """A study whose weights are kept: methods after another one, and one that cannot learn."""
    from whole.conftest import Workshop, rows

    folder = tmp_path_factory.mktemp("kept")
    for name, count, start in (("train", 24, 0), ("dev", 8, 100), ("test", 8, 200)):
        made = rows(count, start)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    content = {
        "name": "kept",
        "question": "What comes out?",
        "models": {"tiny": {"source": str(tiny_folder), **WHY}},
        "tasks": {
            "own": {
                "kind": "classification",
                "files": {name: f"{name}.jsonl" for name in ("train", "dev", "test")},
                "label": "y",
                "labels": {"0": "bad", "1": "good"},
                "prompt": "{text}\nIt was",
                **WHY,
            }
        },
        "methods": {
            "zero_shot": WHY,
            "last_layer": WHY,
            "thin": {"method": "lora", "after": "last_layer", "title": "Thin", **WHY},
            "beside": {"method": "adapter", "after": "last_layer", "title": "Beside", **WHY},
            "wild": {"method": "lora", "learning_rate": 0.3, "title": "Wild", **WHY},
        },
        "training": {"steps": 4, "batch_size": 8},
        "keep_weights": True,
        "seeds": 1,
    }
    workshop = Workshop(folder, content).write()
    workshop.run()
    return workshop


def exported(kept, trial, folder, *more):
    done = kept("export", f"tiny/{trial}/own/0", str(folder), *more)
    assert done.returncode == 0, done.stderr
    assert "Loading weights" not in done.stdout + done.stderr
    return (folder / "README.md").read_text()


def by_the_card(card, folder):
    """Do what a card says with a folder; return the logits of the model that is there then."""
    made = {}
    code = card.partition("```python\n")[2].partition("```")[0].replace("FOLDER", str(folder))
    exec(code, made)
    with torch.no_grad():
        return made["model"].eval()(input_ids=torch.arange(12)[None]).logits


@pytest.mark.parametrize("method", ["thin", "beside"])
def test_a_moved_folder_with_its_base_opens(kept, tmp_path, monkeypatch, method):
    here, there = tmp_path / "here", tmp_path / "there" / "deep"
    card = exported(kept, method, here)
    before = by_the_card(card, here)
    there.parent.mkdir()
    shutil.move(here, there)
    monkeypatch.chdir(tmp_path)
    torch.testing.assert_close(by_the_card(card, there), before, rtol=0, atol=0)
    assert "base_model: ./base\n" in card and "lies in `base` within" in card
    assert "not part of it" not in card
    assert not any(str(here) in path.read_text() for path in there.glob("*.json"))


def test_what_comes_after_another_training_and_is_merged_is_the_same_model(kept, tmp_path):
    card = exported(kept, "thin", tmp_path / "apart")
    merged = exported(kept, "thin", tmp_path / "merged", "--merged")
    apart, whole = (
        by_the_card(text, tmp_path / name) for text, name in ((card, "apart"), (merged, "merged"))
    )
    torch.testing.assert_close(apart, whole, rtol=1e-4, atol=1e-4)


def test_an_adapter_says_whose_load_reads_it_and_that_it_cannot_be_merged(kept, tmp_path):
    card = exported(kept, "beside", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "method.json").read_text())
    assert told["method"] == "adapter"
    assert 'load("smalltune.methods", "adapter")(width=16, placement=\'houlsby\')' in card
    assert "Nor can it be merged into the base" in card
    done = kept("export", "tiny/beside/own/0", str(tmp_path / "no"), "--merged")
    assert done.returncode == 1
    assert "what Adapters trained cannot be merged into the base, whose own" in done.stderr


def test_a_training_that_results_mark_is_marked_on_its_card(kept, tmp_path):
    card = exported(kept, "wild", tmp_path / "wild")
    scores = card.partition("## Opening it")[0]
    assert "**This training counts as failed**: its dev loss is" in scores
    assert "not below the base's" in scores
    assert "counts as failed" not in exported(kept, "thin", tmp_path / "thin")
