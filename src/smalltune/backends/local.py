"""Local: warm worker processes on this machine, one thread each, as many as it can hold.

A worker is started when it is first needed and stays: it keeps base models, tokenisers and tokens,
so a job goes to the worker that already holds what it reads. A worker that dies fails the job it
was running, nothing else, and another takes its place.
"""

import importlib.metadata
import json
import os
import pickle
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smalltune.backends import Backend, News
from smalltune.core.job import Job
from smalltune.core.store import Store

__all__ = ["Local"]

JOB_BYTES = 700_000_000
"""What a worker needs besides its model: Python, PyTorch, Transformers, activations."""

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
        self.gpus = _gpus()
        self.workers = workers or _most(self.gpus, JOB_BYTES + model_bytes)
        self._setup = {
            "store": str(store.root),
            "path": [part or os.getcwd() for part in sys.path],
            "bench": {"threads": threads, "checkpoint_seconds": checkpoint_seconds},
        }
        self._threads = threads
        self._slots: list[_Process | None] = [None] * self.workers
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
            slot: _Process = key.data
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

    def _start(self, number: int) -> "_Process":
        visible = {"CUDA_VISIBLE_DEVICES": self.gpus[number % len(self.gpus)]} if self.gpus else {}
        slot = _Process(self._setup, self._threads, visible)
        self._selector.register(slot.pipe, selectors.EVENT_READ, slot)
        self._slots[number] = slot
        return slot

    def _bury(self, slot: "_Process") -> list[News]:
        """Take a dead worker out; the jobs that it had have failed."""
        self._selector.unregister(slot.pipe)
        self._slots[self._slots.index(slot)] = None
        reason, details = slot.cause(), slot.last_words()
        slot.forget()
        return [News("failed", key, {"reason": reason, "details": details}) for key in slot.jobs]


class _Process:
    """One worker process and what it is doing."""

    def __init__(self, setup: dict[str, Any], threads: int, environment: dict[str, str]):
        self.pipe, other_end = os.pipe()
        os.set_blocking(self.pipe, False)
        self.output = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        command = [sys.executable, "-P", "-m", "smalltune.backends.worker", str(other_end)]
        here = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            pass_fds=[other_end],
            env={
                **os.environ,
                **dict.fromkeys(ONE_THREAD, str(threads)),
                "PYTHONPATH": os.pathsep.join(here),
                "TOKENIZERS_PARALLELISM": "false",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **environment,
            },
        )
        os.close(other_end)
        self.jobs: list[str] = []
        self.held: set[str] = set()
        self.ended = False
        self._rest = b""
        self._send(setup)

    def give(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; a worker that has just died says so when it is read."""
        self.jobs += [job.key for job in jobs]
        self._send(list(jobs))

    def read(self) -> list[News]:
        """Return the news that has come; the end of the pipe is the end of the process."""
        chunks = []
        while True:
            try:
                chunk = os.read(self.pipe, 1 << 16)
            except BlockingIOError:
                break
            if not chunk:
                self.ended = True
                break
            chunks.append(chunk)
        *lines, self._rest = (self._rest + b"".join(chunks)).split(b"\n")
        return [self._news(json.loads(line)) for line in lines]

    def cause(self) -> str:
        """Say in a line why the process is no more."""
        code = self.process.wait()
        if code >= 0:
            return f"the worker process ended with exit code {code} in the middle of the job"
        name = signal.Signals(-code).name
        more = ": out of memory, or killed from outside" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{more}"

    def last_words(self) -> str:
        """Return the end of what the process printed."""
        size = self.output.seek(0, os.SEEK_END)
        self.output.seek(max(0, size - 4000))
        return self.output.read().decode(errors="replace")

    def end(self) -> None:
        """Kill the process: everything it has finished is stored."""
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        """Give back pipes and files."""
        os.close(self.pipe)
        self.output.close()
        try:
            if self.process.stdin:
                self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _send(self, value: object) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(value, self.process.stdin)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def _news(self, said: dict[str, Any]) -> News:
        news = News(**said)
        if news.kind != "progress":
            self.jobs.remove(news.key)
            self.held = set(news.info.get("held", self.held))
        return news


def _reads(job: Job) -> set[str]:
    """Return the content keys of what a worker may hold for a job: its base and its tokens."""
    model, tokens = job.spec.get("model"), job.inputs.get("tokens")
    return {key for key in (model, tokens.key if tokens else None) if isinstance(key, str)}


def _gpus() -> list[str]:
    """Return the GPUs that PyTorch could use, without asking it."""
    if shutil.which("nvidia-smi") is None or importlib.metadata.version("torch").endswith("+cpu"):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu.strip()]
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def _most(gpus: list[str], job_bytes: int) -> int:
    """Return how many workers fit: one per GPU, else one per core, within the free memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(len(gpus) or cores or 1, int(_free_memory() * 0.8) // job_bytes))


def _free_memory() -> int:
    """Return the bytes that are free here: the machine's, or the container's if they are fewer."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        rows = (line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = {name: int(value) for name, value in rows}["file"]
    except (OSError, ValueError, KeyError):
        return free
    return min(free, limit - used + cached)
