"""A worker process as its parent sees it: what it is given, what it says, how it ended."""

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from smalltune.backends import News, reads
from smalltune.core.job import Job

__all__ = ["Process"]

MADE = 3
"""How many of its last answers a worker has at hand: in the system's cache, if not its own."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Process:
    """One worker process and what it is doing."""

    def __init__(self, setup: Mapping[str, Any], threads: int, environment: Mapping[str, str]):
        """Start a process with the worker's `setup` and more environment variables."""
        self.pipe, other_end = os.pipe()
        os.set_blocking(self.pipe, False)
        self.output = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        command = [sys.executable, "-P", "-m", "smalltune.backends.local.worker", str(other_end)]
        here = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            pass_fds=[other_end],
            env={
                **os.environ,
                **dict.fromkeys(THREADS, str(threads)),
                "PYTHONPATH": os.pathsep.join(here),
                "TOKENIZERS_PARALLELISM": "false",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **environment,
            },
        )
        os.close(other_end)
        self.jobs: list[str] = []
        self.held: set[str] = set()
        self._made: deque[str] = deque(maxlen=MADE)
        self.ended = False
        self._rest = b""
        self._send(setup)

    def give(self, jobs: Sequence[Job]) -> None:
        """Queue jobs; a worker that has just died says so when it is read."""
        self.jobs += [job.key for job in jobs]
        self.held = self.held.union(*map(reads, jobs))
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

    def memory(self) -> int:
        """Return the bytes of main memory that the process has in use."""
        import psutil

        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0

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
        if self.process.stdin:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def _send(self, value: object) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # a dead worker shows when it is read
            pickle.dump(value, self.process.stdin)
            self.process.stdin.flush()

    def _news(self, said: dict[str, Any]) -> News:
        news = News(**said)
        if news.kind != "progress":
            self.jobs.remove(news.key)
            self._made.append(news.key)
            self.held = {*news.info.get("held", self.held), *self._made}
        return news
