"""A small study for the paper: artifacts through the real store, with hostile text among them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smalltune.analysis.results import Results, read
from smalltune.core.job import Job, Plan, Search, Trial
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.metrics import Gold
from smalltune.paper.build import PaperReport, build
from smalltune.paper.view import (
    ContrastView,
    MethodView,
    MetricView,
    ModelView,
    PublishedView,
    StudyView,
    TaskView,
)

LABELS = ("negative", "positive")
COUNTED: dict[str, Any] = {
    "dropped": {"train rows repeated in dev": 3, "part of a dev sentence": 41},
    "near": {"method": "MinHash of word trigrams", "threshold": 0.8},
    "across": {
        "train-dev": {"exact": 0, "near": 5},
        "train-test": {"exact": 2, "near": 7},
        "dev-test": {"exact": 1, "near": 0},
    },
    "notes": ["The label 2 occurs nowhere & is listed."],
}
"""What newer artifacts of `prepare` count besides rows, labels and words."""
METRICS = ("accuracy", "macro_f1", "nll")
WRITTEN = ("token_f1", "exact_match", "length_ratio")
ITEMS = 80
SEEDS = range(6)
HOSTILE = (
    r"\input{/etc/passwd} costs 100% of my_money & more #1 $x^2$ {~} \end{document}",
    "An emoji \N{GRINNING FACE}, Hebrew \u05e9\u05dc\u05d5\u05dd, Arabic \u0633\u0644\u0627\u0645, "
    "and a trick \u202egnirts\u202c with \x07 and <b>tags</b> -- `quoted'' ?`!`",
    "Averyverylongword" * 30 + " \u05e9" * 5 + "\u05e9" * 60,
)
MADE = {
    "seconds": 12.5,
    "cpu_seconds": 20.25,
    "peak_memory_bytes": 512_000_000,
    "phases": {"train": 10.0, "predict": 0.5},
    "device": "cpu",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
    "machine": {
        "cpu": "Some_CPU 100%",
        "cores": 2,
        "memory_bytes": 24e9,
        "platform": "Linux-6.1-x86_64-with-glibc2.36",
    },
    "energy": {"joules": 100.0, "source": "estimate"},
}


class Shelf:
    """A store that is filled by hand, and the plan record that goes with it."""

    def __init__(self, root: Path, *, counted: bool = True, notes: Sequence[str] = ()):
        self.store, self.counted, self.notes = Store(root), counted, notes
        self.trials: list[Trial] = []
        self.searches: list[Search] = []
        self.gold = {s: [(i * 7 + len(s)) % 2 for i in range(ITEMS)] for s in ("dev", "test")}

    def put(self, job: Job, files: Mapping[str, Any], made: Mapping[str, Any] = MADE) -> Job:
        if not self.store.known(job.key):
            folder = self.store.work(job)
            for name, value in files.items():
                lines = value if name.endswith(".jsonl") else [value]
                text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                (folder / name).write_text(text, encoding="utf-8")
            self.store.commit(job, made)
        return job

    def data(self) -> Job:
        files: dict[str, Any] = {}
        facts: dict[str, Any] = {"splits": {}, **(COUNTED if self.counted else {})}
        facts.setdefault("dropped", {"train rows repeated in dev": 3})
        facts |= {"notes": list(self.notes)} if self.notes else {}
        for split in ("train", "dev", "test"):
            gold = self.gold.get(split, self.gold["dev"])
            files[f"{split}.jsonl"] = [
                {"id": f"{split}-{i}", "fields": {"text": text(i)}, "label": LABELS[g]}
                for i, g in enumerate(gold)
            ]
            labels = {LABELS[k]: gold.count(k) for k in (0, 1)}
            facts["splits"][split] = {
                "rows": len(gold), "labels": labels, "words_mean": 12.34, "words_max": 40,
            }  # fmt: skip
            if self.counted:
                facts["splits"][split]["duplicates"] = {"exact": 4, "near": 6}
        return self.put(Job("prepare", 1, {"task": "reviews"}), files | {"facts.json": facts})

    def tokens(self, data: Job) -> Job:
        """Return what a tokeniser made of the rows; lengths are counted by newer artifacts only."""
        facts = {}
        for split in ("train", "dev", "test"):
            facts[split] = {"rows": ITEMS, "tokens": 1200, "longest": 64, "truncated": 8}
            if self.counted:
                lengths = {"edges": [0, 10, 20, 40, 91], "counts": [10, 40, 22, 8]}
                facts[split] |= {"mean": 19.5, "lengths": lengths}
        return self.put(
            Job("tokens", 1, {"max_length": 64}, {"data": data}), {"facts.json": {"splits": facts}}
        )

    def add(
        self,
        method: str,
        seed: int | None,
        skill: float,
        model: str = "-",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a trial that is right on a share `skill` of the items; 2 always says `positive`."""
        data, inputs = self.data(), {}
        if model != "-":
            spec = {"method": {"name": method, "options": options or {}}, "seed": seed}
            inner = {"data": data, "tokens": self.tokens(data)}
            inputs["weights"] = Job("train", 1, spec, inner)
            sizes = {"trainable_parameters": 1234, "total_parameters": 2_345_678, "steps": 9}
            log = [{"step": s, "loss": 1 / s, "learning_rate": 0.001} for s in range(1, 10)]
            self.put(inputs["weights"], {"facts.json": sizes, "log.jsonl": log})
        scores = {}
        rng = np.random.default_rng([int(100 * skill), seed or 0])
        for split, gold in self.gold.items():
            right = rng.random(ITEMS) < skill
            sure = 0.55 + 0.4 * rng.random(ITEMS)
            p = np.where(right, sure, 1 - sure)
            ones = np.where(np.array(gold) == 1, p, 1 - p) if skill <= 1 else sure
            spec = {"method": {"name": method, "options": options or {}}}
            spec |= {"seed": seed, "split": split}
            predict = Job("predict" if inputs else "classify", 1, spec, {"data": data, **inputs})
            versions = {m: load("smalltune.metrics", m).version for m in METRICS}
            inner = {"data": data, "predictions": predict}
            scores[split] = Job("score", 1, {"split": split, "metrics": versions}, inner)
            self._answers(predict, scores[split], np.log(np.stack([1 - ones, ones], axis=1)))
        self.trials.append(Trial(model, method, "reviews", seed, scores))

    def search(
        self, method: str, tried: Mapping[float, float], *, trials: int = 0, edge: str = ""
    ) -> None:
        """Add a search that is done: learning rates and their accuracy on dev."""
        data, scores = self.data(), {}
        for place, (rate, value) in enumerate(tried.items()):
            spec = {"method": {"name": method}, "seed": 77, "rate": rate}
            train = Job("train", 1, spec, {"data": data})
            predict = Job("predict", 1, spec, {"data": data, "weights": train})
            asked = {"metrics": {"accuracy": load("smalltune.metrics", "accuracy").version}}
            scores[str(place)] = Job("score", 1, asked, {"data": data, "predictions": predict})
            self.put(train, {"facts.json": {"steps": 9, "tokens": 900_000}})
            self.put(predict, {"facts.json": {}})
            lines = [
                {"id": f"dev-{i}", "gold": "", "predicted": "",
                 "stats": {"accuracy": [float(i < 100 * value)]}}
                for i in range(100)
            ]  # fmt: skip
            facts = {"values": {"accuracy": value}}
            self.put(scores[str(place)], {"facts.json": facts, "scores.jsonl": lines})
        options = [{"learning_rate": rate, "rank": 4} for rate in tried]
        spec = {"metric": "accuracy", "better": "higher", "candidates": options}
        best = max(range(len(tried)), key=list(tried.values()).__getitem__)
        select = self.put(Job("select", 1, spec, scores), {"choice.json": {"index": best}})
        self.searches.append(
            Search(
                "micro", method, "reviews", 77, select, trials or len(tried), 2, "learning_rate",
                edge,
            )
        )  # fmt: skip

    def write(self, method: str, seed: int | None, texts: Sequence[str], model: str) -> None:
        """Add a trial that writes these texts on test of the task `stories`; "" is no answer."""
        rows = [
            {"id": f"test-{i}", "label": "", "fields": {"text": text(i) + " It rained." * i},
             "references": [f"Review {i}, 100% bad_.", "It rained."]}
            for i in range(len(texts))
        ]  # fmt: skip
        split = {
            "rows": len(rows), "labels": {"": len(rows)}, "words_mean": 9.5, "words_max": 40,
            "references": 2 * len(rows), "reference_words_mean": 3.0,
        }  # fmt: skip
        facts = {"splits": dict.fromkeys(("train", "dev", "test"), split)}
        data = self.put(
            Job("prepare", 1, {"task": "stories"}), {"test.jsonl": rows, "facts.json": facts}
        )
        spec = {"method": {"name": method}, "seed": seed, "split": "test", "texts": list(texts)}
        predict = Job("predict", 1, spec, {"data": data})
        said = [
            {"id": row["id"], "text": one, "ended": bool(one), "predicted": one or None}
            for row, one in zip(rows, texts, strict=True)
        ]
        files = {"predictions.jsonl": said, "labels.json": {"names": []}, "facts.json": {}}
        self.put(predict, files)
        kinds = {name: load("smalltune.metrics", name) for name in WRITTEN}
        gold = [Gold(row["id"], tuple(row["references"])) for row in rows]
        stats = {name: kind.items(list(texts), gold) for name, kind in kinds.items()}
        versions = {name: kind.version for name, kind in kinds.items()}
        inner = {"data": data, "predictions": predict}
        score = Job("score", 1, {"split": "test", "metrics": versions}, inner)
        lines = [
            {"id": row["id"], "gold": row["references"][0], "predicted": one,
             "stats": {name: stats[name][i].tolist() for name in WRITTEN}}
            for i, (row, one) in enumerate(zip(rows, texts, strict=True))
        ]  # fmt: skip
        signed = {"split": "test", "signatures": {"token_f1": "words|version:1_1"}}
        self.put(score, {"scores.jsonl": lines, "facts.json": signed})
        self.trials.append(Trial(model, method, "stories", seed, {"test": score}))

    def _answers(self, predict: Job, score: Job, log_probs: Any) -> None:
        split = score.spec["split"]
        gold, said = self.gold[split], log_probs.argmax(axis=1)
        ids = [f"{split}-{i}" for i in range(ITEMS)]
        self.put(
            predict,
            {
                "predictions.jsonl": [
                    {"id": i, "log_probs": row.tolist(), "predicted": LABELS[k]}
                    for i, row, k in zip(ids, log_probs, said, strict=True)
                ],
                "labels.json": {"names": LABELS},
                "facts.json": {"examples": ITEMS},
            },
        )
        stats = {m: load("smalltune.metrics", m).items(gold, log_probs, LABELS) for m in METRICS}
        rows = [
            {
                "id": i,
                "gold": LABELS[gold[at]],
                "predicted": LABELS[said[at]],
                "stats": {m: stats[m][at].tolist() for m in METRICS},
            }
            for at, i in enumerate(ids)
        ]
        self.put(score, {"scores.jsonl": rows, "facts.json": {"split": split}})

    def results(self, metrics: Sequence[str] = METRICS) -> Results:
        record = Plan("tiny", tuple(self.trials), tuple(self.searches)).record()
        record["analysis"] = {
            "primary": "accuracy",
            "metrics": list(metrics),
            "contrasts": [{"a": "lora", "b": "full"}],
        }
        self.store.write_plan(record)
        return read(self.store, record)


