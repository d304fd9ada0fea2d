"""Small studies made by hand: artifacts written through the store's own interface."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smalltune.analysis.results import Results, read
from smalltune.core.job import Job, Plan, Search, Trial
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.metrics import Gold

LABELS = ("bad", "good")
METRICS = ("accuracy", "macro_f1", "nll")
TUNED_ON = 100  # items of dev that a tuning run is judged by


class Made:
    """A study in the making: `add` writes the artifacts of one trial, `results` reads them all."""

    def __init__(self, root: Path):
        self.store, self.trials = Store(root), []
        self.declared: dict[str, Any] = {}
        self.jobs: dict[str, Job] = {}
        self.searches: list[Search] = []

    def data(
        self,
        gold: Mapping[str, Sequence[int]],
        task: str = "reviews",
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> Job:
        """Write the prepared rows of a task: gold labels by split, and what rows belong to."""
        job = Job("prepare", 1, {"task": task, "gold": {s: list(g) for s, g in gold.items()}})
        files: dict[str, Any] = {
            f"{split}.jsonl": [
                {"id": f"{split}-{i}", "fields": {"text": f"text {i}"}, "label": LABELS[g]}
                for i, g in enumerate(labels)
            ]
            for split, labels in gold.items()
        }
        facts: dict[str, dict[str, int]] = {s: {"rows": len(g)} for s, g in gold.items()}
        for split, names in (groups or {}).items():
            facts[split]["groups"] = len({name for name in names if name})
            for row, name in zip(files[f"{split}.jsonl"], names, strict=True):
                row |= {"group": name} if name else {}
        files["facts.json"] = {"splits": facts}
        self.jobs[task] = self.commit(job, files)
        return job

    def add(
        self,
        method: str,
        seed: int | None,
        probs: Mapping[str, Sequence[float]],
        *,
        task: str = "reviews",
        model: str = "micro",
        write: bool = True,
        trains: bool = False,
        **provenance: Any,
    ) -> Trial:
        """Add a trial that gives label 1 these probabilities, by split; unwritten it is a gap."""
        data, inputs = self.jobs[task], {}
        if trains:
            spec = {"model": model, "method": method, "seed": seed, "dtype": "float32"}
            inputs["weights"] = Job("train", 1, spec, {"data": data, "tokens": self.tokens(data)})
            log = [{"step": s, "loss": 1 / s + 0.01 * (seed or 0)} for s in range(1, 9)]
            facts = {"steps": 8, "tokens": 800, "padding_share": 0.1}
            sizes = {"trainable_parameters": 10, "total_parameters": 1000}
            made = {"phases": {"train": 3.0}, "seconds": 4.0, "cpu_seconds": 5.0, **provenance}
            self.commit(
                inputs["weights"], {"log.jsonl": log, "facts.json": {**facts, **sizes}}, made
            )
        scores = {}
        for split, ones in probs.items():
            spec = {"method": method, "model": model, "seed": seed, "split": split}
            spec |= {"probs": list(ones)}
            predict = Job("predict", 1, spec, {"data": data, **inputs})
            versions = {name: load("smalltune.metrics", name).version for name in METRICS}
            inner = {"data": data, "predictions": predict}
            scores[split] = Job("score", 1, {"split": split, "metrics": versions}, inner)
            if write:
                self._predicted(predict, scores[split], split, ones, provenance)
        self.trials.append(Trial(model, method, task, seed, scores))
        return self.trials[-1]

    def tune(
        self,
        method: str,
        tried: Sequence[tuple[Mapping[str, Any], float | None]],
        *,
        task: str = "reviews",
        model: str = "micro",
        metric: str = "accuracy",
        trials: int | None = None,
        edge: str = "",
    ) -> Search:
        """Add a search: the options of each run and its score on dev; None is a run not made.

        The first `trials` runs are the budget's. The best is chosen when all are there. A run of
        score 0.7 has the first 70 of 100 items right.
        """
        data, scores = self.jobs[task], {}
        better = load("smalltune.metrics", metric).better
        for place, (options, value) in enumerate(tried):
            spec = {"model": model, "method": method, "seed": 77, "options": dict(options)}
            train = Job("train", 1, spec, {"data": data, "tokens": self.tokens(data)})
            predict = Job("predict", 1, {**spec, "split": "dev"}, {"data": data, "weights": train})
            asked = {"split": "dev", "metrics": {metric: load("smalltune.metrics", metric).version}}
            score = Job("score", 1, asked, {"data": data, "predictions": predict})
            scores[str(place)] = score
            if value is not None:
                facts = {"steps": 8, "tokens": 800, "trainable_parameters": 10}
                self.commit(train, {"facts.json": facts}, {"seconds": 4.0, "cpu_seconds": 5.0})
                self.commit(predict, {"facts.json": {}}, {"seconds": 1.0, "cpu_seconds": 1.5})
                lines = [
                    {"id": f"dev-{i}", "gold": "", "predicted": "",
                     "stats": {metric: [float(i < TUNED_ON * value)]}}
                    for i in range(TUNED_ON)
                ]  # fmt: skip
                self.commit(
                    score, {"facts.json": {"values": {metric: value}}, "scores.jsonl": lines}
                )
        spec = {"metric": metric, "better": better, "candidates": [dict(o) for o, _ in tried]}
        select = Job("select", 1, spec, scores)
        values = [value for _, value in tried if value is not None]
        if len(values) == len(tried):
            best = values.index(max(values) if better == "higher" else min(values))
            self.commit(select, {"choice.json": {"index": best, "options": dict(tried[best][0])}})
        many = len(tried) if trials is None else trials
        search = Search(model, method, task, 77, select, many, 2, "learning_rate", edge)
        self.searches.append(search)
        return search

    def tokens(self, data: Job) -> Job:
        """Write what a tokeniser counted: the lengths of the prompts by split."""
        lengths = {"edges": [0, 5, 10, 21], "counts": [2, 8, 2]}
        split = {"rows": 12, "tokens": 90, "longest": 20, "truncated": 0, "lengths": lengths}
        facts = {"splits": dict.fromkeys(("train", "dev", "test"), split)}
        return self.commit(
            Job("tokens", 1, {"max_length": 24}, {"data": data}), {"facts.json": facts}
        )

    def _predicted(
        self, predict: Job, score: Job, split: str, ones: Sequence[float], made: Mapping[str, Any]
    ) -> None:
        gold = predict.inputs["data"].spec["gold"][split]
        log_probs = np.log([[1 - p, p] for p in ones])
        said = [LABELS[int(row.argmax())] for row in log_probs]
        ids = [f"{split}-{i}" for i in range(len(ones))]
        rows = [
            {"id": i, "log_probs": row.tolist(), "predicted": p}
            for i, row, p in zip(ids, log_probs, said, strict=True)
        ]
        facts = {"examples": len(ids), "tokens": 10 * len(ids)}
        times = {"phases": {"predict": 0.5}, "seconds": 1.0, "cpu_seconds": 1.5, **made}
        files = {"predictions.jsonl": rows, "labels.json": {"names": LABELS}, "facts.json": facts}
        self.commit(predict, files, times)
        stats = {m: load("smalltune.metrics", m).items(gold, log_probs, LABELS) for m in METRICS}
        lines = [
            {
                "id": i,
                "gold": LABELS[gold[at]],
                "predicted": said[at],
                "stats": {name: stats[name][at].tolist() for name in METRICS},
            }
            for at, i in enumerate(ids)
        ]
        self.commit(score, {"scores.jsonl": lines, "facts.json": {}})

    def ask(self, task: str, rows: Sequence[Mapping[str, Any]]) -> Job:
        """Write the test rows of a task that is answered with texts: `fields`, `references`."""
        named = [{"id": f"test-{i}", "label": "", **row} for i, row in enumerate(rows)]
        job = Job("prepare", 1, {"task": task, "rows": [dict(row) for row in rows]})
        self.jobs[task] = self.commit(job, {"test.jsonl": named, "facts.json": {"splits": {}}})
        return job

    def say(
        self,
        method: str,
        seed: int | None,
        texts: Sequence[str],
        *,
        task: str,
        ended: Sequence[bool] = (),
        metrics: Sequence[str] = ("token_f1", "exact_match", "length_ratio"),
    ) -> Trial:
        """Add a trial that writes these texts on test."""
        data = self.jobs[task]
        spec = {"method": method, "seed": seed, "texts": list(texts)}
        predict = Job("predict", 1, spec, {"data": data})
        lines = [
            {"id": f"test-{i}", "text": text, "ended": end, "log_prob": -1.0,
             "predicted": text or None}
            for i, (text, end) in enumerate(zip(texts, ended or [True] * len(texts), strict=True))
        ]  # fmt: skip
        files = {"predictions.jsonl": lines, "labels.json": {"names": []}, "facts.json": {}}
        self.commit(predict, files, {"seconds": 1.0})
        rows = self.store.read_lines(data.key, "test.jsonl")
        gold = [Gold(r["id"], tuple(r["references"]), "", r["fields"]) for r in rows]
        kinds = {name: load("smalltune.metrics", name) for name in metrics}
        stats = {name: kind.items(list(texts), gold) for name, kind in kinds.items()}
        versions = {name: kind.version for name, kind in kinds.items()}
        inner = {"data": data, "predictions": predict}
        score = Job("score", 1, {"split": "test", "metrics": versions}, inner)
        scored = [
            {"id": row["id"], "gold": row["references"][0], "predicted": texts[i],
             "stats": {name: stats[name][i].tolist() for name in metrics}}
            for i, row in enumerate(rows)
        ]  # fmt: skip
        signed = {"signatures": {"token_f1": "words|1.1"}}
        self.commit(score, {"scores.jsonl": scored, "facts.json": signed})
        self.trials.append(Trial("micro", method, task, seed, {"test": score}))
        return self.trials[-1]

    def commit(
        self, job: Job, files: Mapping[str, Any], provenance: Mapping[str, Any] | None = None
    ) -> Job:
        """Store an artifact: JSON lines for `.jsonl`, JSON for `.json`."""
        if self.store.known(job.key):
            return job
        folder = self.store.work(job)
        for name, value in files.items():
            lines = value if name.endswith(".jsonl") else [value]
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            (folder / name).write_text(text, encoding="utf-8")
        self.store.commit(job, {"peak_memory_bytes": 1000, "device": "cpu", **(provenance or {})})
        return job

    def results(self) -> Results:
        """Return the results as they are read back from the store."""
        record = Plan("made", tuple(self.trials), tuple(self.searches)).record()
        self.store.write_plan({**record, "analysis": self.declared})
        return read(self.store, self.store.read_plan("made"))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """An empty study."""
    return Made(tmp_path / "store")


@pytest.fixture
def small(tmp_path: Path, drawn: Callable[..., Made]) -> Callable[..., Made]:
    """A function that makes `drawn`'s study for one test, which may then change it."""

    def copy(seeds: Sequence[int] = (0, 1, 2, 3, 4, 5)) -> Made:
        pattern = drawn(tuple(seeds))
        root = tmp_path / f"small-{len(seeds)}"
        shutil.copytree(pattern.store.root, root)
        made = Made(root)
        made.trials, made.jobs = list(pattern.trials), dict(pattern.jobs)
        made.searches = list(pattern.searches)
        made.declared = {"primary": "accuracy", "contrasts": [{"a": "lora", "b": "full"}]}
        return made

    return copy


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[int, ...]], Made]:
    """Two trained methods and one without a model, on 12 dev and 12 test items."""

    @cache
    def make(seeds: tuple[int, ...]) -> Made:
        rng = np.random.default_rng(0)
        made = Made(tmp_path_factory.mktemp("drawn"))
        gold = {split: [i % 2 for i in range(12)] for split in ("dev", "test")}
        made.data(gold)
        made.add("majority", None, dict.fromkeys(gold, [0.4] * 12), model="-")
        for method, skill in (("full", 0.35), ("lora", 0.15)):
            for seed in seeds:
                probs = {
                    split: np.clip(
                        0.5 + skill * (2 * np.array(labels) - 1) + rng.normal(0, 0.25, 12),
                        0.02,
                        0.98,
                    ).tolist()
                    for split, labels in gold.items()
                }
                made.add(method, seed, probs, trains=True)
            rates = [1e-4 * 10 ** (place / 2) for place in range(4)]
            scores = [0.5, 0.6 + skill, 0.55 + skill, 0.5 + skill]
            tried = [({"learning_rate": r}, s) for r, s in zip(rates, scores, strict=True)]
            made.tune(method, tried)
        return made

    return make
