"""Local: warm worker processes on this machine, one thread each, as many as it can hold.

A worker is started when it is first needed and stays: it keeps base models, tokenisers and tokens,
so a job goes to the worker that already holds what it reads. A worker that dies fails the job it
was running, nothing else, and another takes its place.
"""

import os
import selectors
import sys
from collections.abc import Sequence

from smalltune.backends import Backend, News
from smalltune.backends.local.machine import gpus, most_workers
from smalltune.backends.local.process import Process
from smalltune.core.job import Job
from smalltune.core.store import Store

__all__ = ["Local"]

JOB_BYTES = 700_000_000
"""What a worker needs besides its model: Python, PyTorch, Transformers, activations."""


class Local(Backend):
    """Runs jobs in `workers` processes; by default as many as cores (or GPUs) and memory allow.

    `model_bytes` is the memory that training the largest model takes.
    """

    def __init__(
        self,
        store: Store,
        *,
        workers: int | None = None,
        threads: int = 1,
        model_bytes: int = 0,
        checkpoint_seconds: float = 10.0,
    ):
        """Prepare; no process is started before there is a job."""
        self.gpus = gpus()
        self.workers = workers or most_workers(self.gpus, JOB_BYTES + model_bytes)
        self._setup = {
            "store": str(store.root),
            "path": [part or os.getcwd() for part in sys.path],
            "bench": {"threads": threads, "checkpoint_seconds": checkpoint_seconds},
        }
        self._threads = threads
        self._slots: list[Process | None] = [None] * self.workers
        self._selector = selectors.DefaultSelector()

    @property
    def processes(self) -> list[int]:
        """The ids of the worker processes."""
        return [slot.process.pid for slot in self._slots if slot]

    @property
    def room(self) -> int:
        """How many workers are idle or not started yet."""
        return sum(slot is None or not slot.jobs for slot in self._slots)

    def choose(self, ready: Sequence[Job]) -> Job:
        """Return a job without a model if there is one: it is short and others wait for it.

        Else the job of which an idle worker holds most; of equal ones the first.
        """
        idle = [slot.held if slot else set() for slot in self._slots if not slot or not slot.jobs]

        def worth(job: Job) -> float:
            reads = _reads(job)
            return max(len(reads & held) for held in idle) if reads else float("inf")

        return max(ready, key=worth)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Give the jobs to the idle worker that holds most of what they read."""
        wanted = set().union(*(_reads(job) for job in jobs))
        idle = [n for n, slot in enumerate(self._slots) if slot is None or not slot.jobs]
        number = max(idle, key=lambda n: (len(self._held(n) & wanted), self._slots[n] is not None))
        slot = self._slots[number] or self._start(number)
        slot.give(jobs)

    def wait(self, seconds: float) -> list[News]:
        """Return what the workers have said, waiting for the first word."""
        found: list[News] = []
        for key, _ in self._selector.select(seconds):
            slot: Process = key.data
            found += slot.read()
            if slot.ended:
                found += self._bury(slot)
        return found

    def close(self) -> None:
        """End all workers now."""
        for slot in self._slots:
            if slot:
                slot.end()
                self._selector.unregister(slot.pipe)
                slot.forget()
        self._slots = [None] * self.workers

    def _held(self, number: int) -> set[str]:
        slot = self._slots[number]
        return slot.held if slot else set()

    def _start(self, number: int) -> Process:
        visible = {"CUDA_VISIBLE_DEVICES": self.gpus[number % len(self.gpus)]} if self.gpus else {}
        slot = Process(self._setup, self._threads, visible)
        self._selector.register(slot.pipe, selectors.EVENT_READ, slot)
        self._slots[number] = slot
        return slot

    def _bury(self, slot: Process) -> list[News]:
        """Take a dead worker out; the jobs that it had have failed."""
        self._selector.unregister(slot.pipe)
        self._slots[self._slots.index(slot)] = None
        reason, details = slot.cause(), slot.last_words()
        slot.forget()
        return [News("failed", key, {"reason": reason, "details": details}) for key in slot.jobs]


def _reads(job: Job) -> set[str]:
    """Return the content keys of what a worker may hold for a job: its base and its tokens."""
    model, tokens = job.spec.get("model"), job.inputs.get("tokens")
    return {key for key in (model, tokens.key if tokens else None) if isinstance(key, str)}
