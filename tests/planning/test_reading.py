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


def test_methods_of_one_plug_in_have_titles_that_tell_them_apart(bureau):
    bureau.text = (
        bureau.text[: bureau.text.index("methods:")]
        + """methods:
  few_shot: {why: a}
  calibrated: {method: few_shot, calibrated: true, why: b}
  eight: {method: few_shot, title: Eight shots, shots: 8, why: c}
  small: {method: lora, rank: 2, why: d}
  large: {method: lora, rank: 32, why: e}
  lora: {why: f}
seeds: 2
"""
    )
    titles = [method.said.title for method in bureau.read().methods]
    assert titles == [
        "Few-shot", "Few-shot (calibrated)", "Eight shots", "LoRA (small)", "LoRA (large)", "LoRA",
    ]  # fmt: skip


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


FILES = "files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}"


def test_a_named_task_takes_its_first_hub_id_unless_files_or_a_source_are_given(bureau):
    bureau.replace("  own:", "  sst2:\n  own:")
    task = bureau.read().tasks[0]
    assert (task.source, task.hub, task.config) == (
        "hub:stanfordnlp/sst2",
        "stanfordnlp/sst2",
        None,
    )
    assert task.splits == {"train": "train", "test": "validation"} and not task.files
    bureau.replace("  sst2:\n", "  sst2: {source: nyu-mll/glue, revision: v1}\n")
    task = bureau.read().tasks[0]
    assert (task.hub, task.config, task.revision) == ("nyu-mll/glue", "sst2", "v1")
    bureau.replace("{source: nyu-mll/glue, revision: v1}", "{" + FILES + "}")
    task = bureau.read().tasks[0]
    assert (task.hub, task.splits, set(task.files)) == (None, {}, {"train", "dev", "test"})


def test_a_table_of_ones_own_may_lie_on_the_hub_and_files_win_by_role(bureau):
    bureau.replace(FILES, "source: some/data")
    task = bureau.read().tasks[0]
    assert task.splits == {"train": "train", "test": "test"}
    assert task.perhaps == {"dev": "validation"}
    bureau.replace("source: some/data", "source: some/data\n    files: {test: data/test.csv}")
    task = bureau.read().tasks[0]
    assert (task.splits, task.files) == ({"train": "train"}, {"test": ("data/test.csv",)})


def test_free_text_of_the_hub_is_its_train_split(bureau):
    bureau.write(
        """\
        models: {tiny: {source: ./base}}
        tasks:
          prose: {kind: language_modelling, source: some/text, config: old}
        methods:
          asked: {method: fake.asker}
        seeds: 1
        """
    )
    task = bureau.read().tasks[0]
    assert (task.splits, task.perhaps, task.config) == ({"text": "train"}, {}, "old")


def test_the_files_of_a_folder_are_found_by_the_names_of_their_splits(bureau):
    folder = bureau.folder / "copy"
    (folder / "plain" / "deeper").mkdir(parents=True)
    (folder / "data").mkdir()
    for name in ("plain/train-00000-of-00002.csv", "plain/train-00001-of-00002.csv",
                 "plain/validation.csv.gz", "data/test.jsonl"):  # fmt: skip
        (folder / name).write_text("text,label\n")
    bureau.replace(FILES, "source: ./copy/\n    config: plain")
    assert bureau.read().tasks[0].files == {
        "train": ("./copy/plain/train-00000-of-00002.csv", "./copy/plain/train-00001-of-00002.csv"),
        "dev": ("./copy/plain/validation.csv.gz",),
        "test": ("./copy/data/test.jsonl",),
    }


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "source: someplace",
            "study.yaml:8: no data 'someplace': a hub id is owner/name, a folder begins with "
            "./ or /",
        ),
        ("source: ./dta", "study.yaml:8: no folder './dta'"),
        (
            "source: ./data\n    splits: {train: train, test: tset}",
            "study.yaml:8: no file of the split 'tset' (such as tset.parquet). Did you mean "
            "'test'? Looked in './data'",
        ),
        (
            "source: a/b\n    splits: {train: train, tset: test}",
            "study.yaml:9: no role 'tset'. Did you mean 'test'?\n"
            "study.yaml:9: tasks.own.splits names no 'test' split",
        ),
        (
            "source: ./data\n    revision: v1",
            "study.yaml:9: a revision is one of the hub, and the source is a folder",
        ),
        (
            FILES + "\n    config: sst2",
            "study.yaml:9: 'config' says what is meant of a `source:`, and there is none",
        ),
        ("source: 3", "study.yaml:8: tasks.own.source must be text, not 3"),
    ],
)
def test_a_source_that_cannot_be_meant_is_named_with_its_line(bureau, entry, said):
    assert message(bureau.replace(FILES, entry)) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["test.csv", "test.parquet"], "both test.csv and test.parquet: name the right one"),
        (["test-00000-of-00002.csv"], "1 of 2 parts of test in"),
    ],
)
def test_files_that_are_not_one_split_are_refused(bureau, names, said):
    folder = bureau.folder / "copy"
    folder.mkdir()
    for name in ("train.csv", *names):
        (folder / name).write_text("text,label\n")
    assert said in message(bureau.replace(FILES, "source: ./copy"))
