"""Local: warm worker processes on this machine, one thread each, as many as it can hold.

A worker stays: it keeps base models, tokenisers and tokens, so a job goes to the worker that
already holds what it reads. It is started when it is first needed, or, when there will be models
to run on all workers, at once, to import PyTorch while others prepare the data. A worker that dies
fails the job it was running, nothing else, and another takes its place.
"""

import os
import selectors
import sys
from collections.abc import Mapping, Sequence, Set
from typing import Any

from smalltune.backends import WORKER_BYTES, Backend, News, reads
from smalltune.backends.local.machine import cores, gpus
from smalltune.backends.local.process import Process
from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.core.provenance import environment
from smalltune.core.store import Store
from smalltune.engine.memory import free_memory, whole_memory

__all__ = ["Local"]

SHARE = 0.8
"""The share of the free memory that workers may take."""


class Local(Backend):
    """Runs jobs in `workers` processes; by default as many as cores (or GPUs) and memory allow."""

    def __init__(
        self,
        store: Store,
        *,
        workers: int | None = None,
        threads: int = 1,
        checkpoint_seconds: float = 10.0,
    ):
        """Prepare; no process is started before there is a job."""
        self.gpus = gpus()
        self._asked = workers
        self._setup = {
            "store": str(store.root),
            "path": [part or os.getcwd() for part in sys.path],
            "bench": {"threads": threads, "checkpoint_seconds": checkpoint_seconds},
        }
        self._threads = threads
        self._slots: list[Process | None] = []
        self._selector = selectors.DefaultSelector()
        self._resize(WORKER_BYTES)  # until `expect` says what models take

    @property
    def processes(self) -> list[int]:
        """The ids of the worker processes."""
        return [slot.process.pid for slot in self._slots if slot]

    @property
    def place(self) -> Mapping[str, Any]:
        """What a time measured here belongs to: machine, threads, versions."""
        here = environment()
        machine = {name: here["machine"][name] for name in ("cpu", "cores", "memory_bytes")}
        packages = {"python": here["python"], **here["packages"]}
        return {
            "machine": machine,
            "packages": packages,
            "threads": self._threads,
            "gpus": len(self.gpus),
        }

    @property
    def memory(self) -> int | None:
        """The bytes of this machine or container; not known where jobs run on a GPU."""
        return None if self.gpus else whole_memory()

    def fitting(self, job_bytes: float) -> int:
        """Return how many jobs of so many bytes run at a time; at least one."""
        ours = sum(slot.memory() for slot in self._slots if slot)
        fit = int((free_memory() + ours) * SHARE / max(job_bytes, 1))
        return self._asked or max(1, min(len(self.gpus) or cores(), fit))

    def expect(self, jobs: Sequence[Job], largest: int) -> None:
        """Make room for as many workers as can hold the largest job; start those that models need.

        Of a model's jobs only those count that need not wait for another of them.
        """
        if not jobs:
            return
        self._resize(largest)
        models = sum("model" in job.spec and "weights" not in job.inputs for job in jobs)
        for number in range(min(self.workers, models) if models > 1 else 0):
            if self._slots[number] is None:
                self._start(number, warm=_imports(jobs))

    @property
    def room(self) -> int:
        """How many workers are idle or not started yet."""
        return sum(slot is None or not slot.jobs for slot in self._slots)

    @property
    def idle(self) -> Sequence[Set[str]]:
        """What each idle worker holds; nothing where none is started."""
        return [slot.held if slot else set() for slot in self._slots if not slot or not slot.jobs]

    @property
    def busy(self) -> Sequence[Set[str]]:
        """What each busy worker holds, or will when its job has begun."""
        return [slot.held for slot in self._slots if slot and slot.jobs]

    def choose(self, ready: Sequence[Job]) -> Job:
        """Return a job without a model if there is one: it is short and others wait for it.

        Else the job of which an idle worker holds most; of equal ones the first.
        """
        idle = self.idle

        def worth(job: Job) -> float:
            return max(_worth(job, held) for held in idle) if reads(job) else float("inf")

        return max(ready, key=worth)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Give the jobs to the idle worker that holds most of what they read."""
        idle = [n for n, slot in enumerate(self._slots) if slot is None or not slot.jobs]

        def worth(number: int) -> tuple[int, bool]:
            slot = self._slots[number]
            held = slot.held if slot else set()
            return sum(_worth(job, held) for job in jobs), slot is not None

        number = max(idle, key=worth)
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
        for number in range(len(self._slots)):
            self._end(number)

    def _resize(self, job_bytes: int) -> None:
        """Set how many workers there are: what was asked for, else what this machine can hold."""
        self.workers = self.fitting(job_bytes)
        for number in range(self.workers, len(self._slots)):
            self._end(number)
        del self._slots[self.workers :]
        self._slots += [None] * (self.workers - len(self._slots))

    def _start(self, number: int, *, warm: Sequence[str] | None = None) -> Process:
        """Start a worker; with `warm` it imports PyTorch and these until it gets a job."""
        visible = {"CUDA_VISIBLE_DEVICES": self.gpus[number % len(self.gpus)]} if self.gpus else {}
        slot = Process({**self._setup, "warm": warm}, self._threads, visible)
        self._selector.register(slot.pipe, selectors.EVENT_READ, slot)
        self._slots[number] = slot
        return slot

    def _end(self, number: int) -> None:
        slot = self._slots[number]
        if slot:
            slot.end()
            self._selector.unregister(slot.pipe)
            slot.forget()
        self._slots[number] = None

    def _bury(self, slot: Process) -> list[News]:
        """Take a dead worker out; the jobs that it had have failed."""
        self._selector.unregister(slot.pipe)
        self._slots[self._slots.index(slot)] = None
        reason, details = slot.cause(), slot.last_words()
        slot.forget()
        return [News("failed", key, {"reason": reason, "details": details}) for key in slot.jobs]


def _imports(jobs: Sequence[Job]) -> list[str]:
    """Return what the methods of these jobs import besides PyTorch and Transformers."""
    names = dict.fromkeys(job.spec["method"]["name"] for job in jobs if "method" in job.spec)
    kinds = [load("smalltune.methods", name) for name in names]
    return list(dict.fromkeys(module for kind in kinds for module in getattr(kind, "imports", ())))


def _worth(job: Job, held: Set[str]) -> int:
    """Return what it is worth for a job that these contents are held."""
    return sum(worth for key, worth in reads(job).items() if key in held)
