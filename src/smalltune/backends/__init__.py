"""Backends: where jobs run. One file per kind of place; what they compute is the stages' matter.

The runner tells a backend what to `expect`, asks it for `room`, gives it lists of jobs, and waits
for news of them. A job that fails, or whose process dies, is news too; a backend raises nothing on
a job's behalf.

What a worker holds (a base, tokens, weights that it has just trained) is named by content keys.
`reads` says what a job wants of that; where it goes is placement and in no key.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from smalltune.core.job import Job

__all__ = ["WORKER_BYTES", "Backend", "News", "base_of", "reads"]

WORKER_BYTES = 700_000_000
"""What a worker takes besides its model: Python, PyTorch, Transformers, data, activations."""


def reads(job: Job) -> dict[str, int]:
    """Return the content keys that a worker may hold for a job, and what holding each is worth.

    Weights just trained count more than a base and its tokens together: what follows a training
    follows it at once, so that few weights lie on the disk at a time.
    """
    found = {}
    if "tokens" in job.inputs:
        found[job.inputs["tokens"].key] = 1
    if base := base_of(job):
        found[base] = 2
    if "weights" in job.inputs:
        found[job.inputs["weights"].key] = 4
    return found


def base_of(job: Job) -> str:
    """Return the content key of the model that a job starts from; "" where it reads none."""
    if "base" in job.inputs:
        return job.inputs["base"].key
    model = job.spec.get("model")
    return model if isinstance(model, str) else ""


@dataclass(frozen=True)
class News:
    """What a backend says of a job: progress (the stage's own words), done, or failed.

    A failure's `info` holds the `reason` in a line and `details` (a traceback) when there are any;
    `fatal` says that no other job can go on either, as on a full disk.
    """

    kind: Literal["progress", "done", "failed"]
    key: str
    info: Mapping[str, Any] = field(default_factory=dict)


class Backend(ABC):
    """A place with room for a number of jobs at a time."""

    workers: int
    """How many jobs run at a time."""

    @property
    def place(self) -> Mapping[str, Any]:
        """What a time measured here belongs to: machine, threads, versions; {} is unknown."""
        return {}

    @property
    def memory(self) -> int | None:
        """The bytes that one job may ever have, None where the backend does not know."""
        return None

    def expect(self, jobs: Sequence[Job], largest: int) -> None:
        """Hear what is to come: the missing jobs, and the bytes that the largest of them takes.

        Called while nothing runs; `workers` may change.
        """
        return

    @property
    @abstractmethod
    def room(self) -> int:
        """How many jobs could start now."""

    @property
    def idle(self) -> Sequence[Set[str]]:
        """What each place with room holds; nothing where a backend does not know."""
        return [set() for _ in range(self.room)]

    @property
    def busy(self) -> Sequence[Set[str]]:
        """What each place without room holds."""
        return []

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Run these jobs, one after another or at once; each leaves its own artifact."""

    @abstractmethod
    def wait(self, seconds: float) -> list[News]:
        """Return the next news; an empty list when there is none within the time."""

    @abstractmethod
    def close(self) -> None:
        """End everything, running jobs too: their work folders let them go on another time."""

    def choose(self, ready: Sequence[Job]) -> Job:
        """Return which of some ready jobs to run next, for example one whose model is loaded.

        They come in the runner's order: of equal ones, the first.
        """
        return ready[0]
