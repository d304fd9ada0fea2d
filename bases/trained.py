"""A base as its study's store holds it: what records, weights and yardsticks are made from.

The store's own plan record says which answers are the study's, so that a base trained by an
earlier engine can still be read.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from parameters import count
from records import BASES, Record

import smalltune as st
from smalltune.core.errors import SmalltuneError, StoreError, StudyError

__all__ = ["Trained", "finished", "trained"]


@dataclass(frozen=True)
class Trained:
    """The only trial of a pre-training study, finished and scored, and the store it lies in."""

    study: st.Study
    results: Any

    @property
    def name(self) -> str:
        """The base's name."""
        return str(self.trial.model)

    @property
    def trial(self) -> Any:
        """The plan record's only trial."""
        return self.results.trials[0]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the training was asked."""
        found: dict[str, Any] = self._manifest(self.trial.train)["spec"]
        return found

    @property
    def source(self) -> Path:
        """The folder with configuration and tokeniser, without weights."""
        return Path(self.study.folder / "config")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration that the weights were drawn from."""
        found: dict[str, Any] = json.loads((self.source / "config.json").read_text())
        return found

    @property
    def counts(self) -> dict[str, int]:
        """All parameters, those besides the embeddings, and of these the active ones."""
        from smalltune.models.loading import load_model

        return count(load_model(self.source, scheme="config"))

    @cached_property
    def record(self) -> Record:
        """Everything that card and report say of the base, without its weights."""
        store, trial = self.study.store, self.trial
        made = store.provenance(trial.train)
        sample = self.results.sample(self.name, trial.method, trial.task, "test", "bits_per_byte")
        files = self._manifest(trial.data)["spec"]["files"]
        return Record(
            name=self.name,
            key=trial.train,
            spec=self.spec,
            config=self.config,
            counts=self.counts,
            length=self._manifest(trial.tokens)["spec"]["max_length"],
            facts=store.read_json(trial.train, "facts.json"),
            cpu_seconds=made["cpu_seconds"],
            made={k: made.get(k) for k in ("device", "threads", "machine", "packages", "finished")},
            losses=[row["loss"] for row in self.results.training_log(trial.id)],
            tokens=trial.tokens,
            documents={s: n["rows"] for s, n in self.results.data_facts("text")["splits"].items()},
            shards=sorted({digest for each in files.values() for digest in each}),
            licence=self.study.spec.tasks[0].said.licence,
            items=list(sample.items),
            bits=sample.stats[0, :, 0].tolist(),
            bytes=sample.stats[0, :, 1].tolist(),
            score=sample.keys[0],
        )

    def segments(self, split: str) -> Any:
        """Return the pieces of a split that the base reads."""
        from smalltune.engine.segments import Segments

        folder = self.study.store.path(self.trial.tokens)
        return Segments.load(folder / f"{split}.safetensors")

    def texts(self, split: str) -> list[bytes]:
        """Return the documents of a split."""
        rows = self.study.store.read_lines(self.trial.data, f"{split}.jsonl")
        return ["".join(row["fields"].values()).encode() for row in rows]

    def weights(self) -> Path:
        """Return the folder of the trained weights; StoreError when they were dropped."""
        return self.study.store.path(self.trial.train) / "weights"

    def model(self) -> Any:
        """Return the trained model in float32."""
        from smalltune.core.plugins import load
        from smalltune.models.loading import load_model

        model = load_model(self.source, scheme="config")
        load("smalltune.methods", self.spec["method"]["name"])().load(model, self.weights())
        return model.requires_grad_(False).eval()

    def _manifest(self, key: str) -> dict[str, Any]:
        return self.study.store.manifest(key)


def trained(folder: Path) -> Trained:
    """Return the base of a pre-training study.

    Raises StudyError as long as it is not trained and scored, and for a study of several trials.
    """
    from smalltune.analysis.results import read

    study = st.load(folder)
    missing = f"not trained yet: `smalltune run bases/{folder.name}`"
    try:
        results = read(study.store, study.store.read_plan(study.name))
    except StoreError as error:
        raise StudyError(missing) from error
    if len(results.trials) != 1:
        many = len(results.trials)
        raise StudyError(f"{folder}: {many} trials: a base's study has one model and seed")
    if not results.complete:
        raise StudyError(missing)
    return Trained(study, results)


def finished(root: Path) -> tuple[list[Trained], dict[str, str]]:
    """Return the bases that are trained, and for each of the others why it cannot be read."""
    found, reasons = [], {}
    for name in BASES:
        try:
            found.append(trained(root / name))
        except SmalltuneError as error:
            reasons[name] = str(error)
    return found, reasons
