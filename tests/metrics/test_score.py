"""The score stage hands each metric what it judges, from the two files of a trial."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metrics.made import METRICS, log_probs, value

from smalltune.core.errors import EngineError
from smalltune.measures import calibration
from smalltune.metrics import Gold
from smalltune.stages.bench import Bench, Inputs
from smalltune.stages.score import score

NAMES = ["no", "yes"]


class Trial:
    """Folders of data and predictions, and the call of the stage."""

    def __init__(self, root: Path):
        self.root = root
        self.inputs: dict[str, Path] = {"data": root / "data"}

    def add(
        self, kind: str, rows: list[Any], said: list[Any], names: list[str], split: str = "test"
    ) -> "Trial":
        """Write the rows of a split and, as the input `kind`, what was predicted for them."""
        for i, (row, one) in enumerate(zip(rows, said, strict=True)):
            row |= {"id": f"{split}-{i}", "fields": {"text": "a text"} | row.get("fields", {})}
            row.setdefault("label", "")
            one["id"] = row["id"]
        folder = self.inputs[kind] = self.root / kind
        for path, lines in (
            (self.inputs["data"] / f"{split}.jsonl", rows), (folder / "predictions.jsonl", said),
        ):  # fmt: skip
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "labels.json").write_text(json.dumps({"names": names}))
        return self

    def score(self, *metrics: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the lines of scores.jsonl and the facts."""
        out = self.root / "out"
        out.mkdir(exist_ok=True)
        score({"split": "test", "metrics": dict.fromkeys(metrics, 1)}, Inputs(self.inputs), out,
              Bench())  # fmt: skip
        lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
        return lines, json.loads((out / "facts.json").read_text())


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def weighed(scores: np.ndarray) -> list[dict[str, Any]]:
    return [{"log_probs": r.tolist(), "predicted": NAMES[int(r.argmax())]} for r in scores]


def labelled(gold: list[int]) -> list[dict[str, Any]]:
    return [{"label": NAMES[label]} for label in gold]


def written(*texts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"text": t, "ended": True, "log_prob": -1.0, "predicted": t or None} | more
            for t in texts]  # fmt: skip


def test_weighed_labels_are_judged_by_their_weights(trial):
    gold, scores = [0, 1, 1], log_probs([0, 1, 0], 2)
    trial.add("predictions", labelled(gold), weighed(scores), NAMES)
    lines, facts = trial.score("accuracy", "nll", "ece", "invalid_rate")
    assert facts["values"]["accuracy"] == pytest.approx(2 / 3)
    assert facts["values"]["nll"] == pytest.approx(value("nll", gold, scores, NAMES))
    assert facts["values"]["invalid_rate"] == 0
    assert lines[1] == {
        "id": "test-1", "gold": "yes", "predicted": "yes",
        "stats": {name: lines[1]["stats"][name] for name in facts["metrics"]},
    }  # fmt: skip
    assert "signatures" not in facts


def test_a_written_label_counts_as_that_label_and_any_other_text_as_wrong(trial):
    said = [
        {"text": "yes", "predicted": "yes"}, {"text": "no.", "predicted": "no"},
        {"text": "maybe", "predicted": None}, {"text": "", "predicted": None},
    ]  # fmt: skip
    trial.add("predictions", labelled([1, 1, 0, 0]), said, NAMES)
    lines, facts = trial.score("accuracy", "macro_f1", "matthews", "invalid_rate")
    assert facts["values"]["accuracy"] == pytest.approx(1 / 4)
    assert facts["values"]["invalid_rate"] == pytest.approx(2 / 4)
    assert facts["values"]["macro_f1"] == pytest.approx((0 + 2 / 3) / 2)
    assert [line["predicted"] for line in lines] == ["yes", "no", "", ""]
    assert [line["stats"]["accuracy"] for line in lines] == [[1.0], [0.0], [0.0], [0.0]]


def test_the_answer_is_judged_by_what_was_predicted_and_its_weights_by_themselves(trial):
    """A task may compare labels by another measure than their probability, as by length."""
    scores = log_probs([0, 1, 0], 2)
    said = weighed(scores)
    said[0]["predicted"] = NAMES[1]
    trial.add("predictions", labelled([1, 1, 1]), said, NAMES)
    lines, facts = trial.score("accuracy", "macro_f1", "matthews", "micro_f1", "nll")
    assert [facts["values"][name] for name in ("accuracy", "micro_f1")] == pytest.approx(
        [2 / 3] * 2
    )
    assert [line["stats"]["accuracy"] for line in lines] == [[1.0], [1.0], [0.0]]
    assert facts["values"]["nll"] == pytest.approx(value("nll", [1, 1, 1], scores, NAMES))


