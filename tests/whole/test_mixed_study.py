"""One study of every kind of task: every method where it can answer, tables and cards that fit."""

import csv
import json

import pytest


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, tiny_folder):
    from whole.conftest import Workshop, rows

    folder = tmp_path_factory.mktemp("mixed")
    for name, count, start in (("train", 24, 0), ("dev", 8, 100), ("test", 12, 200)):
        labelled = [json.dumps(row) + "\n" for row in rows(count, start)]
        (folder / f"{name}.jsonl").write_text("".join(labelled))
        others = [
            {
                "article": row["text"] + " and so on" * (n % 4),
                "summary": row["text"].split()[2],
                "instruction": f"Say it: {row['text']}{' again' * (n % 4)}",
                "output": "It was.",
                "choices": ["it was good", "it was bad", "nobody knows"],
                "answer": row["y"],
            }
            for n, row in enumerate(rows(count, start))
        ]
        (folder / f"more-{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in others))
    more = {name: f"more-{name}.jsonl" for name in ("train", "dev", "test")}
    own = {
        "kind": "classification",
        "files": {name: f"{name}.jsonl" for name in ("train", "dev", "test")},
        "label": "y",
        "labels": {"0": "bad", "1": "good"},
        "prompt": "{text}\nIt was",
        "language": "English",
    }
    notes = {
        "kind": "generation",
        "files": more,
        "text": "article",
        "reference": "summary",
        "longest": 8,
        "language": "English",
        "about": "Notes made for a test.",
    }
    content = {
        "models": {"tiny": {"source": str(tiny_folder)}},
        "tasks": {
            "own": own,
            "notes": notes,
            "quiz": {"kind": "multiple_choice", "files": more, "text": "article", "most": 3},
            "chats": {"kind": "instructions", "files": more, "longest": 16},
            "prose": {"kind": "language_modelling", "files": more, "text": "article"},
        },
        "methods": {
            "majority": None,
            "lead": {"sentences": 1},
            "zero_shot": None,
            "few_shot": {"shots": 3},
            "linear_probe": None,
            "even": {"method": "few_shot", "calibrated": True, "tasks": "own"},
            "lora": {"tasks": ["own", "notes"]},
            "prompt_tuning": {"tokens": 4, "tasks": ["own", "notes"]},
        },
        "training": {"epochs": 1, "batch_size": 8},
        "seeds": 1,
        "contrasts": ["lora - majority", "lora - zero_shot"],
        "keep_weights": True,
    }
    workshop = Workshop(folder, content).write()
    workshop.run()
    return workshop


def table(mixed, name):
    with (mixed.folder / "results" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_method_is_scored_where_it_can_answer(mixed):
    done = mixed("results", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    scored = {(e["method"], e["task"]) for e in told["estimates"]}
    assert ("majority", "own") in scored and ("majority", "notes") not in scored
    assert {("lora", "own"), ("lora", "notes"), ("majority", "quiz")} <= scored
    assert [task for method, task in scored if method == "lead"] == ["notes"]
    shown = {task for method, task in scored if method == "few_shot"}
    assert shown == {"own", "notes", "quiz", "chats"}
    assert [task for method, task in scored if method == "linear_probe"] == ["own"]
    assert {("even", "own"), ("prompt_tuning", "own"), ("prompt_tuning", "notes")} <= scored
    assert ("lora", "quiz") not in scored and len({task for _, task in scored}) == 5
    assert [(c["contrast"], c["task"]) for c in told["contrasts"]] == [
        ("lora - majority", "own"), ("lora - zero_shot", "own"), ("lora - zero_shot", "notes"),
    ]  # fmt: skip


def test_there_are_items_to_read_and_errors_of_every_task(mixed):
    assert mixed("results").returncode == 0
    examples, errors = table(mixed, "examples.csv"), table(mixed, "errors.csv")
    for task, methods in (("own", 7), ("notes", 5), ("quiz", 3), ("chats", 2), ("prose", 1)):
        mine = [row for row in examples if row["task"] == task]
        assert {row["chosen"] for row in mine} <= {"disagreement", "hardest", "random"}
        assert len({row["method"] for row in mine}) == methods
        assert all(row["asked"] for row in mine)
        assert task == "prose" or all(row["right"] for row in mine)
    written = [row for row in examples if row["task"] == "notes"]
    assert {row["measure"] for row in written} == {"rougeL"}
    groups = {(row["task"], row["group"]) for row in errors}
    assert {("notes", "form"), ("notes", "source")} <= groups
    assert {task for task, _ in groups} == {"own", "notes", "quiz", "chats", "prose"}
    assert all(float(row["of"]) > 0 for row in errors if row["group"] != "source")


def test_the_card_of_a_model_says_what_it_was_trained_to_do(mixed, tmp_path):
    said = {}
    for task in ("own", "notes"):
        done = mixed("export", f"tiny/lora/{task}/0", str(tmp_path / task))
        assert done.returncode == 0, done.stderr
        said[task] = (tmp_path / task / "README.md").read_text()
    assert 'the word of the right label, one of "bad", "good"' in said["own"]
    assert "label" not in said["notes"].partition("## The task")[2]
    assert "a text of at most 8 tokens" in said["notes"]
    assert "Notes made for a test.\n\n- Language: English" in said["notes"]
    assert '"prompt": "{article}\\nAnswer:"' in said["notes"]
