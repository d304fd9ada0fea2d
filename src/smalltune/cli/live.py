"""Live progress of a run: a moving display in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smalltune.core.plural import plural

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from smalltune.core.job import Job
    from smalltune.runner import Event

__all__ = ["span", "watch"]

PULSE = 60.0
"""Seconds after which plain output says that the run is alive."""


@contextmanager
def watch(*, quiet: bool = False) -> Iterator[Callable[["Event"], None]]:
    """Yield the function that shows a run's events; with `quiet`, nothing is shown."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        view = _View()
        with Live(view, console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
            view.console = live.console
            yield view.hear
    else:
        yield _Lines().hear


class _Tally:
    """Counts what is done, from the runner's events."""

    def __init__(self) -> None:
        self.total = self.ended = self.failed = 0
        self.running: dict[str, tuple[str, float, dict[str, Any]]] = {}
        self.remaining: Any = None
        self.fetching = ""
        self.notes: set[str] = set()

    def hear(self, event: "Event") -> None:
        from smalltune.runner.remaining import Remaining

        self.fetching = f"fetching {event.info['what']}" if event.kind == "fetch" else ""
        if event.kind == "plan":
            missing = event.info["missing"]
            self.total += len(missing)
            self.remaining = Remaining(missing, event.info["workers"])
        job = event.job
        if job is None:
            return
        if event.kind == "start":
            self.running[job.key] = (job.label, time.monotonic(), {})
            self.remaining.start(job)
        elif event.kind == "progress":
            self._progress(job, dict(event.info))
        elif event.kind in ("done", "failed", "found"):
            self.ended += 1
            self.failed += event.kind == "failed"
            self.running.pop(job.key, None)
            self.remaining.end(job)

    def _progress(self, job: "Job", info: dict[str, Any]) -> None:
        if job.key in self.running:
            label, since, before = self.running[job.key]
            self.running[job.key] = (label, since, {**before, **info})
            if info.get("steps"):
                self.remaining.progress(job, info.get("step", 0) / info["steps"])

    def head(self) -> str:
        """Return one line: jobs done, failed, and the time that is left."""
        left = self.remaining.left() if self.remaining else None
        failed = f", {self.failed} failed" if self.failed else ""
        when = f", about {span(left)} left" if left is not None and self.running else ""
        return f"{self.ended} of {plural(self.total, 'job')}{failed}{when}"

    def note(self, event: "Event") -> str:
        """Return what a job says of its memory when it says so for the first time, else nothing."""
        if event.kind != "progress" or event.job is None or "said" not in event.info:
            return ""
        note = f"{event.job.label}: {event.info['said']}"
        known = note in self.notes
        self.notes.add(note)
        return "" if known else note


class _Lines(_Tally):
    """Prints a line when training ends, when something fails or is short, and now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.said = time.monotonic()

    def hear(self, event: "Event") -> None:
        job, now = event.job, time.monotonic()
        begun = self.running[job.key][1] if job and job.key in self.running else now
        super().hear(event)
        if self.fetching:
            self._say(self.fetching)
        elif note := self.note(event):
            self._say(note)
        elif event.kind == "plan" and event.info["missing"]:
            self._say(
                f"{plural(event.info['trials'], 'trial')}: "
                f"{plural(len(event.info['missing']), 'job')} to run, "
                f"{event.info['stored']} stored, {plural(event.info['workers'], 'worker')}"
            )
        elif event.kind == "done" and job and job.stage == "train":
            self._say(f"{job.label}: {span(now - begun)} ({self.head()})")
        elif event.kind == "failed" and job:
            self._say(f"{job.label}: FAILED: {event.info['reason']}")
        elif event.kind == "elsewhere" and job:
            self._say(f"{job.label}: another run is on it; waiting for its answer")
        elif now - self.said > PULSE:
            self._say("; ".join([self.head(), *(_state(*r, now) for r in self.running.values())]))

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        print(text, file=sys.stderr, flush=True)


class _View(_Tally):
    """Draws a bar and a line for each running job; what must not pass unseen stays above them."""

    console: "Console | None" = None

    def hear(self, event: "Event") -> None:
        super().hear(event)
        if (note := self.note(event)) and self.console:
            self.console.print(note, markup=False, highlight=False)

    def __rich__(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        grid, now = Table.grid(), time.monotonic()
        for job in list(self.running.values()):
            grid.add_row(Text(_state(*job, now), no_wrap=True, overflow="ellipsis"))
        grid.add_row(ProgressBar(total=max(1, self.total), completed=self.ended, width=60))
        grid.add_row(Text(self.fetching or self.head()))
        return grid


def _state(label: str, since: float, info: dict[str, Any], now: float) -> str:
    """Return a running job in words: its step and loss where it trains."""
    said = [label]
    if info.get("steps"):
        said.append(f"step {info.get('step', 0)}/{info['steps']}")
    if isinstance(info.get("loss"), float):
        said.append(f"loss {info['loss']:.3f}")
    return "  ".join([*said, span(now - since)])


def span(seconds: float) -> str:
    """Return a time as `8 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
