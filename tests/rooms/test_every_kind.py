"""Each kind of task from its files to its scores, through the real stages on a tiny model."""

import json
import math

import pytest
from rooms.tables import table

from smalltune.core.errors import StudyError
from smalltune.core.job import Job
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.data.labels import written_label
from smalltune.data.splits import Row
from smalltune.engine.options import Training
from smalltune.models.loading import load_tokeniser
from smalltune.stages import Bench, execute

COUNT = 24
NUMBERS = range(COUNT)
KINDS = {
    "classification": (
        {"text": "t", "label": "y", "labels": {"0": "bad", "1": "good"}},
        [{"t": f"a text of number {n}", "y": n % 2} for n in NUMBERS],
    ),
    "generation": (
        {"text": "t", "reference": "s", "longest": 8, "beams": 2, "stop": "line"},
        [{"t": f"some facts of number {n}", "s": [f"said {n}", f"or {n}"]} for n in NUMBERS],
    ),
    "multiple_choice": (
        {"text": "q", "choices": "c", "answer": "a"},
        [{"q": f"question {n}?", "c": ["one", "two", "more"], "a": n % 3} for n in NUMBERS],
    ),
    "instructions": (
        {"longest": 16},
        [{"prompt": f"Say the number {n}.", "completion": f"It is {n}."} for n in NUMBERS],
    ),
    "language_modelling": ({}, [{"text": f"a document of number {n}"} for n in NUMBERS]),
}
METHOD = {"name": "full", "version": 1, "options": {}}


class Trial:
    """The jobs of one trial, run one after the other in one store."""

    def __init__(self, folder, model, kind, options, rows):
        task = load("smalltune.tasks", kind)(**options)
        parts = {"train": rows[:16], "dev": rows[16:20], "test": rows[20:]}
        files = {name: table(folder / f"{name}.jsonl", part) for name, part in parts.items()}
        self.task, self.kind, self.folder = task, kind, model
        self.store, self.bench = Store(folder / "store"), Bench(device="cpu")
        digests = {role: [file_digest(path)] for role, path in files.items()}
        sources = {f"{role}/0": str(path) for role, path in files.items()}
        spec = {"task": self._asked(task.data_options()), "files": digests}
        self.data = self._run("prepare", spec, {}, sources)
        spec = {
            "task": self._asked(task.prompt_options()),
            "chat": False,
            "tokeniser": "its digest",
        }
        self.tokens = self._run("tokens", spec | {"max_length": 64}, {"data": self.data})
        self.base = {"model": "digest", "method": METHOD, "task": kind, "dtype": "float32"}

    def _asked(self, options):
        return {"kind": self.kind, "version": self.task.version, "options": options}

    def _run(self, stage, spec, inputs, sources=None):
        job = Job(stage, 1, spec, inputs, sources or {"model": f"path:{self.folder}"})
        execute(job, self.store, self.bench)
        return job

    def train(self, **training):
        values = {**vars(Training()), "steps": 8, "batch_size": 8, **training}
        spec = {**self.base, "training": values, "limit": 12, "seed": 0}
        return self._run("train", spec, {"tokens": self.tokens})

    def predict(self, weights):
        spec = {**self.base, "split": "test", "seed": 0}
        if decoding := self.task.decoding_options():
            spec |= {"decoding": decoding, "tokeniser": "its digest"}
        inputs = {"data": self.data, "tokens": self.tokens, "weights": weights}
        return self._run("predict", spec, inputs)

    def score(self, predictions, metrics=None):
        names = metrics or self.task.metrics
        versions = {m: load("smalltune.metrics", m).version for m in names}
        inputs = {"data": self.data, "predictions": predictions}
        return self._run("score", {"split": "test", "metrics": versions}, inputs)

    def lines(self, job, name):
        return [json.loads(line) for line in (self.store.path(job.key) / name).open()]


