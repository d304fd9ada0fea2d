"""Worker: a process that stays warm and runs one job after another for the local backend.

Jobs come as pickles on standard input (from the parent and from nobody else), news goes as JSON
lines to a pipe of its own, because libraries print. The process ends with its parent: the kernel
is asked to kill it (Linux), and everywhere the end of standard input ends it.
"""

import contextlib
import importlib
import json
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import IO, Any

from smalltune.core.blocks import keep_large_blocks, return_free_blocks
from smalltune.core.errors import SmalltuneError
from smalltune.core.job import Job
from smalltune.core.store import Store

__all__ = ["main"]

PACE = 0.2
"""Seconds between two reports of progress."""

HEAVY = ("torch", "transformers", "transformers.modeling_utils")
"""What every job with a model imports, some seconds in all, in parts that a job waits for."""

PAUSE = 0.2
"""Seconds without a job after which a worker uses the time to import."""


def main() -> None:
    """Run what comes until there is no more."""
    _die_with_parent()
    keep_large_blocks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends its workers
    pipe = int(sys.argv[1])
    os.set_inheritable(pipe, False)
    setup = pickle.load(sys.stdin.buffer)
    sys.path[:] = setup["path"]
    jobs: queue.Queue[Sequence[Job]] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    from smalltune.stages import Bench

    bench = Bench(**setup["bench"])
    cold = [*HEAVY, *setup["warm"]] if setup["warm"] is not None else []
    with os.fdopen(pipe, "w", buffering=1, encoding="utf-8") as news:
        worker = _Worker(Store(setup["store"]), bench, news)
        while True:
            for job in _next(jobs, cold):
                worker.run(job)


def _next(jobs: "queue.Queue[Sequence[Job]]", cold: list[str]) -> Sequence[Job]:
    """Return the next jobs; while there are none, import what is still cold."""
    while cold:
        try:
            return jobs.get(timeout=PAUSE)
        except queue.Empty:
            with contextlib.suppress(ImportError):  # the job that needs it will say so
                importlib.import_module(cold.pop(0))
    return jobs.get()


def _listen(jobs: "queue.Queue[Sequence[Job]]") -> None:
    while True:
        try:
            jobs.put(pickle.load(sys.stdin.buffer))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)  # the parent is gone, or wants no more


class _Worker:
    def __init__(self, store: Store, bench: Any, news: IO[str]):
        self.store, self.bench, self.news = store, bench, news
        self._told = 0.0

    def run(self, job: Job) -> None:
        """Run one job and say how it ended."""
        from smalltune.stages import execute

        return_free_blocks()
        try:
            execute(job, self.store, self.bench, lambda info: self._progress(job.key, info))
        except Exception as error:  # a stage may raise anything: it is this job's failure
            self._say("failed", job.key, self._failure(error))
        else:
            self._say("done", job.key, {"held": sorted(self.bench.held())})

    def _failure(self, error: Exception) -> dict[str, Any]:
        """Return the reason in a line, a traceback where it was not foreseen, and if all must end.

        A full disk comes as an OSError or, out of a library, as text only.
        """
        if "No space left on device" in f"{error} {error.__cause__}":
            reason = f"{self.store.root}: the disk is full: free some space; then run again. "
            return {"reason": f"{reason}What was finished is kept", "details": "", "fatal": True}
        if isinstance(error, SmalltuneError):
            return {"reason": str(error), "details": ""}
        said = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {said[0]}".removesuffix(": ")
        return {"reason": reason, "details": traceback.format_exc()}

    def _progress(self, key: str, info: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if info.get("event") != "step" or now - self._told >= PACE:
            self._told = now
            self._say("progress", key, info)

    def _say(self, kind: str, key: str, info: Mapping[str, Any]) -> None:
        self.news.write(json.dumps({"kind": kind, "key": key, "info": info}, default=str) + "\n")


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, so that no orphan holds a job."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    set_death_signal = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main()
