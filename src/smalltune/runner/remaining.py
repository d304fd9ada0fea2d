"""Remaining: how long a run still takes, from what its jobs have taken so far."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from smalltune.core.job import Job

__all__ = ["Remaining"]


@dataclass
class _Running:
    kind: tuple[str, str]
    since: float
    share: float = 0.0


class Remaining:
    """Learns from started and ended jobs; jobs of one stage and method take about as long."""

    def __init__(self, jobs: Iterable[Job], workers: int):
        """Take the jobs that are to run on this many workers."""
        self.workers = workers
        self.waiting: dict[str, tuple[str, str]] = {job.key: _kind(job) for job in jobs}
        self.running: dict[str, _Running] = {}
        self.taken: dict[tuple[str, str], list[float]] = defaultdict(list)

    def start(self, job: Job) -> None:
        """Note that a job has begun."""
        self.waiting.pop(job.key, None)
        self.running[job.key] = _Running(_kind(job), time.monotonic())

    def progress(self, job: Job, share: float) -> None:
        """Note which share of a job is done."""
        if job.key in self.running:
            self.running[job.key].share = share

    def end(self, job: Job) -> float:
        """Note that a job has ended; return its seconds."""
        self.waiting.pop(job.key, None)
        known = self.running.pop(job.key, None)
        if known is None:
            return 0.0
        seconds = time.monotonic() - known.since
        self.taken[known.kind].append(seconds)
        return seconds

    def left(self) -> float | None:
        """Return the seconds that are left, None while nothing is known of a kind of job."""
        now = time.monotonic()
        each = {kind: sum(found) / len(found) for kind, found in self.taken.items()}
        for job in self.running.values():
            if job.share > 0.02:
                each.setdefault(job.kind, (now - job.since) / job.share)
        stages = defaultdict(list)
        for (stage, _), mean in each.items():
            stages[stage].append(mean)
        total = 0.0
        for kind in [*self.waiting.values(), *(job.kind for job in self.running.values())]:
            if kind not in each and kind[0] == "train" and not stages["train"]:
                return None
            total += each.get(kind) or max(stages[kind[0]], default=0.0)
        total -= sum(min(now - job.since, each.get(job.kind, 0)) for job in self.running.values())
        return max(0.0, total) / self.workers


def _kind(job: Job) -> tuple[str, str]:
    return job.stage, str(job.spec.get("method", {}).get("name", ""))
