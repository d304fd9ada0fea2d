"""A base as its study's store holds it: what the card, the yardsticks and the report all read."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from parameters import count

import smalltune as st
from smalltune.core.errors import SmalltuneError, StudyError
from smalltune.core.job import Job, Trial

__all__ = ["BASES", "HERE", "Trained", "finished", "trained"]

HERE = Path(__file__).parent
BASES = ("micro-llama", "micro-qwen", "micro-deepseek")


@dataclass(frozen=True)
class Trained:
    """The only trial of a pre-training study, finished and scored, and the store it lies in."""

    study: st.Study
    trial: Trial

    @property
    def name(self) -> str:
        """The base's name."""
        return self.trial.model

    @property
    def job(self) -> Job:
        """The training."""
        found = self.trial.job("train")
        assert found is not None
        return found

    @property
    def length(self) -> int:
        """The greatest number of tokens that the base was trained on at a time."""
        return int(self.job.inputs["tokens"].spec["max_length"])

    @cached_property
    def source(self) -> Path:
        """The folder with configuration and tokeniser, without weights."""
        return Path(str(self.job.sources["model"]).partition(":")[2])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration that the weights were drawn from."""
        found: dict[str, Any] = json.loads((self.source / "config.json").read_text())
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the training counted: steps, tokens, losses."""
        found: dict[str, Any] = self.study.store.read_json(self.job.key, "facts.json")
        return found

    @cached_property
    def made(self) -> dict[str, Any]:
        """Where, with what and at what cost it was trained."""
        return self.study.store.provenance(self.job.key)

    @cached_property
    def results(self) -> Any:
        """The study's results, as `smalltune results` reads them."""
        return self.study.results()

    @property
    def seconds(self) -> float:
        """The seconds of the training loop over all its attempts."""
        return float(self.made["phases"]["train"])

    @property
    def speed(self) -> float:
        """Tokens per second of training."""
        return float(self.facts["tokens"]) / self.seconds

    @property
    def log(self) -> list[dict[str, Any]]:
        """`step`, `loss` and `learning_rate` of every step."""
        found: list[dict[str, Any]] = self.results.training_log(self.trial.id)
        return found

    @cached_property
    def counts(self) -> dict[str, int]:
        """All parameters, those besides the embeddings, and of these the active ones."""
        from smalltune.models.loading import load_model

        return count(load_model(self.source, scheme="config"))

    def sample(self, split: str = "test") -> Any:
        """Return bits and bytes of every held-out document, as the analysis holds them."""
        return self.results.sample(
            self.name, self.trial.method, self.trial.task, split, "bits_per_byte"
        )

    def segments(self, split: str) -> Any:
        """Return the pieces of a split that the base reads."""
        from smalltune.engine.segments import Segments

        folder = self.study.store.path(self.job.inputs["tokens"].key)
        return Segments.load(folder / f"{split}.safetensors")

    def weights(self) -> Path:
        """Return the folder of the trained weights; StoreError when they were dropped."""
        return self.study.store.path(self.job.key) / "weights"

    def model(self) -> Any:
        """Return the trained model in float32."""
        from smalltune.core.plugins import load
        from smalltune.models.loading import load_model

        model = load_model(self.source, scheme="config")
        load("smalltune.methods", self.job.spec["method"]["name"])().load(model, self.weights())
        return model.requires_grad_(False).eval()


def trained(folder: Path) -> Trained:
    """Return the base of a pre-training study.

    Raises StudyError as long as it is not trained and scored, and for a study of several trials.
    """
    study = st.load(folder)
    trials = study.plan().trials
    if len(trials) != 1:
        raise StudyError(f"{folder}: {len(trials)} trials: a base's study has one model and seed")
    if not all(study.store.known(job.key) for job in trials[0].evaluations.values()):
        raise StudyError(f"not trained yet: `smalltune run bases/{folder.name}`")
    return Trained(study, trials[0])


def finished(root: Path) -> tuple[list[Trained], dict[str, str]]:
    """Return the bases that are trained, and for each of the others why it cannot be read."""
    found, reasons = [], {}
    for name in BASES:
        try:
            found.append(trained(root / name))
        except SmalltuneError as error:
            reasons[name] = str(error)
    return found, reasons
