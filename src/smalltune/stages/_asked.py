"""Asked: the stages of one method on one model and task, run in small and timed."""

import gc
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.plugins import load
from smalltune.engine.batching import epoch_order
from smalltune.engine.options import Training
from smalltune.engine.segments import Segments
from smalltune.stages._fitted import fitted, lessons
from smalltune.stages._sampled import evenly, sampled
from smalltune.stages._timed import Took, drawn_out, timed, written
from smalltune.stages.bench import Bench, Inputs
from smalltune.stages.merge import merge
from smalltune.stages.predict import predict
from smalltune.stages.score import score

__all__ = ["Asked"]

LEARNT, READ = 1.5e11, 5e10
"""Operations that measured steps, and measured predictions, may take."""

STEPS = (4, 10)
"""The fewest and the most steps that are timed."""

TOKENS = (2048, 8192)
"""The fewest and the most tokens that predictions are timed on."""

RATE = 1e-5
"""A learning rate that leaves the base about as it is."""


class Asked:
    """One method on one model and task.

    `ref` is where the model lies, `size` its parameters beside the embedding, `work` a folder to
    use.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        inputs: Inputs,
        ref: str,
        size: int,
        work: Path,
        bench: Bench,
    ):
        """Take the spec of a measuring and a bench that may hold the base."""
        self.spec, self.ref, self.work, self.bench = spec, ref, work, bench
        self.inputs = Inputs(inputs.folders, inputs.keys, {**inputs.sources, "model": ref})
        self.digest = spec["predict"]["model"] if ref == inputs.sources["model"] else ref
        self.base_dtype = spec["predict"].get("base_dtype", "float32")
        self.size = max(size, 1)

    def load(self) -> float:
        """Return the seconds in which a worker gets the base; the bench has it from then on."""
        gc.collect()
        bench = self.bench
        if {self.digest, f"{self.digest}:0"} & bench.held():
            bench = Bench(threads=bench.threads, device=bench.device)

        method = load("smalltune.methods", self.spec["predict"]["method"]["name"])(
            **self.spec["predict"]["method"]["options"]
        )

        def lend() -> None:
            with bench.base(self.ref, self.digest, 0, False, self.base_dtype, method.quantised()):
                return

        return timed(bench, lend).seconds

    def measured(self, tokens: int | None = None) -> dict[str, Any]:
        """Return what training, predicting and scoring take.

        With `tokens`, a step is timed on so many and on a quarter of them, and drawn out.
        """
        self.tokens = tokens
        found = {"train": self._train()} if "train" in self.spec else {}
        if self.spec.get("merged"):
            found["merge"] = self._merge()
        found["predict"], few, out = self._predict()
        found["score"] = self._score(few, out)
        if self.spec.get("loss"):
            found["loss"] = self._loss()
        return found

    def heaviest(self, tokens: int | None = None) -> int:
        """Return the memory at the largest batch of an epoch, cut into `tokens` at a time.

        Of its rows the longest are taken, enough for two cuts: the second meets the gradient of
        the first.
        """
        cut = tokens or self.cut
        largest = max(self.batches, key=lambda batch: int(self.lengths[batch].sum()))
        rows = largest[np.argsort(-self.lengths[largest], kind="stable")]
        enough = int(np.searchsorted(np.cumsum(self.lengths[rows]), 2 * cut)) + 1
        return self._steps(rows[:enough], len(rows[:enough]), 2, "heaviest", judged=False)[0].peak

    # Training

    @cached_property
    def data(self) -> Segments:
        """All that is learnt from."""
        return lessons({**self.spec["train"], "seed": 0}, self.inputs, self.bench)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The tokens of each segment."""
        return self.data.lengths

    @property
    def longest(self) -> int:
        """The tokens of the longest segment."""
        return int(self.lengths.max())

    @cached_property
    def batches(self) -> list[NDArray[np.int64]]:
        """The batches of an epoch."""
        how = self.spec["train"]["training"]
        return epoch_order(self.lengths, how["batch_size"], 0, 0, order=how["batches"])

    def _train(self) -> dict[str, Any]:
        """Return what training takes: once, for each step, and for each judging of the dev loss."""
        read = timed(self.bench, lambda: {"rows": len(self.data)})
        mean = float(np.mean([self.lengths[batch].sum() for batch in self.batches]))
        batch = self.spec["train"]["training"]["batch_size"]
        sizes = [batch]
        if self.tokens and mean > self.tokens:
            most = max(2, int(batch * self.tokens / mean))
            sizes = [max(1, most // 4), most]
        each = mean * sizes[-1] / batch
        steps = int(np.clip(LEARNT / (6 * self.size * each), *STEPS))
        self._steps(evenly(self.lengths, sizes[0]), sizes[0], 2, "warm", judged=False)
        timings = []
        for size in sizes:
            rows = evenly(self.lengths, steps * size)
            took, fed = self._steps(rows, size, steps, f"steps-{size}", judged=size == sizes[-1])
            timings.append((fed, took.step))
        self.cut = int(took.answer["micro_batch"]["tokens"])
        self.weights = self.work / f"steps-{sizes[-1]}"
        facts = _json(self.weights / "facts.json")
        judged = took.phase("judge")
        return {
            "once": read.seconds + took.seconds - judged - took.step * steps,
            "step": drawn_out(timings, mean),
            "judge": judged * self._dev_share() if judged else 0.0,
            "rows": len(self.data),
            "trained": facts["trainable_parameters"],
            "peak": took.peak,
            "bytes": took.record + written(self.weights, "facts.json"),
            "step_bytes": written(self.weights, "log.jsonl") / steps,
            "weights_bytes": written(self.weights / "weights"),
        }

    def _steps(
        self, rows: NDArray[np.int64], size: int, steps: int, name: str, *, judged: bool
    ) -> tuple[Took, float]:
        """Train some steps on batches of `size` of these rows; return what they took.

        And the mean tokens of a step, without the first.
        """
        few, asked = self.data.take(rows), dict(self.spec["train"]["training"])
        patience = 1 if asked.pop("judged") and judged else None
        more = {"learning_rate": RATE, "early_stopping": patience, "batch_size": size}
        training = {**asdict(Training()), **asked, **more, "epochs": 1, "steps": steps}
        spec = {**self.spec["train"], "seed": 0, "model": self.digest, "training": training}
        dev = self._dev if patience else None
        out = self.work / name
        out.mkdir(parents=True)
        base = (self.ref, self.digest)
        took = timed(self.bench, lambda: fitted(spec, few, dev, base, out, self.bench))
        epochs = range(math.ceil(steps * size / len(few)))
        batches = [
            batch
            for epoch in epochs
            for batch in epoch_order(few.lengths, size, 0, epoch, order=asked["batches"])
        ]
        return took, float(np.mean([few.lengths[batch].sum() for batch in batches[1:steps]]))

    def _merge(self) -> dict[str, Any]:
        """Return what it takes to make a model of what was trained."""
        spec = {**self.spec["predict"], "seed": 0, "model": self.digest}
        trained = Inputs({"weights": self.weights}, {}, self.inputs.sources)
        out = self.work / "merged"
        out.mkdir()
        took = timed(self.bench, lambda: merge(spec, trained, out, self.bench))
        whole = written(out)
        shutil.rmtree(out)
        found = {"once": took.seconds, "peak": took.peak, "bytes": took.record}
        return {**found, "weights_bytes": whole}

    @cached_property
    def _dev(self) -> Segments:
        """Some rows of dev, to judge the dev loss by."""
        task = load("smalltune.tasks", self.spec["train"]["task"])
        dev = task.training(self.bench.tokens(self.inputs, "dev"), self.bench.answers(self.inputs))
        found: Segments = dev.take(evenly(dev.lengths, 256))
        return found

    def _dev_share(self) -> float:
        """Return how many times as many rows as `_dev` there are in dev."""
        return len(self.bench.tokens(self.inputs, "dev")) / len(self._dev)

    # Predicting and scoring

    def _predict(self) -> tuple[dict[str, Any], Inputs, Path]:
        """Return what predictions take: once, and for each token of a split; inputs and answer."""
        facts = _json(self.inputs["tokens"] / "facts.json")["splits"]["dev"]
        spec = {**self.spec["predict"], "split": "dev", "seed": 0, "model": self.digest}
        longest = spec.get("decoding", {}).get("longest", 0)
        if longest and "train" in self.spec:
            longest = self._answer()
            spec["decoding"] = {**spec["decoding"], "longest": longest}
        method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
        each = (1 + getattr(method, "shots", 0)) * facts["tokens"] / facts["rows"] + longest
        tokens = float(np.clip(READ / (2 * self.size), *TOKENS))
        rows = max(8, round(tokens / each))
        found, few, out = self._predicted(spec, rows, "whole")
        read, inside = found.pop("read"), found.pop("inside")
        token = inside / read
        if getattr(method, "shots", 0):  # what all prompts begin with is computed once
            less, _, _ = self._predicted(spec, max(4, rows // 4), "part")
            slope = (inside - less["inside"]) / max(1, read - less["read"])
            token = slope if 0 < slope < token else token
        return {**found, "once": found["once"] + inside - token * read, "token": token}, few, out

    def _loss(self) -> dict[str, Any]:
        """Return what the likelihood of dev's references takes: once, and for each token."""
        facts = _json(self.inputs["tokens"] / "facts.json")["splits"]["dev"]
        own = {k: v for k, v in self.spec["predict"].items() if k not in ("decoding", "tokeniser")}
        more = {"ask": "likelihood", "split": "dev", "seed": 0, "model": self.digest}
        tokens = float(np.clip(READ / (2 * self.size), *TOKENS))
        rows = max(8, round(tokens * facts["rows"] / facts["tokens"]))
        found, _, _ = self._predicted({**own, **more}, rows, "loss")
        token = found.pop("inside") / found.pop("read")
        return {**found, "token": token}

    def _predicted(
        self, spec: Mapping[str, Any], rows: int, name: str
    ) -> tuple[dict[str, Any], Inputs, Path]:
        """Predict some rows of dev; return what that took, the inputs, and where the answer is."""
        work = self.work / name
        few = sampled(self.inputs, rows, self.spec["tokens"], work, self.bench)
        if "train" in self.spec:
            few = Inputs({**few.folders, "weights": self.weights}, few.keys, few.sources)
        out = work / "predictions"
        out.mkdir()
        for _ in range(2):  # the first time, libraries are imported
            took = timed(self.bench, lambda: predict(spec, few, out, self.bench))
        splits = _json(few["tokens"] / "facts.json")["splits"]
        fits = load("smalltune.methods", spec["method"]["name"]).answers == "labels"
        inside = took.phase("predict")
        found = {
            "once": took.seconds - inside - took.phase("peak"),
            "inside": inside,
            "read": splits["dev"]["tokens"] + fits * splits["train"]["tokens"],
            "fits": fits,
            "peak": took.peak,
            "bytes": took.record,
            "item_bytes": written(out, "predictions.jsonl") / splits["dev"]["rows"],
        }
        return found, few, out

    def _answer(self) -> int:
        """Return the mean tokens of an answer: what was trained writes as long as it learnt."""
        return max(2, round(float((self.data.lengths - self.data.answers).mean())))

    def _score(self, few: Inputs, out: Path) -> dict[str, Any]:
        """Return what scoring takes for each item, libraries imported, by rows of dev."""
        read = Inputs({"data": few["data"], "predictions": out, "dev": out})
        spec = {"split": "dev", "metrics": self.spec["metrics"]}
        into = self.work / "scores"
        into.mkdir()
        for _ in range(2):
            took = timed(self.bench, lambda: score(spec, read, into, self.bench))
        rows = _json(few["tokens"] / "facts.json")["splits"]["dev"]["rows"]
        return {
            "once": 0.0,
            "item": took.seconds / rows,
            "bytes": took.record,
            "item_bytes": written(into, "scores.jsonl") / rows,
        }


def _json(path: Path) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