def text(place: int) -> str:
    """Return an item's text; every fourth is hostile."""
    if place % 4 == 0:
        return HOSTILE[place // 4 % len(HOSTILE)]
    return f"A plain review number {place}, not bad at all."


def study(folder: Path) -> StudyView:
    """Return the view that goes with the shelf's trials."""
    shared = {"learning_rate": 0.0005, "epochs": 3, "batch_size": 16, "schedule": "linear"}
    many = {"trains": True, "uses_model": True, "uses_rows": True, "training": shared}
    return StudyView(
        name="tiny",
        title="A tiny study of 100% & \\input{/etc/passwd}",
        questions=("Is LoRA as good as full fine-tuning?",),
        models=(
            ModelView(
                "micro", "micro-llama", "embedded:micro", why="It is small_ & ours.",
                digest="ab" * 32, link="https://example.org/a_b%20c#d", licence="Apache-2.0",
                facts={"parameters": 2_345_678, "embedding_parameters": 345_678, "layers": 4},
            ),
        ),
        tasks=(
            TaskView(
                "reviews", "Reviews", "classification", why="Everybody knows reviews; 50% are bad.",
                prompt="Review: {text}\nSentiment:", labels={"0": "negative", "1": "positive"},
                digests={"train": "cd" * 32}, cite=("socher2013sst",), link="data/x_y.jsonl",
                language="English",
            ),
        ),
        methods=(
            MethodView("majority", "majority", "Majority", why="The floor.", uses_rows=True),
            MethodView("full", "full", "Full fine-tuning", why="The reference.", **many),
            MethodView(
                "lora", "lora", "LoRA", why="Cheap.", options={"rank": 8, "target": "all-linear"},
                cite=("hu2022lora", "unknown2000"), **many,
            ),
        ),
        seeds=tuple(SEEDS),
        contrasts=(ContrastView("lora", "full", "accuracy"),),
        metrics=(
            MetricView("accuracy", "Accuracy", True, "higher"),
            MetricView("macro_f1", "Macro-F1", True, "higher"),
            MetricView("nll", "Negative log-likelihood", False, "lower"),
        ),
        primary="accuracy",
        published=(
            PublishedView(
                "reviews", "BERT-Tiny", "accuracy", 83.2, "GLUE's test split", "turc2019compact",
                "all rows & 4 million parameters",
            ),
        ),
        folder=folder,
        text=folder / "text",
        version="0.1.0",
    )  # fmt: skip


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return results in which LoRA is reliably better than full fine-tuning."""
    return made(tmp_path_factory.mktemp("store"), lora=0.9, full=0.7)


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    """Return the function that fills a store: `make_results(root, lora=0.9, full=0.7)`."""
    return made


@pytest.fixture(scope="session")
def make_view() -> Callable[[Path], StudyView]:
    """Return the function that makes the view of a study in a folder."""
    return study


@pytest.fixture
def view(tmp_path: Path) -> StudyView:
    """Return the study's view with an empty text folder."""
    (tmp_path / "study" / "text").mkdir(parents=True)
    return study(tmp_path / "study")


@pytest.fixture(scope="session")
def built(results: Results, tmp_path_factory: pytest.TempPathFactory) -> PaperReport:
    """Return the report of a paper that was built once, without a text by the author."""
    folder = tmp_path_factory.mktemp("built")
    return build(study(folder), results, folder / "paper")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return an empty store to fill by hand."""
    return Shelf(tmp_path / "shelf")


def made(
    root: Path,
    *,
    lora: float,
    full: float,
    seeds: Sequence[int] = SEEDS,
    counted: bool = True,
    notes: Sequence[str] = (),
) -> Results:
    """Return the results of a store in which the methods have these skills."""
    shelf = Shelf(root, counted=counted, notes=notes)
    shelf.add("majority", None, 0.5)
    for seed in seeds:
        shelf.add("full", seed, full, "micro")
        shelf.add("lora", seed, lora, "micro")
    return shelf.results()