def test_written_labels_have_no_probability_and_their_ends_are_counted(trial):
    said = [
        {"text": "yes", "ended": True, "predicted": "yes"},
        {"text": "maybe", "ended": False, "predicted": None},
    ]
    trial.add("predictions", labelled([0, 1]), said, NAMES)
    _, facts = trial.score("accuracy", "nll", "brier", "ece", "invalid_rate", "unended_rate")
    assert facts["values"] == {
        "accuracy": 0, "nll": pytest.approx(math.nan, nan_ok=True), "invalid_rate": 0.5,
        "brier": pytest.approx(math.nan, nan_ok=True), "unended_rate": 0.5,
        "ece": pytest.approx(math.nan, nan_ok=True),
    }  # fmt: skip


def test_labels_that_were_weighed_have_no_ends_to_count(trial):
    trial.add("predictions", labelled([0]), weighed(log_probs([0], 2)), NAMES)
    with pytest.raises(EngineError, match="do not say whether they ended"):
        trial.score("unended_rate")


def test_broken_numbers_are_no_answer(trial):
    said = weighed(log_probs([0, 1], 2))
    said[1]["log_probs"] = [math.nan, math.nan]
    trial.add("predictions", labelled([0, 0]), said, NAMES)
    _, facts = trial.score("accuracy", "invalid_rate", "nll")
    assert math.isnan(facts["values"].pop("nll"))
    assert facts["values"] == {"accuracy": 0.5, "invalid_rate": 0.5}


def test_texts_are_judged_by_their_references_and_their_sources(trial):
    rows = [
        {"references": ["Cocum is cheap.", "Cheap: Cocum."], "fields": {"mr": "name[Cocum]"}},
        {"references": ["The Mill by the river."], "fields": {"mr": "name[The Mill]"}},
    ]
    texts = ["Cheap: Cocum.", ""]
    trial.add("predictions", rows, written(*texts), [])
    names = [name for name, metric in METRICS.items() if metric.judges == "texts"]
    lines, facts = trial.score(*names, "invalid_rate")
    gold = [
        Gold("a", ("Cocum is cheap.", "Cheap: Cocum."), "", {"mr": "name[Cocum]"}),
        Gold("b", ("The Mill by the river.",), "", {"mr": "name[The Mill]"}),
    ]
    for name in names:
        assert facts["values"][name] == pytest.approx(value(name, texts, gold), nan_ok=True)
    assert facts["values"]["exact_match"] == facts["values"]["invalid_rate"] == 0.5
    assert facts["values"]["slot_error_rate"] == 0.5
    assert [line["gold"] for line in lines] == ["Cocum is cheap.", "The Mill by the river."]
    assert [line["predicted"] for line in lines] == ["Cheap: Cocum.", ""]
    assert set(facts["signatures"]) == {"bleu", "chrf", "rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert facts["signatures"]["bleu"].startswith("nrefs:var|")


def test_likelihoods_are_of_the_first_reference_or_of_the_whole_source(trial):
    rows = [{"references": ["Ja, größer", "nein"]}, {"fields": {"text": "twelve bytes"}}]
    said = [{"log_probs": [-14.0], "tokens": 7, "predicted": ""},
            {"log_probs": [-6.0], "tokens": 3, "predicted": ""}]  # fmt: skip
    trial.add("predictions", rows, said, [])
    lines, facts = trial.score("bits_per_byte", "perplexity", "invalid_rate")
    assert facts["values"]["bits_per_byte"] == pytest.approx(20 / math.log(2) / (12 + 12))
    assert facts["values"]["perplexity"] == pytest.approx(math.exp(2))
    assert facts["values"]["invalid_rate"] == 0
    assert [line["stats"]["perplexity"] for line in lines] == [[14.0, 7.0], [6.0, 3.0]]


def test_the_temperature_is_fitted_on_dev_and_never_on_test(trial):
    rng = np.random.default_rng(0)
    gold, dev = rng.integers(0, 2, 60).tolist(), rng.integers(0, 2, 80).tolist()
    scores, before = (calibration.scaled(rng.normal(size=(n, 2)), 0.2) for n in (60, 80))
    trial.add("predictions", labelled(gold), weighed(scores), NAMES)
    with pytest.raises(EngineError, match="no predictions of dev"):
        trial.score("ece_scaled")
    trial.add("dev", labelled(dev), weighed(before), NAMES, split="dev")
    _, facts = trial.score("ece", "ece_scaled")
    degree = calibration.temperature(dev, before, 2)
    expected = value("ece", gold, calibration.scaled(scores, degree), NAMES)
    assert facts["values"]["ece_scaled"] == pytest.approx(expected)
    assert facts["values"]["ece_scaled"] < facts["values"]["ece"]


def test_predictions_of_other_items_are_an_error(trial):
    trial.add("predictions", labelled([0, 1]), weighed(log_probs([0, 1], 2)), NAMES)
    path = trial.inputs["predictions"] / "predictions.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    with pytest.raises(EngineError, match="not about the same items"):
        trial.score("accuracy")
