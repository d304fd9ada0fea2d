"""Instruction tuning, what starts from it, and other tasks asked too: from study file to paper."""

import json
from collections import Counter

import pyarrow.parquet
import pytest

from smalltune import load


@pytest.fixture(scope="module")
def chained(tmp_path_factory, tiny_folder):
    from whole.conftest import Workshop, rows

    folder = tmp_path_factory.mktemp("chained")
    for name, count, start in (("train", 24, 0), ("dev", 8, 100), ("test", 30, 200)):
        made = rows(count, start)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
        asked = [
            {"instruction": f"Say it: {row['text']}", "output": "It was.", "text": row["text"]}
            for row in rows(count, start + 400)
        ]
        (folder / f"more-{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in asked))
    more = {name: f"more-{name}.jsonl" for name in ("train", "dev", "test")}
    why = {"why": "To have one."}
    beside, more_of_it = {"files": more, "trained": False, **why}, {"title": "More", **why}
    content = {
        "name": "chained",
        "question": "What does instruction tuning do?",
        "models": {"tiny": {"source": str(tiny_folder), **why}},
        "tasks": {
            "own": {
                "kind": "classification",
                "files": {name: f"{name}.jsonl" for name in ("train", "dev", "test")},
                "label": "y",
                "labels": {"0": "bad", "1": "good"},
                "prompt": "{text}\nIt was",
                "also": ["prose", "chats"],
                "limit": {"test": 20},
                "metrics": ["accuracy", "nll"],
                **why,
            },
            "chats": {"kind": "instructions", "longest": 16, **beside},
            "prose": {"kind": "language_modelling", **beside},
        },
        "methods": {
            "zero_shot": why,
            "instruct": {"on": "chats", "tasks": "own", "epochs": 1, **why},
            "lora": {"tasks": "own", **why},
            "further": {"method": "lora", "after": "instruct", "tasks": "own", **more_of_it},
        },
        "training": {"epochs": 2, "batch_size": 8},
        "seeds": 2,
    }  # fmt: skip
    workshop = Workshop(folder, content).write()
    workshop.report = workshop.run()
    return workshop


@pytest.fixture(scope="module")
def written(chained):
    """The study after its results and its paper are written."""
    study = load(chained.study, chained.store)
    study.export_results()
    study.paper()
    return chained


def table(written, name):
    return pyarrow.parquet.read_table(written.folder / "results" / name).to_pandas()


def told(written):
    return json.loads((written.folder / "results" / "summary.json").read_text())


def section(written, name):
    return (written.folder / "paper" / "sections" / f"{name}.tex").read_text()


def numbers(written):
    return json.loads((written.folder / "paper" / "numbers.json").read_text())


def plan(chained):
    path = next((chained.store / "plans").glob("*.json"))
    return json.loads(path.read_text())


def trials(chained):
    return {trial["id"]: trial for trial in plan(chained)["trials"]}


def stage(chained, key):
    folder = chained.store / "artifacts" / key[:2] / key
    return json.loads((folder / "manifest.json").read_text())["stage"], folder


def test_asking_twice_does_nothing(chained):
    assert chained.run()["done"] == []


def test_one_instruction_tuning_a_seed_serves_all_that_comes_after_it(chained):
    stages = Counter(stage(chained, key)[0] for key in plan(chained)["keys"])
    assert (stages["train"], stages["merge"]) == (2 + 2 + 2, 2)
    found = trials(chained)
    for seed in (0, 1):
        built = found[f"tiny/further/own/{seed}"]["built"]
        assert [stage(chained, key)[0] for key in built] == ["train", "merge"]
        assert built[0] == found[f"tiny/instruct/own/{seed}"]["train"]


def test_weights_and_models_are_dropped_when_all_that_reads_them_is_done(chained):
    for key in plan(chained)["readers"]:
        name, folder = stage(chained, key)
        assert (folder / "dropped.json").is_file(), name
        assert not list(folder.glob("*/*.safetensors"))


def test_every_trained_thing_answers_the_same_rows_of_the_other_tasks_as_the_base(written):
    scores = table(written, "scores.parquet")
    for other in ("prose", "chats"):
        base = scores[(scores.method == "zero_shot") & (scores.task == other)]
        also = scores[scores.split == f"also {other}"]
        assert set(also.method) == {"instruct", "lora", "further"} and set(also.task) == {"own"}
        for _, part in also.groupby("trial"):
            assert list(part.item) == list(base[base.split == "test"].item)
    own = scores[(scores.task == "own") & (scores.split == "test")]
    assert own.groupby("trial").size().eq(20).all()


def test_the_results_proper_do_not_hold_other_tasks_answers(written):
    found = told(written)
    trained = {e["task"] for e in found["estimates"] if e["method"] != "zero_shot"}
    assert trained == {"own"}
    assert len(found["also"]) == 3 * 2
    for one in found["also"]:
        before, after, change = (one[name]["value"] for name in ("before", "after", "difference"))
        assert change == pytest.approx(after - before)
        assert one["after"]["seeds"] == 2 and one["difference"]["levels"] == ["seeds", "items"]


def test_instruction_tuning_lowers_the_perplexity_of_what_it_learns_from(written):
    also = told(written)["also"]
    change = {one["method"]: one["difference"] for one in also if one["asked"] == "chats"}
    assert change["instruct"]["high"] < 0


def test_what_a_trial_starts_from_is_charged_to_it_and_counted_once_in_all(written):
    costs = table(written, "costs.parquet").set_index("trial")
    first, second = costs.loc["tiny/instruct/own/0"], costs.loc["tiny/further/own/0"]
    assert first.built_seconds == 0 < second.built_seconds < second.seconds
    assert second.train_seconds > first.train_seconds
    assert second.tokens > first.tokens and second.flops > first.flops
    total = numbers(written)["wallTimeTotal"]
    folders = [stage(written, key)[1] for key in total["keys"]]
    made = [json.loads((folder / "provenance.json").read_text())["seconds"] for folder in folders]
    assert len(set(total["keys"])) == len(total["keys"])
    assert total["value"] == pytest.approx(sum(made)) and total["value"] < costs.seconds.sum()


def test_the_paper_tells_what_else_changed_and_nothing_that_its_interval_does_not_carry(written):
    results, found = section(written, "results"), numbers(written)
    assert r"\label{tab:elsewhere}" in results and "What else changed" in results
    sides = {e["asked"]: e["difference"] for e in told(written)["also"] if e["method"] == "lora"}
    for method, learned in (("Instruct", "Chats"), ("Lora", "Own"), ("Further", "Own")):
        said = found[f"elsewhere{method}{learned}"]
        for task, where in said["value"].items():
            change = found[f"also{method}{task.capitalize()}After{learned}Change"]
            assert (where == "good") == (said["printed"].count(f"good side of zero for {task}") > 0)
            if where in ("good", "bad"):
                assert (change["value"] < 0) == (where == "good")
    assert found["elsewhereInstructChats"]["value"]["chats"] == "good"
    for task, difference in sides.items():
        holds = difference["low"] <= 0 <= difference["high"]
        assert (found["elsewhereLoraOwn"]["value"][task] == "on") == holds


def test_the_paper_says_how_methods_and_tasks_are_linked(written):
    methods, data = section(written, "methods"), section(written, "data")
    assert "It is trained on chats, whatever" in methods
    assert "It starts from the weights that instruction tuning" in methods
    assert "No method is trained on it but instruction tuning; it is asked." in data
    assert "What was trained for it is also asked prose and chats." in data
    assert "so that each label keeps its share" in data
    assert "Training of what others start from is counted in: more." in section(written, "results")


def test_each_reading_of_a_test_split_is_one_of_this_study_in_the_record(written):
    from smalltune.analysis.openings import opened

    found = opened(load(written.study, written.store).results())
    assert set(found) == {"own", "chats", "prose"}
    for one in found.values():
        assert (one.others, one.unrecorded) == (0, 0)
    assert found["own"].jobs == 7 and found["prose"].jobs == found["chats"].jobs == 7


def test_one_more_seed_runs_that_seed_with_its_own_start(chained):
    before = set(plan(chained)["keys"])
    chained.write(seeds=3)
    done = chained.run()["done"]
    stages = Counter(stage(chained, key)[0] for key in done)
    assert (stages["train"], stages["merge"]) == (3, 1)
    assert not before & set(done)
