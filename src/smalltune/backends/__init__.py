"""Backends: where jobs run. One file per kind of place; what they compute is the stages' matter.

The runner asks a backend for `room`, gives it lists of jobs, and waits for news of them. A job
that fails, or whose process dies, is news too; a backend raises nothing on a job's behalf.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from smalltune.core.job import Job

__all__ = ["Backend", "News"]


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
    @abstractmethod
    def room(self) -> int:
        """How many jobs could start now."""

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
        """Return which of the ready jobs to run next, for example one whose model is loaded."""
        return ready[0]
