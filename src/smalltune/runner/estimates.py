"""Estimates: how long a job takes and how much memory, before it has run.

What stored jobs took that are the same but for the seed, or of the same method, base and rows, is
known best; next what was measured for the forecast (`planning.forecast`). Else a guess from sizes
that the lock knows (parameters, bytes of text) is scaled by what jobs of the same method, or of the
same stage, took. The order in which jobs start and the number of workers rest on it, no answer
does.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from smalltune.backends import WORKER_BYTES
from smalltune.core.errors import StoreError
from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.planning.fitting import least_parameters
from smalltune.planning.forecast import Needs
from smalltune.planning.lock import Lock

__all__ = ["Estimates"]

SPEED = 3e10
"""Floating-point operations per second of one core."""

TEXT_SPEED = 5e5
"""Bytes of text per second that are prepared, tokenised or counted."""

DISK_SPEED = 1e9
"""Bytes per second that are read, copied and written when a model is stored."""

BYTES_PER_TOKEN, TOKENS_PER_ROW = 4, 100

WHOLE, FROZEN, HELD, MERGED = 16, 5, 3, 12
"""Bytes per parameter: weights, gradients and two moments of Adam; weights and a few trained; the
same where the weights are held in bfloat16; weights, those to put back, and the bytes of a file."""

MARGIN = 1.2
"""How much more than the highest measured memory is set aside."""

SAMPLES, KEPT = 3, 32
"""How many stored jobs that differ in the seed alone are looked at, and how many of a kind kept."""


class Estimates:
    """Seconds and bytes of jobs that have not run; `told` has what was forecast of some, by key."""

    def __init__(self, lock: Lock, store: Store):
        """Take the sizes of models and data from the lock, and what was measured from the store."""
        self.store = store
        self.parameters = {model.digest: least_parameters(model) for model in lock.models.values()}
        self.text = {
            file.sha256: file.bytes
            for task in lock.tasks.values()
            for files in task.files.values()
            for file in files
        }
        self.told: Mapping[str, Needs] = {}
        self._ratios: dict[Sequence[str], deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._peaks: dict[Sequence[str], list[int]] = defaultdict(list)
        self._tokens: dict[str, Mapping[str, float]] = {}

    def learn(self, jobs: Iterable[Job]) -> bool:
        """Look at what a few of each kind of these stored jobs took; tell whether any was new."""
        learned = False
        for job in jobs:
            kinds = _kinds(job)
            if len(self._peaks[kinds[0]]) < SAMPLES:
                try:
                    took = self.store.provenance(job.key)
                except StoreError:  # no reason not to run: `store check` names what is damaged
                    continue
                for kind in kinds[:2]:
                    self._peaks[kind].append(int(took.get("peak_memory_bytes", 0)))
                for kind in kinds:
                    self._ratios[kind].append(took.get("seconds", 0.0) / self._guess(job))
                learned = True
        return learned

    def seconds(self, job: Job) -> float:
        """Return how long a job takes alone on one core."""
        kinds, told = _kinds(job), self.told.get(job.key)
        known = next((kind for kind in kinds if self._ratios.get(kind)), None)
        if known not in kinds[:2] and told and math.isfinite(told.seconds):
            return told.seconds
        return self._guess(job) * (median(self._ratios[known]) if known else 1.0)

    def bytes(self, job: Job) -> int:
        """Return the most memory that a worker has in use while it runs a job."""
        for kind in _kinds(job)[:2]:
            if any(self._peaks.get(kind, ())):
                return int(MARGIN * max(self._peaks[kind]))
        told = self.told.get(job.key)
        if told and math.isfinite(told.peak) and told.peak:
            return int(MARGIN * told.peak)
        each = HELD if _held(job) == "bfloat16" else FROZEN
        if job.stage == "train" and _changes_base(job):
            each = WHOLE
        if job.stage == "merge":
            each = MERGED
        return WORKER_BYTES + each * self._size(job)

    def _size(self, job: Job) -> int:
        return self.parameters.get(str(job.spec.get("model")), 0)

    def _guess(self, job: Job) -> float:
        """Return the seconds that sizes alone suggest."""
        if job.stage in ("prepare", "tokens", "classify"):
            return 0.3 + BYTES_PER_TOKEN * sum(self._texts(job).values()) / TEXT_SPEED
        if job.stage == "predict":
            tokens = self._texts(job).get(_split(job), 0.0)
            return 0.2 + 2 * self._size(job) * tokens / SPEED
        if job.stage == "merge":
            return 0.5 + MERGED * self._size(job) / DISK_SPEED
        if job.stage == "train":
            each = 6 if _changes_base(job) else 4  # a frozen matrix has no gradient of its own
            return 0.5 + each * self._size(job) * self._trained(job) / SPEED
        return 0.05 if job.stage in ("score", "select") else 1.0

    def _trained(self, job: Job) -> float:
        """Return the tokens that a training reads."""
        training, tokens = job.spec["training"], self._texts(job).get("train", 0.0)
        if training.get("steps"):
            return float(training["steps"] * training["batch_size"] * TOKENS_PER_ROW)
        if job.spec.get("limit"):
            tokens = min(tokens, float(job.spec["limit"] * TOKENS_PER_ROW))
        return float(training["epochs"] * tokens)

    def _texts(self, job: Job) -> Mapping[str, float]:
        """Return about how many tokens each split of a job's data has; dev may be a part."""
        data = job if job.stage == "prepare" else _behind(job)
        if data is None:
            return {}
        if data.key not in self._tokens:
            sizes = {
                role: sum(self.text.get(digest, 0) for digest in digests) / BYTES_PER_TOKEN
                for role, digests in data.spec.get("files", {}).items()
            }
            train = sizes.get("train", 0.0)
            self._tokens[data.key] = {"dev": train / 10, "test": train / 10, **sizes}
        return self._tokens[data.key]


def _behind(job: Job) -> Job | None:
    """Return the `prepare` job whose rows a job reads."""
    reader = job.inputs.get("tokens", job)
    return reader.inputs.get("data")


def _kinds(job: Job) -> list[tuple[str, ...]]:
    """Return what jobs that take about as long have in common, the narrowest first."""
    spec, data = job.spec, _behind(job)
    method = str(spec.get("method", {}).get("name", ""))
    rows = data.key if data else ""
    wide = (job.stage, method, str(spec.get("model")), rows, _split(job), _held(job))
    return [(*wide, f"{spec.get('method')} {spec.get('training')}"), wide, wide[:2], wide[:1]]


def _held(job: Job) -> str:
    """Return the number format in which a job's base lies in memory."""
    return str(job.spec.get("base_dtype", "float32"))


def _split(job: Job) -> str:
    return str(job.spec.get("split", ""))


def _changes_base(job: Job) -> bool:
    method: Any = load("smalltune.methods", job.spec["method"]["name"])
    return bool(getattr(method, "changes_base", False))
