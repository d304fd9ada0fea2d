"""Methods and tasks of one study: a method meets the tasks that it can answer and is meant for."""

import json

import pytest

from smalltune.core.errors import StudyError

MIXED = """\
models: {tiny: {source: ./base}}
tasks:
  own:
    kind: classification
    files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}
    labels: {0: bad, 1: good}
  prose: {kind: language_modelling, files: {all: text.jsonl}}
methods:
  floor: {method: fake.reader}
  asked: {method: fake.asker}
  tuned: {method: fake.trainer}
contrasts: ["tuned - floor", "tuned - asked"]
seeds: 1
"""


@pytest.fixture
def mixed(bureau):
    (bureau.folder / "text.jsonl").write_text(json.dumps({"text": "so it goes"}) + "\n")
    return bureau.write(MIXED)


def ids(bureau):
    return [trial.id for trial in bureau.plan().trials]


def test_a_method_that_answers_with_labels_meets_the_tasks_that_have_some(mixed):
    assert ids(mixed) == [
        "-/floor/own/-", "tiny/asked/own/-", "tiny/tuned/own/0",
        "tiny/asked/prose/-", "tiny/tuned/prose/0",
    ]  # fmt: skip


def test_what_is_not_planned_is_told_with_the_plan(mixed, tmp_path):
    from typer.testing import CliRunner

    from smalltune.cli.commands import app

    mixed.read()
    words = ["plan", str(mixed.file), "--no-forecast", "--store", str(tmp_path / "store")]
    said = CliRunner().invoke(app, words).stdout
    why = "it answers with labels, and prose is running text, which asks nothing"
    assert f"not planned: floor on prose: {why}" in said
    plan = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert plan["left_out"] == ["floor/prose"]
    mixed.replace("method: fake.reader}", "method: fake.reader, tasks: own}").read()
    assert "not planned" not in CliRunner().invoke(app, words).stdout


def test_a_method_that_writes_is_told_what_a_task_wants_instead(mixed):
    from smalltune.planning.pairs import left_out

    files = ", ".join(f"{role}: text.jsonl" for role in ("train", "dev", "test"))
    asks = "text: text, reference: text, prompt: '{text}'"
    texts = f"  texts: {{kind: generation, files: {{{files}}}, {asks}}}\n"
    mixed.replace("methods:\n", f"{texts}methods:\n  lead: {{}}\n  shown: {{method: few_shot}}\n")
    assert left_out(mixed.read()) == [
        ("lead", "own", "it answers with texts, and own wants labels"),
        ("lead", "prose", "it answers with texts, and prose is running text, which asks nothing"),
        ("shown", "prose", "it shows solved items, and prose is running text, which asks nothing"),
        ("floor", "prose", "it answers with labels, and prose is running text, which asks nothing"),
        ("floor", "texts", "it answers with labels, and texts wants texts"),
    ]


def test_a_contrast_is_made_on_the_tasks_that_both_methods_meet(mixed):
    contrasts = [(c.a, c.b, c.task) for c in mixed.read().contrasts]
    assert contrasts == [("tuned", "floor", "own"), ("tuned", "asked", None)]


def test_a_method_may_be_meant_for_some_tasks_only(mixed):
    mixed.replace("method: fake.trainer}", "method: fake.trainer, tasks: [own]}")
    assert [id for id in ids(mixed) if "tuned" in id] == ["tiny/tuned/own/0"]


def test_which_tasks_a_method_is_for_is_no_part_of_the_question(mixed):
    before = mixed.keys()
    mixed.replace("method: fake.trainer}", "method: fake.trainer, tasks: [own]}")
    assert mixed.keys() < before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fake.reader}", "fake.reader, tasks: [oven]}", "9: no task 'oven' in this study. Did you"),
        (
            "fake.reader}",
            "fake.reader, tasks: [own, prose]}",
            "9: floor answers with labels, and prose is running text, which asks nothing",
        ),
        ('floor", "tuned - asked"', 'floor", {a: tuned, b: floor, task: prose}', "12: tuned and"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(mixed, old, new, said):
    mixed.replace(old, new)
    with pytest.raises(StudyError) as error:
        mixed.read()
    assert str(error.value).startswith(f"study.yaml:{said}")


def test_methods_that_share_no_task_cannot_be_compared(mixed):
    mixed.replace("fake.asker}", "fake.asker, tasks: prose}")
    mixed.replace('"tuned - asked"', '"asked - floor"')
    with pytest.raises(StudyError, match="asked and floor are not both asked any task: there is"):
        mixed.read()


def test_a_task_that_no_method_meets_is_named(mixed):
    for name in ("asker", "trainer"):
        mixed.replace(f"fake.{name}}}", f"fake.{name}, tasks: own}}")
    with pytest.raises(StudyError) as error:
        mixed.read()
    assert str(error.value).startswith("study.yaml:7: no method of this study meets the task 'pros")


def test_a_method_may_be_for_some_models_and_contrasts_follow(mixed):
    two = "models: {tiny: {source: ./base}, other: {source: ./base}}\n"
    text = MIXED.replace(MIXED.splitlines()[0] + "\n", two)
    mixed.write(text.replace("fake.trainer}", "fake.trainer, models: [other]}"))
    assert [i for i in ids(mixed) if "tuned" in i] == ["other/tuned/own/0", "other/tuned/prose/0"]
    assert sum("/asked/" in i for i in ids(mixed)) == 4
    contrasts = [(c.a, c.b, c.task, c.model) for c in mixed.read().contrasts]
    assert contrasts == [("tuned", "floor", "own", "other"), ("tuned", "asked", None, "other")]


def test_a_model_that_is_none_or_that_nobody_asks_is_named_with_its_line(mixed):
    text = MIXED.replace("fake.trainer}", "fake.trainer, models: [tinny]}")
    mixed.write(text.replace("fake.reader}", "fake.reader, models: [tiny]}"))
    with pytest.raises(StudyError) as error:
        mixed.read()
    assert str(error.value).splitlines() == [
        "study.yaml:9: floor asks no model",
        "study.yaml:11: no model 'tinny' in this study. Did you mean 'tiny'?",
    ]


def test_methods_of_a_contrast_without_a_model_in_common_are_refused(mixed):
    two = "models: {tiny: {source: ./base}, other: {source: ./base}}\n"
    text = MIXED.replace(MIXED.splitlines()[0] + "\n", two)
    text = text.replace("fake.trainer}", "fake.trainer, models: [other]}")
    mixed.write(text.replace("fake.asker}", "fake.asker, models: [tiny]}"))
    with pytest.raises(StudyError, match="tuned and asked are not both asked any model"):
        mixed.read()