def test_labels_can_be_written_and_what_is_none_is_invalid(tmp_path, tiny_folder, monkeypatch):
    from smalltune.engine import generation

    options, rows = KINDS["classification"]
    trial = Trial(tmp_path, tiny_folder, "classification", options | {"answered": "written"}, rows)
    weights = trial.train()
    found = trial.lines(trial.predict(weights), "predictions.jsonl")
    assert [set(row) for row in found] == [{"id", "text", "ended", "log_prob", "predicted"}] * 4
    for row in found:
        assert row["predicted"] == written_label(row["text"], ["bad", "good"])
    tokeniser = trial.bench.tokeniser(f"path:{tiny_folder}", "its digest")
    texts = iter([" Good!", " goodness", "\n\nbad, in all", " not good"])

    def generate(model, prompts, decoding, ends):
        ids = [tokeniser.encode(text, add_special_tokens=False) for text in texts]
        return [generation.Generated(tuple(each), False, -1.0) for each in ids]

    monkeypatch.setattr(generation, "generate", generate)
    trial.store, trial.base = Store(tmp_path / "other"), trial.base
    for job in (trial.data, trial.tokens, weights):
        execute(job, trial.store, trial.bench)
    predictions = trial.predict(weights)
    assert [row["predicted"] for row in trial.lines(predictions, "predictions.jsonl")] == [
        "good", None, "bad", None,
    ]  # fmt: skip
    scores = trial.score(predictions, ("accuracy", "invalid_rate", "nll"))
    values = json.loads((trial.store.path(scores.key) / "facts.json").read_text())["values"]
    gold = [row["label"] for row in trial.lines(trial.data, "test.jsonl")]
    right = sum(a == b for a, b in zip(gold, ["good", None, "bad", None], strict=True))
    assert values["accuracy"] == right / 4 and values["invalid_rate"] == 0.5
    assert math.isnan(values["nll"])


def test_the_end_of_a_written_label_is_learned_and_that_of_a_chosen_one_is_not(tiny_folder):
    options, rows = KINDS["classification"]
    tokeniser = load_tokeniser(tiny_folder)
    for how in ("written", "chosen"):
        task = load("smalltune.tasks", "classification")(**options | {"answered": how})
        answers = task.answers(tokeniser, chat=False)
        some = [Row(str(n), {"t": row["t"]}, ("bad", "good")[n % 2]) for n, row in enumerate(rows)]
        read = task.encode(some, tokeniser, length=64, chat=False).segments
        lessons = task.training(read, answers)
        ended = {int(lessons[i][-1]) == tokeniser.eos_token_id for i in range(len(some))}
        assert ended == {how == "written"}
        assert (task.prompt_options().get("answered") == "written") == (how == "written")


def test_written_labels_are_known_by_whole_words_and_must_be_apart():
    words = ["no", "yes", "no idea"]
    assert [written_label(text, words) for text in ("No.", "**YES**", "no idea!", "known", "")] == [
        "no", "yes", "no idea", None, None,
    ]  # fmt: skip
    later = ("yes\n\nNo reason.", "\n yes.\nno", "\nNothing\nyes", "yes no\n")
    assert [written_label(text, words) for text in later] == ["yes", "yes", None, None]
    assert [written_label(text, words) for text in ("yes, yes", "yes no", "Yes. Or no idea?")] == [
        "yes", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said", "label"),
    [
        ("0 1 2", "-1", None),
        ("0 1 2", "-2", None),
        ("0 1 2", "- 1", None),
        ("0 1 2", "1.5", None),
        ("0 1 2", "0.9", None),
        ("0 1 2", ".1", None),
        ("0 1 2", "2,000", None),
        ("0 1 2", "2 000", None),
        ("0 1 2", "1:30", None),
        ("0 1 2", "1/2", None),
        ("0 1 2", "1%", None),
        ("0 1 2", "1.", "1"),
        ("0 1 2", "(2), as", "2"),
        ("1 2 3 4 5", "2.7", None),
        ("1 2 3 4 5", "4: good", "4"),
        ("1 2 3 4 5", "4 (out of 5)", None),
        ("-1 0 1", "-1", "-1"),
        ("-1 0 1", "1", "1"),
        ("C Java", "C++", None),
        ("C Java", "C#", None),
        ("C Java", "C.", "C"),
        ("C C++", "C++, I think", "C++"),
        ("C C++", "C ++", None),
        ("A A-", "A -", None),
        ("0 1", "1 .5", None),
        ("0 1", "1 / 2", None),
        ("0 1", "1 %", None),
        ("0 1", "0 , 5", None),
        ("1 4 5", "4 ½", None),
        ("1 4 5", "4, since two agree", "4"),
        ("no yes", "no ,yes", None),
        ("bad good", "# good", "good"),
        ("bad good", "good - because", "good"),
        ("a+ a-", "A-", "a-"),
        ("yes no", "no-one", None),
        ("yes no", "non-no", None),
        ("yes no", "no-", None),
        ("yes no", "no's", None),
        ("yes no", "yes.no", None),
        ("yes no", "yes/no", None),
        ("yes no", '"No!"', "no"),
        ("spam ham", "spam-free", None),
        ("spam ham", "_spam_", "spam"),
        ("हाँ नहीं", "है", None),
        ("हाँ नहीं", "हाँ।", "हाँ"),
        ("हाँ नहीं", "नहीं, क्योंकि", "नहीं"),
        ("caf\u00e9 bar", "cafe\u0301", "caf\u00e9"),
        ("是 不是", "是。因为", "是"),
        ("是 不是", "是的", None),
    ],
)
def test_a_text_that_only_looks_like_a_label_at_its_start_is_none(words, said, label):
    assert written_label(said, words.split()) == label


