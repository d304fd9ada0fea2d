"""The study file: what is wrong is said with file, line and the nearest right name."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.planning.reading import find_study


def message(bureau, *changes: str) -> str:
    with pytest.raises(StudyError) as error:
        bureau.read(*changes)
    return str(error.value)


def test_a_study_is_read_with_its_defaults_spelt_out(bureau):
    study = bureau.read()
    assert study.seeds == (0, 1)
    assert study.metrics == ("accuracy", "nll")
    assert study.primary == "accuracy"
    assert [c.metric for c in study.contrasts] == ["accuracy"]
    method, training = study.methods[2].settled()
    assert (method.rank, training["epochs"], training["learning_rate"]) == (8, 2, 0.002)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "metrics: [accuracy, nll]",
            "metrics: [accuracy, nll]\nsedes: 3",
            "study.yaml:20: unknown key 'sedes'. Did you mean 'seeds'?",
        ),
        (
            "method: fake.trainer",
            "method: lorra",
            "study.yaml:15: no method 'lorra'. Did you mean 'lora'?",
        ),
        (
            "kind: classification",
            "kind: clasification",
            "study.yaml:7: no task 'clasification'. Did you mean 'classification'? "
            "For data of your own, give `kind:` and `files:`",
        ),
        (
            "seeds: 2",
            "seeds: two",
            "study.yaml:17: seeds must be a list or a whole number, not 'two'",
        ),
        (
            "seeds: 2",
            "seeds: 0",
            "study.yaml:17: seeds must be a list or a whole number above 0, not 0",
        ),
        ("seeds: 2", "seeds: [1, 1]", "study.yaml:17: seed 1 stands in seeds twice"),
        ("seeds: 2\n", "", "study.yaml:1: 'seeds' is missing"),
        (
            "train: data/train.csv",
            "train: data/trian.csv",
            "study.yaml:8: no file 'data/trian.csv' in little/",
        ),
        (
            "train: data/train.csv, ",
            "",
            "study.yaml:8: tasks.own.files names no 'train' file",
        ),
        (
            "dev: data/dev.csv",
            "dve: data/dev.csv",
            "study.yaml:8: no role 'dve'. Did you mean 'dev'?",
        ),
        (
            "source: ./base",
            "source: ./bass",
            "study.yaml:4: no config.json in './bass': a model's folder holds one",
        ),
        (
            "source: ./base",
            "source: base model",
            "study.yaml:4: no model 'base model': a hub id is owner/name, "
            "a folder begins with ./ or /",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, rnak: 4",
            "study.yaml:15: methods.tuned has no option 'rnak'. Did you mean 'rank'?",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, learning_rat: 4",
            "study.yaml:15: methods.tuned has no option 'learning_rat'. "
            "Did you mean 'learning_rate'?",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, rank: much",
            "study.yaml:15: methods.tuned: rank must be a whole number, not 'much'",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, target: 3",
            "study.yaml:15: methods.tuned: target must be text or a list, not 3",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, rank: 0",
            "study.yaml:15: the rank must be at least 1",
        ),
        (
            "method: fake.reader",
            "method: fake.reader, learning_rate: 1e-3",
            "study.yaml:13: methods.floor trains no weights, so it has no 'learning_rate'",
        ),
        (
            "method: fake.trainer",
            "method: fake.trainer, tune: {rank: [2, many]}",
            "study.yaml:15: methods.tuned: rank must be a whole number, not 'many'",
        ),
        (
            "training: {epochs: 2}",
            "training: {epochs: 2.5}",
            "study.yaml:16: training: epochs must be a whole number, not 2.5",
        ),
        (
            "training: {epochs: 2}",
            "training: {epoch: 2}",
            "study.yaml:16: training has no option 'epoch'. Did you mean 'epochs'?",
        ),
        (
            "metrics: [accuracy, nll]",
            "metrics: [accuracy, nll_]",
            "study.yaml:19: no metric 'nll_'. Did you mean 'nll'?",
        ),
        (
            "metrics: [accuracy, nll]",
            "metrics: [bits_per_byte, nll]",
            "study.yaml:19: no task of this study is scored by 'bits_per_byte'",
        ),
        (
            '["tuned - asked"]',
            '["tuned - aksed"]',
            "study.yaml:18: no method 'aksed' in this study. Did you mean 'asked'?",
        ),
        (
            '["tuned - asked"]',
            "[tuned-asked]",
            "study.yaml:18: a contrast is two methods, \"a - b\", not 'tuned-asked'",
        ),
        (
            "why: It is small.",
            "why: It is small., wye: again",
            "study.yaml:4: unknown key 'wye' in models.tiny. Did you mean 'why'?",
        ),
        (
            "    labels: {0: bad, 1: good}\n",
            "",
            "study.yaml:6: tasks.own: 'labels' is missing: it maps each value of the label "
            "column to a word",
        ),
        (
            "labels: {0: bad, 1: good}",
            "labels: {0: bad, 0: good}",
            "study.yaml:9: '0' stands here again (first on line 9)",
        ),
        (
            '"{text} was"',
            '"was it"',
            "study.yaml:6: the prompt 'was it' must hold exactly {text}",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(bureau, old, new, said):
    assert message(bureau.replace(old, new)) == said


def test_bad_yaml_is_named_with_its_line(bureau):
    bureau.write("name: little\nseeds: [1, 2\nmethods: x\n")
    assert message(bureau).startswith("study.yaml:3: this is not YAML: ")


def test_an_empty_file_is_told_what_it_lacks(bureau):
    said = message(bureau.write("# nothing yet\n")).splitlines()
    assert said == [f"study.yaml:1: {name!r} is missing" for name in ("tasks", "methods", "seeds")]


def test_all_mistakes_are_shown_at_once_in_the_order_of_the_file(bureau):
    bureau.replace("./base", "./bass").replace("fake.trainer", "lorra").replace("nll]", "nl]")
    assert [line.split(": ")[0] for line in message(bureau).splitlines()] == [
        "study.yaml:4",
        "study.yaml:15",
    ]


def test_numbers_are_read_as_people_write_them(bureau):
    bureau.replace("epochs: 2", "epochs: 2, learning_rate: 1e-3, weight_decay: .5, clip: 1")
    training = bureau.read().training
    assert (training["learning_rate"], training["weight_decay"], training["clip"]) == (1e-3, 0.5, 1)


def test_yes_and_no_are_words_and_keys_are_the_text_that_stands_there(bureau):
    bureau.replace("{0: bad, 1: good}", "{no: no, 1.0: yes}")
    assert bureau.read().tasks[0].options["labels"] == {"no": "no", "1.0": "yes"}


def test_a_file_that_is_nested_without_end_is_refused(bureau):
    bureau.write("name: &a [*a]\n")
    assert message(bureau) == "study.yaml:1: nested too deeply"


def test_values_from_the_command_line_replace_those_of_the_file(bureau):
    study = bureau.read("seeds=1", "methods.tuned.rank=4", "training.learning_rate=1e-2")
    assert study.seeds == (0,)
    method, training = study.methods[2].settled()
    assert (method.rank, training["learning_rate"]) == (4, 0.01)
    assert "unknown key 'sedes'" in message(bureau, "sedes=1")
    assert "write key=value" in message(bureau, "seeds")


def test_a_tuned_study_keeps_the_tuning_seed_for_tuning(bureau):
    bureau.replace("method: fake.trainer", "method: fake.trainer, tune: {rank: [2, 4]}")
    bureau.replace("seeds: 2", "seeds: [7]\ntuning: {seed: 7}")
    assert message(bureau) == ("study.yaml:17: seed 7 is the tuning seed: a trial must not use it")


def test_a_study_without_a_model_needs_methods_without_one(bureau):
    bureau.replace("models:\n  tiny: {source: ./base, why: It is small.}\n", "")
    assert message(bureau) == "study.yaml:1: 'models' is missing: asked asks a language model"


def test_a_paper_needs_a_reason_for_each_choice_and_a_run_does_not(bureau):
    bureau.replace(", why: It is small.", "").replace(", why: To ask.", "")
    with pytest.raises(StudyError) as error:
        bureau.read().need_reasons()
    assert str(error.value).splitlines() == [
        "study.yaml:4: models.tiny has no `why:`, and a paper must say why it was chosen",
        "study.yaml:14: methods.asked has no `why:`, and a paper must say why it was chosen",
    ]


def test_a_study_is_found_by_folder_file_and_name(bureau, tmp_path, monkeypatch):
    bureau.read()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    bureau.folder.rename(tmp_path / "studies" / "little")
    file = (tmp_path / "studies" / "little" / "study.yaml").resolve()
    for said in ("little", "studies/little", "studies/little/study.yaml"):
        assert find_study(said) == file
    with pytest.raises(StudyError, match=r"no study 'litle'\. Did you mean 'little'\?"):
        find_study("litle")


def test_an_unknown_primary_metric_is_noted_once_at_its_line(bureau):
    bureau.replace("seeds: 2\n", "seeds: 2\nprimary: acuracy\n")
    said = message(bureau).splitlines()
    assert said == ["study.yaml:18: no metric 'acuracy' in this study. Did you mean 'accuracy'?"]
