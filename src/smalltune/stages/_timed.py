"""Timed: what a call takes in a worker: seconds, those of each step, memory, bytes written."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.blocks import return_free_blocks
from smalltune.core.provenance import Meter
from smalltune.stages.bench import Bench

__all__ = ["Took", "drawn_out", "timed", "written"]


@dataclass(frozen=True)
class Took:
    """What one call took; `marks` are the seconds at the end of each training step.

    `shares` has the share of the time that each phase took, `record` the bytes of its provenance,
    `answer` what the call returned.
    """

    seconds: float
    marks: tuple[float, ...]
    shares: dict[str, float]
    peak: int
    record: int
    answer: dict[str, Any]

    @property
    def step(self) -> float:
        """The mean seconds of a step, without the first, which also warms up."""
        return (self.marks[-1] - self.marks[0]) / (len(self.marks) - 1)

    def phase(self, name: str) -> float:
        """Return the seconds of a phase."""
        return self.seconds * self.shares.get(name, 0.0)


def timed(bench: Bench, call: Callable[[], Any]) -> Took:
    """Call a stage as a worker does and return what it took.

    Where one thread of the processor computes, its own time is counted, so that what other
    processes take meanwhile is not; elsewhere it is the clock's.
    """
    now = time.process_time if bench.threads == 1 and bench.device == "cpu" else time.perf_counter
    before = bench.meter, bench.progress
    return_free_blocks()
    marks: list[float] = []
    meter = Meter()
    bench.start(meter, lambda event: marks.append(now()) if event["event"] == "step" else None)
    meter.phase("setup")
    began = now()
    try:
        answer = call() or {}
    finally:
        bench.meter, bench.progress = before
    seconds = now() - began
    made = meter.record(device=bench.device, threads=bench.threads, **answer)
    whole = max(sum(meter.phases.values()), 1e-9)
    shares = {name: spent / whole for name, spent in meter.phases.items()}
    record = len(json.dumps(made, indent=1))
    return Took(seconds, tuple(marks), shares, made["peak_memory_bytes"], record, dict(answer))


def written(folder: Path, name: str = "*") -> int:
    """Return the bytes of the files in a folder whose names match."""
    return sum(path.stat().st_size for path in folder.rglob(name) if path.is_file())


def drawn_out(timings: list[tuple[float, float]], tokens: float) -> float:
    """Return the seconds of a step of so many tokens from (tokens, seconds) of one or two sizes."""
    fed, seconds = timings[-1]
    slope = seconds / fed
    if len(timings) > 1 and fed > timings[0][0] and seconds > timings[0][1]:
        slope = (seconds - timings[0][1]) / (fed - timings[0][0])
    return seconds + slope * (tokens - fed)