@pytest.mark.parametrize(
    "labels", [("Yes", "yes"), (":)", "b"), ("no", "*no*"), ("good", "good."), ("!?", "?")]
)
def test_written_labels_that_are_the_same_or_nothing_to_a_reader_are_refused(labels):
    options = KINDS["classification"][0] | {"labels": dict(enumerate(labels))}
    with pytest.raises(StudyError, match="answered: written tells words apart by letters"):
        load("smalltune.tasks", "classification")(**options | {"answered": "written"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_of_every_kind_trains_predicts_and_is_scored(tmp_path, tiny_folder, kind):
    trial = Trial(tmp_path, tiny_folder, kind, *KINDS[kind])
    weights = trial.train()
    losses = [line["loss"] for line in trial.lines(weights, "log.jsonl") if "loss" in line]
    assert losses and losses[-1] < losses[0]
    predictions = trial.predict(weights)
    rows = trial.lines(predictions, "predictions.jsonl")
    assert [row["id"] for row in rows] == [
        row["id"] for row in trial.lines(trial.data, "test.jsonl")
    ]
    scores = trial.score(predictions)
    facts = json.loads((trial.store.path(scores.key) / "facts.json").read_text())
    assert set(facts["values"]) == set(trial.task.metrics)
    assert all(isinstance(value, float) for value in facts["values"].values())


def test_rows_keep_references_choices_and_groups_and_only_where_there_are(tmp_path, tiny_folder):
    wanted = {
        "classification": {"id", "fields", "label"},
        "generation": {"id", "fields", "label", "references"},
        "multiple_choice": {"id", "fields", "label", "choices"},
    }
    for kind, columns in wanted.items():
        (tmp_path / kind).mkdir()
        trial = Trial(tmp_path / kind, tiny_folder, kind, *KINDS[kind])
        assert {frozenset(row) for row in trial.lines(trial.data, "test.jsonl")} == {
            frozenset(columns)
        }
    options, rows = KINDS["classification"]
    rows = [{**row, "g": f"group {n}"} for n, row in enumerate(rows)]
    (tmp_path / "grouped").mkdir()
    trial = Trial(
        tmp_path / "grouped", tiny_folder, "classification", options | {"group": "g"}, rows
    )
    assert [row["group"] for row in trial.lines(trial.data, "test.jsonl")] == [
        f"group {n}" for n in range(20, 24)
    ]
    facts = json.loads((trial.store.path(trial.data.key) / "facts.json").read_text())
    assert facts["splits"]["train"]["groups"] == 16


def test_options_that_came_later_are_no_part_of_a_key_while_they_are_empty():
    plain = load("smalltune.tasks", "sst2")()
    assert set(plain.data_options()) == {"text", "label", "labels", "id", "dev"}
    assert set(plain.prompt_options()) == {"text", "labels", "prompt"}
    assert plain.decoding_options() == {}
    written = load("smalltune.tasks", "sst2")(answered="written")
    assert written.decoding_options() == {
        "answered": "written", "read": "first line, whole, signs apart", "beyond": 4,
    }  # fmt: skip
    assert written.prompt_options() == plain.prompt_options() | {"answered": "written"}
    grouped = load("smalltune.tasks", "boolq")()
    assert grouped.data_options()["group"] == "passage"
    assert grouped.prompt_options()["uncut"] == ("question",)
